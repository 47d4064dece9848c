"""Programs that import smbus2 or smbus, unmodified."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from remote_i2c.smbus_client.install import install
from remote_i2c.smbus_client.messages import i2c_msg
from remote_i2c.smbus_client.smbus import SMBus
from tests.patience import PATIENCE_S
from tests.remote_i2c.doors import open_door

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys
from {module} import SMBus
import beside
with_it = SMBus(1)
print(sys.argv[1:], __name__, beside.NAME, with_it.read_byte_data(0x48, 5))
"""


def test_modules_are_put_into_their_places():
    modules = {}
    install(modules)
    assert modules["smbus2"].SMBus is modules["smbus"].SMBus is modules["smbus2.smbus2"].SMBus is SMBus
    assert modules["smbus2"].i2c_msg is i2c_msg and modules["smbus2"].smbus2 is modules["smbus2.smbus2"]


def run(words, folder, url):
    environment = dict(os.environ, PYTHONPATH=str(ROOT), PB_LINK_SMBUS=url.removesuffix("/1"))
    command = [sys.executable, "-m", "pb_link.smbus", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S
    )  # fmt: skip


@pytest.mark.parametrize("module", ["smbus2", "smbus"])
def test_program_runs_as_it_is(tmp_path, module):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/program.py").write_text(PROGRAM.format(module=module))
    (tmp_path / "there/beside.py").write_text("NAME = 'beside it'\n")
    with open_door() as door:
        done = run(["there/program.py", "--option", "x"], tmp_path, door.url)
    assert (done.returncode, done.stdout) == (0, "['--option', 'x'] __main__ beside it 5\n"), done.stderr


def test_program_that_exits_has_its_status(tmp_path):
    (tmp_path / "program.py").write_text("raise SystemExit(7)\n")
    with open_door() as door:
        assert run(["program.py"], tmp_path, door.url).returncode == 7


def test_usage_is_told(tmp_path):
    done = run([], tmp_path, "grpc://127.0.0.1:1/1")
    assert done.returncode == 2 and "PROGRAM.py" in done.stderr
    assert run(["--help"], tmp_path, "grpc://127.0.0.1:1/1").returncode == 0
