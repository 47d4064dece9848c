"""Readings of sensors for people and files: a table that follows, JSON, CSV. No input; output goes to a stream.

A reading is a dict, as the admin socket has it: device, type, time (UTC in s), values {name: value}, units {name:
unit}, invalid [name], raw (hex), status: "gone" without values when it was unplugged, else "online" or "offline".
"""

import csv
import json
import time

from sensor_bus.publish import ONLINE, PENDING_DELETION
from server.core.shown import harmless

_CLEAR = "\x1b[H\x1b[J"  # ECMA-48: cursor to the top, erase to the end
_REDRAW_S = 0.25  # a table is drawn at most this often
_UNKNOWN = "?"  # in place of a type that nobody knows
_STATUS = {ONLINE: "online", PENDING_DELETION: "gone"}
_HEAD = ("DEVICE", "TYPE", "VALUE", "", "", "AGE")


def as_dict(reading):
    """Returns the dict of a Reading (server/core/sensors.py)."""
    return {
        "device": reading.device, "type": reading.type, "time": round(reading.time, 4), "values": reading.values,
        "units": reading.units, "invalid": list(reading.invalid), "raw": reading.raw.hex(),
        "status": _STATUS.get(reading.status, "offline"),
    }  # fmt: skip


class Lines:
    """A line for each reading. Args: stream."""

    def __init__(self, stream):
        self._stream = stream

    def show(self, reading):
        values = " ".join(f"{name}={_number(value)}{mark}" for name, value, _, mark in _values(reading))
        values = "gone" if _is_gone(reading) else values
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(reading["time"]))
        moment += f".{int(reading['time'] % 1 * 1000):03d}"
        text = f"{moment}  {reading['device']:8} {reading['type'] or _UNKNOWN:10} {values or reading['raw']}"
        print(harmless(text), file=self._stream, flush=True)


class JSONLines:
    """A JSON object for each reading. Args: stream."""

    def __init__(self, stream):
        self._stream = stream

    def show(self, reading):
        print(json.dumps(reading), file=self._stream, flush=True)


class CSV:
    """A row for each value: time, device, type, name, value, unit, valid (1 or 0). Args: stream; head: bool: begin with
    the names of the columns."""

    def __init__(self, stream, head=True):
        self._stream = stream
        self._rows = csv.writer(stream, lineterminator="\n")
        if head:
            self._rows.writerow(("time", "device", "type", "name", "value", "unit", "valid"))

    def show(self, reading):
        for name, value, unit, mark in _values(reading):
            row = reading["time"], reading["device"], reading["type"] or "", name, value, unit, 0 if mark else 1
            self._rows.writerow(row)
        self._stream.flush()


class Table:
    """The newest reading of each device, drawn over the last ones. Args: stream: a terminal; clock: function () -> UTC
    in s."""

    def __init__(self, stream, clock=time.time):
        self._stream = stream
        self._clock = clock
        self._newest = {}
        self._drawn = None

    def show(self, reading):
        if _is_gone(reading):
            self._newest.pop(reading["device"], None)
        else:
            self._newest[reading["device"]] = reading
        now = self._clock()
        if self._drawn is None or not 0 <= now - self._drawn < _REDRAW_S:
            self.draw()

    def draw(self):
        self._drawn = now = self._clock()
        rows = [_HEAD]
        for device in sorted(self._newest):
            reading = self._newest[device]
            first = device, reading["type"] or _UNKNOWN
            age = f"{max(0.0, now - reading['time']):.1f} s"
            for name, value, unit, mark in _values(reading) or [("", reading["raw"], "", "")]:
                rows.append((*first, name, _number(value), unit + mark, age))
                first, age = ("", ""), ""
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        self._stream.write(_CLEAR + "\n".join(map(harmless, lines)) + "\n")
        self._stream.flush()


def _is_gone(reading):
    return reading.get("status") == _STATUS[PENDING_DELETION]


def _values(reading):
    """Returns [(name, value, unit, mark)]. mark: " !" beside what is not to be trusted, else ""."""
    units, invalid = reading["units"], reading["invalid"]
    values = reading["values"].items()
    return [(name, value, units.get(name, ""), " !" if name in invalid else "") for name, value in values]


def _number(value):
    return f"{value:.6g}" if isinstance(value, float) else str(value)
