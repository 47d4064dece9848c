"""The file of `--sensors`: which devices are on which bus and in which slot, how their values move, what happens when.

Pure, but for reading the file. docs/simulator.md describes it.
"""

import json
from collections import namedtuple

from sim.wires.sensors.mux import CHANNELS
from sim.wires.sensors.world import FIRST_MUX

# buses: name -> {"scl", "sda", "reset": pin, or absent}; devices: name of bus -> list of Planned.
Plan = namedtuple("Plan", "buses devices")
# options: what SensorWorld.add takes; events: (seconds, method of Member, arguments).
Planned = namedtuple("Planned", "options events")

FIRST_BUS = "i2c1"
_PINS = {"scl", "sda", "reset"}
_NUMBERS = {"address", "identity"}  # also as text, in hexadecimal
_OTHERS = {"type", "name", "slot", "values", "power", "first_slot", "floating", "shunt_ohm"}
_FAULTS = ("brown_out", "nack", "nack_bytes", "stick_sda")


def read_plan(path):
    """Reads a file. Raises: ValueError that says what is wrong, and where."""
    with open(path, encoding="utf-8") as file:
        try:
            return plan_of(json.load(file))
        except ValueError as error:
            raise ValueError(f"{path}: {error}")


def plan_of(data):
    """Returns the Plan that a list of devices, or `{"buses": {..}, "devices": [..]}`, describes. Raises: ValueError."""
    if isinstance(data, list):
        data = {"devices": data}
    _check(data, {"buses", "devices"}, "the file")
    buses = data.get("buses", {})
    _check(buses, None, "buses")
    for name, pins in buses.items():
        _check(pins, _PINS, f"bus {name}")
    devices = {name: [] for name in buses}
    if not isinstance(data.get("devices"), list):
        raise ValueError("devices is to be a list")
    for number, entry in enumerate(data["devices"], 1):
        try:
            name, planned = _planned(entry)
        except ValueError as error:
            raise ValueError(f"device {number}: {error}")
        if name not in devices and name != FIRST_BUS:
            raise ValueError(f"device {number}: there is no bus {name!r} in buses")
        devices.setdefault(name, []).append(planned)
    return Plan(buses, devices)


def _check(part, known, what):
    if not isinstance(part, dict):
        raise ValueError(f"{what} is to be an object")
    for key in part:
        if known is not None and key not in known:
            raise ValueError(f"{what} has no {key!r}: {', '.join(sorted(known))}")


def _planned(entry):
    _check(entry, _NUMBERS | _OTHERS | {"bus", "plug", "faults"}, "a device")
    if "type" not in entry:
        raise ValueError("it has no type")
    for key, kind, what in (
        ("type", str, "a name"), ("bus", str, "a name"), ("values", dict, "an object"), ("plug", list, "a list"),
        ("faults", list, "a list"),
    ):  # fmt: skip
        if not isinstance(entry.get(key, kind()), kind):
            raise ValueError(f"{key} is to be {what}, not {entry[key]!r}")
    options = {key: entry[key] for key in _OTHERS if key in entry}
    options |= {key: _number(key, entry[key]) for key in _NUMBERS if key in entry}
    events = [_plug(*_event("plug", event, 2, 3)) for event in entry.get("plug", [])]
    options["plugged"] = not events or events[0][0] > 0 and events[0][1] == "unplug"
    for event in entry.get("faults", []):
        when, name, *arguments = _event("faults", event, 2, 4)
        if name not in _FAULTS or not all(type(argument) is int for argument in arguments):
            raise ValueError(f"a fault is [seconds, name, numbers ..], one of {', '.join(_FAULTS)}, not {event!r}")
        events.append((when, name, tuple(arguments)))
    return entry.get("bus", FIRST_BUS), Planned(options, events)


def _number(key, value):
    try:
        return int(value, 0) if isinstance(value, str) else int(value)
    except (TypeError, ValueError):
        raise ValueError(f'{key} is a number, or text such as "0x38", not {value!r}')


def _event(what, event, fewest, most):
    usable = isinstance(event, list) and fewest <= len(event) <= most
    if not usable or isinstance(event[0], bool) or not isinstance(event[0], (int, float)) or event[0] < 0:
        raise ValueError(f"{what} is a list of [seconds, ..], not of {event!r}")
    return event


def _plug(when, plugged, slot=None):
    if not isinstance(plugged, bool) or slot is not None and (type(slot) is not int or not plugged):
        raise ValueError("plug is a list of [seconds, true], [seconds, true, slot] or [seconds, false]")
    if not plugged:
        return when, "unplug", ()
    return when, "plug", () if slot is None else (slot,)


def populate(sensors, planned, log=None):
    """Adds the planned devices to a SensorWorld, and has what is planned happen.

    Args: log(text): is told of it. Raises: ValueError.
    """
    for one in _in_order(planned):
        member = sensors.add(**one.options)
        for when, name, arguments in one.events:
            for slot in arguments if name == "plug" else ():
                sensors.wires(slot)  # there is such a slot
            _schedule(sensors, member, when, name, arguments, log)


def _in_order(planned):
    """Multiplexers first; each after the one behind which it is, however they are listed."""
    muxes = [one for one in planned if one.options["type"] == "PCA9548A"]
    return sorted(muxes, key=lambda one: _depth(one, muxes, len(muxes))) + [one for one in planned if one not in muxes]


def _depth(one, muxes, most):
    slot = one.options.get("slot", 0)
    if not slot or not most:
        return 0
    return 1 + max((_depth(other, muxes, most - 1) for other in muxes if _has_slot(other, slot)), default=0)


def _has_slot(mux, slot):
    first = mux.options.get("first_slot")
    if first is None:
        first = (mux.options.get("address", FIRST_MUX) - FIRST_MUX) * CHANNELS + 1
    return first <= slot < first + CHANNELS


def _schedule(sensors, member, when, name, arguments, log):
    def happen():
        if log is not None:
            log(" ".join([member.name, name, *map(str, arguments)]))
        getattr(member, name)(*arguments)

    if when > 0:
        sensors.at(when, happen)
    else:
        happen()
