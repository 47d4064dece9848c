"""This client's configuration and hardware, all from pb_settings.json in the
current directory (`settings.py` lists its names), so that an upgrade of the
code changes neither. `python3 -m pb_link.s_app` makes the file with a fresh key.

Pins: `"pins"` in the file, or those below for the kind of board. Names or
numbers, as `machine.Pin` takes them; `"rst": null` without a reset wire.

    "pins": {"i2c": "X", "scl": "X9", "sda": "X10", "syn": "X11", "ack": "Y8", "rst": "X12"}
    "pins": {"i2c": 0, "scl": 1, "sda": 0, "syn": 2, "ack": 3, "rst": 4}
"""

import sys

from machine import I2CTarget, Pin

from i2c_devices.pins import validate_pins
from i2c_devices.ports import TargetPort
from pb_link.settings import pins_of, read
from protocol.mailbox import ADDRESS

RESET_MS = 200

settings = read()
config = {name: value for name, value in settings.items() if name not in ("id", "pins")}
conn_id = settings["id"]

pins = pins_of(settings, sys.platform)
# Just the pins: the link sets their modes.
_lines = [(name, Pin(pins[name])) for name in ("scl", "sda", "syn", "ack", "rst") if pins.get(name) is not None]
validate_pins(_lines)
_pin = dict(_lines)
# Ports with a name, as the Pyboard's, have fixed pins and take none.
_fixed = isinstance(pins["i2c"], str)
i2c = TargetPort(
    I2CTarget,
    pins["i2c"],
    addr=ADDRESS,
    **({} if _fixed else {name: _pin[name] for name in ("scl", "sda") if name in _pin}),
)
syn = _pin["syn"]
ack = _pin["ack"]
rst = None
if "rst" in _pin:
    rst = (_pin["rst"], 0, RESET_MS)  # pin, active level, pulse

hardware = [i2c, syn, ack, rst]

# What the link does not need while it runs (pb_link/start.py) is not kept by these names either.
del validate_pins, pins_of, read, settings, _lines, _pin
