"""Lets programs that import smbus2 or smbus use a bus that is elsewhere, unmodified.

    import pb_link.smbus
    pb_link.smbus.install()               # before the program's own import of smbus2
    import bme280

    PB_LINK_SMBUS=grpc://mast:50051 python3 -m pb_link.smbus program.py arguments
"""

import os
import runpy
import sys
from types import ModuleType

from remote_i2c.smbus_client.messages import I2cFunc, i2c_msg
from remote_i2c.smbus_client.smbus import SMBus
from remote_i2c.smbus_client.target import SERVER

# Module: the names in it that programs use.
_MODULES = {
    "smbus2": {"SMBus": SMBus, "i2c_msg": i2c_msg, "I2cFunc": I2cFunc, "__version__": "0.6.1"},
    "smbus2.smbus2": {"SMBus": SMBus, "i2c_msg": i2c_msg, "I2cFunc": I2cFunc},
    "smbus": {"SMBus": SMBus},
}
_USAGE = f"usage: {SERVER}=grpc://HOST:PORT python3 -m pb_link.smbus PROGRAM.py [ARGUMENT ..]"


def install(modules=None):
    """Have `import smbus2` and `import smbus` give this SMBus. Who has imported them before keeps what it has.

    Args: modules: what to put them into, None: sys.modules."""
    modules = sys.modules if modules is None else modules
    for name, content in _MODULES.items():
        module = ModuleType(name, "SMBus of a bus that is elsewhere: pb_link.smbus.")
        vars(module).update(content)
        modules[name] = module
    modules["smbus2"].smbus2 = modules["smbus2.smbus2"]
    modules["smbus2"].__path__ = []  # it has a module in it


def main(words):
    """Run a program with smbus2 installed so. words: its path, and its arguments. Returns the exit status."""
    if not words or words[0] in ("-h", "--help"):
        print(_USAGE, file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    install()
    sys.argv[:] = words
    sys.path[0] = os.path.dirname(os.path.abspath(words[0]))
    runpy.run_path(words[0], run_name="__main__")
    return 0
