"""What the doctor asks of this computer, asked of this computer."""

import os
import socket
import sys
import time

import pytest

from server.service.machine import Machine, SerialPort


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


def test_port_with_a_listener_answers_cannot_be_had_and_is_told_by_its_program(listening):
    machine = Machine()
    assert machine.answers("127.0.0.1", listening) and machine.bind_fault("127.0.0.1", listening)
    if sys.platform == "linux":
        assert machine.listener(listening).endswith(f"(process {os.getpid()})")


def test_free_port_can_be_had_and_does_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    machine = Machine()
    assert not machine.answers("127.0.0.1", port) and machine.bind_fault("127.0.0.1", port) is None
    assert machine.listener(port) is None


def test_output_of_commands_that_fail_or_are_absent_is_none():
    machine = Machine()
    assert machine.output(sys.executable, "-c", "print('said')") == "said\n"
    assert machine.output(sys.executable, "-c", "raise SystemExit(1)") is None
    assert machine.output("/nonesuch/program") is None and not machine.has_program("nonesuch-program")


def test_programs_are_found_where_folders_of_path_are_separated_otherwise(monkeypatch):
    folder, _, name = sys.executable.rpartition(os.sep)
    monkeypatch.setattr(os, "pathsep", ";")  # as Windows does
    monkeypatch.setenv("PATH", f"/nonesuch;{folder}")
    assert Machine().has_program(name)


def test_packages_and_pins_are_those_that_are_installed(monkeypatch):
    import importlib.metadata

    machine = Machine()
    assert machine.package_version("pytest") == pytest.__version__ and machine.package_version("nonesuch") is None
    required = ["aiomqtt==2.5.1; extra == 'mqtt'", "pytest>=8; extra == 'test'", "other"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: required)
    assert machine.pinned("mqtt") == {"aiomqtt": "2.5.1"} and machine.pinned("test") == {"pytest": None}

    def absent(name):
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "requires", absent)
    assert machine.pinned("mqtt") == {}


def test_files_are_asked_for_their_text_owner_and_mode(tmp_path):
    machine, path = Machine(), tmp_path / "file"
    path.write_text("text")
    assert machine.text_of(path) == "text" and machine.text_of(tmp_path / "gone") == "" and machine.is_mine(path)
    path.chmod(0o600)
    assert not machine.open_to_others(path) and machine.free_bytes(tmp_path) > 0
    path.chmod(0o644)
    assert machine.open_to_others(path) or os.name != "posix"


def test_clock_and_names_are_the_systems():
    machine = Machine()
    assert abs(machine.now() - time.time()) < 3600 and machine.addresses_of("127.0.0.1") == {"127.0.0.1"}
    assert machine.addresses_of("nonesuch.invalid") == set()


def test_serial_ports_are_found_by_their_names_without_pyserial(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "serial.tools", None)
    (tmp_path / "ttyACM0").touch()
    monkeypatch.setattr("server.service.machine.SERIAL_PORTS", (str(tmp_path / "ttyACM*"),))
    (found,) = Machine().serial_ports()
    assert isinstance(found, SerialPort) and found.path.endswith("ttyACM0") and found.usable


@pytest.mark.parametrize("name", ["a..b", "\u00e4..b", "a" * 70])
def test_name_that_no_computer_can_have_neither_answers_nor_can_be_listened_on(name):
    machine = Machine()
    assert not machine.answers(name, 8124) and machine.addresses_of(name) == set()
    assert machine.bind_fault(name, 8124)
