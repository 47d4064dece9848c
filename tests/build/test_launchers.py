"""What README and docs tell to type: `python3 build/flash.py` and the like work from any folder."""

import subprocess
import sys

import pytest

from build.tools.cache import ROOT

MANIFESTS = {"manifest.py", "manifest_client.py"}
LAUNCHERS = {
    "client.py", "deploy.py", "esp8266.py", "firmware.py", "flash.py", "micropython.py", "sensor_bus.py",
    "sensor_types.py",
}  # fmt: skip


def test_top_of_build_has_nothing_but_what_a_user_names():
    assert {path.name for path in (ROOT / "build").glob("*.py")} == MANIFESTS | LAUNCHERS | {"__init__.py"}


@pytest.mark.parametrize("name", sorted(LAUNCHERS))
def test_program_starts_in_any_folder(name, tmp_path):
    command = [sys.executable, ROOT / "build" / name, "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {name} ")
