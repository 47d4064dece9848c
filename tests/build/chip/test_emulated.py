"""build/chip/emulated.py: how an emulator's end is told. test_cortex_m4 and test_lx106 check what it builds."""

import sys

import pytest

from build.chip import cortex_m4, emulated, lx106


def shell(text):
    return ["/bin/sh", "-c", text]


def test_output_is_returned_and_the_folder_is_the_emulators(tmp_path):
    assert emulated.run(shell("pwd; echo more"), tmp_path, "program") == f"{tmp_path}\nmore\n"


def test_status_is_an_error_with_all_that_was_printed(tmp_path):
    with pytest.raises(RuntimeError, match="^program ended with status 3: so far\n.*bad"):
        emulated.run(shell("echo so far; echo bad >&2; exit 3"), tmp_path, "program")


def test_emulator_that_does_not_end_is_ended_with_an_error(tmp_path):
    forever = [sys.executable, "-c", "while True: pass"]
    with pytest.raises(RuntimeError, match="program has not ended after 0.5 s"):
        emulated.run(forever, tmp_path, "program", timeout_s=0.5)


def test_no_file_of_a_port_has_the_name_of_a_common_one():
    """Make would take the port's, and the common one would be changed in vain."""
    common = {path.name for path in emulated.COMMON.iterdir()}
    for port in (cortex_m4.PORT, lx106.PORT):
        assert common and not common & {path.name for path in port.iterdir()}
