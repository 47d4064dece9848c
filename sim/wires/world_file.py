"""The file of `--world`: what is around a board, and how it changes. JSON, or Python that defines WORLD.

    {"buses": .., "devices": [..]}              I2C sensors: sim/wires/sensors/plan.py
    "analog": {"X19": 1.2, "X20": [[0, 0.0], [10, 3.3]]}      volts at pins, as scripts
    "pins": {"X1": [[2, 1], [2.5, null]]}       levels that somebody drives, from a second on; null: nobody
    "spi": [{"type": "MCP3008", "cs": "X5", "sck": "X6", "values": {"ch0": 1.0}}]

A Python file may write functions (seconds) -> value in place of numbers, and classes of its own in place of the name of
a type, or in TYPES under a name. docs/simulator.md describes it.
"""

import json
import runpy
from collections import namedtuple

from sim.wires import spi
from sim.wires.sensors.device import Device
from sim.wires.sensors.plan import Plan, plan_of
from sim.wires.sensors.script import script

# plan: Plan of I2C devices; types: {name: class} of one's own; analog: {pin: function (seconds)};
# pins: {pin: [(seconds, 0 | 1 | None)]}; spi: [SPIPlanned].
World = namedtuple("World", "plan types analog pins spi")
SPIPlanned = namedtuple("SPIPlanned", "make cs sck")

_OWN = ("analog", "pins", "spi")
_SPI_ITEMS = {"type", "cs", "sck", "values"}


def read_world(path):
    """Reads a file. Raises: ValueError that says what is wrong, and where; OSError."""
    try:
        return world_of(*_read(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}")


def _read(path):
    """Returns (the object, {name: class})."""
    if str(path).endswith(".py"):
        try:
            names = runpy.run_path(str(path))
        except Exception as error:  # of whatever kind: it is the user's program
            raise ValueError(f"it has raised {type(error).__name__}: {error}")
        if "WORLD" not in names:
            raise ValueError("it defines no WORLD")
        return names["WORLD"], names.get("TYPES", {})
    with open(path, encoding="utf-8") as file:
        return json.load(file), {}


def world_of(data, types=None):
    """Returns the World of an object as a file has it, or of a list of I2C devices. Raises: ValueError."""
    types = dict(types or {})
    if isinstance(data, list):
        data = {"devices": data}
    if not isinstance(data, dict):
        raise ValueError("it is to be an object, or a list of I2C devices")
    devices = [_named(entry, types) for entry in _list(data, "devices")]
    bus = {name: value for name, value in data.items() if name not in _OWN}
    plan = plan_of({**bus, "devices": devices}) if bus else Plan({}, {})
    analog = {pin: _script("analog", pin, value) for pin, value in _items(data, "analog")}
    pins = {pin: _changes(pin, value) for pin, value in _items(data, "pins")}
    return World(plan, types, analog, pins, [_spi_device(entry, types) for entry in _list(data, "spi")])


def _list(data, name):
    found = data.get(name, [])
    if not isinstance(found, list):
        raise ValueError(f"{name} is to be a list, not {found!r}")
    return found


def _items(data, name):
    found = data.get(name, {})
    if not isinstance(found, dict):
        raise ValueError(f"{name} is to be an object, with names of pins")
    return found.items()


def _named(entry, types):
    """Returns an entry with the name of its type, where a Python file has the class."""
    if isinstance(entry, dict) and isinstance(entry.get("type"), type):
        if not issubclass(entry["type"], Device):
            raise ValueError(f"devices: {entry['type'].__name__} is no class of Registers, Words or Commands")
        types[entry["type"].__name__] = entry["type"]
        return {**entry, "type": entry["type"].__name__}
    return entry


def _script(where, pin, value):
    try:
        return script(value)
    except ValueError as error:
        raise ValueError(f"{where}: {pin}: {error}")


def _changes(pin, value):
    changes = [(0, value)] if value in (0, 1) else value
    usable = isinstance(changes, list) and all(
        isinstance(one, (list, tuple)) and len(one) == 2 and isinstance(one[0], (int, float)) and one[1] in (0, 1, None)
        for one in changes
    )
    if not usable:
        raise ValueError(f"pins: {pin}: a list of [seconds, 0, 1 or null], not {value!r}")
    return [tuple(one) for one in changes]


def _spi_device(entry, types):
    if not isinstance(entry, dict) or not {"type", "cs"} <= set(entry) <= _SPI_ITEMS:
        raise ValueError(f"spi: an object with type, cs, and perhaps sck and values, not {entry!r}")
    for name, expected, what in (("cs", str, "a name"), ("sck", str, "a name"), ("values", dict, "an object")):
        if entry.get(name) is not None and not isinstance(entry[name], expected):
            raise ValueError(f"spi: {name} is to be {what}, not {entry[name]!r}")
    kind = entry["type"]
    if not isinstance(kind, (type, str)):
        raise ValueError(f"spi: type is to be a name, not {kind!r}")
    if not isinstance(kind, type):
        known = {**spi.TYPES, **types}
        if kind not in known:
            raise ValueError(f"spi: there is no model of {kind!r}: {', '.join(known)}")
        kind = known[kind]
    if not issubclass(kind, spi.SPIDevice):
        raise ValueError(f"spi: {kind.__name__} is no class of SPIDevice")
    values = entry.get("values")
    try:
        kind(values=values)
    except TypeError as error:
        raise ValueError(f"spi: {kind.__name__}: {error}")
    return SPIPlanned(lambda: kind(values=values), entry["cs"], entry.get("sck"))
