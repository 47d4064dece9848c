"""The names of `pb_link.smbus`, and what is said without its extra."""

import subprocess
import sys
from pathlib import Path

import pb_link.smbus

MICROPYTHON = False
MICROPYTHON_REASON = "the SMBus client is for CPython"

ROOT = Path(__file__).resolve().parents[2]


def test_public_names_are_there():
    assert all(getattr(pb_link.smbus, name) for name in pb_link.smbus.__all__)
    assert {"SMBus", "AsyncSMBus", "i2c_msg", "I2cFunc", "I2C", "ProxyClient", "install"} <= set(pb_link.smbus.__all__)


def test_missing_extra_is_named():
    program = "import sys; sys.modules['grpc'] = None; import pb_link.smbus"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "pip install '.[grpc]' in the checkout" in done.stderr


def test_link_without_it_imports_nothing_of_it():
    program = "import pb_link.app_base, server, sys; sys.exit(bool({'grpc', 'remote_i2c'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0
