"""`pb-link sensors`: the sensors of a client, from the running server, or those of a bus of this computer."""

import asyncio
import contextlib
import json
import sys

from server.core.sensors import reading_of
from server.core.shown import harmless
from server.service.sensors_shown import CSV, JSONLines, Lines, Table, as_dict


def outputs(options, stack):
    """Returns what shows the readings. options: json, csv; stack: ExitStack, for the file. Raises: OSError."""
    found = []
    if options.csv is not None:
        # The file may exist: then rows are added to those of an earlier run.
        file = stack.enter_context(open(options.csv, "a", newline="", encoding="utf-8"))
        found.append(CSV(file, head=file.tell() == 0))
    if options.json:
        found.append(JSONLines(sys.stdout))
    elif sys.stdout.isatty():
        found.append(Table(sys.stdout))
    elif options.csv is None:
        found.append(Lines(sys.stdout))
    return found


def show_answers(options, answers):
    """Show the readings of a client. answers: iterable of dicts of the admin socket (sensors_followed.py). Returns the
    exit status. Notes go to stderr."""
    with contextlib.ExitStack() as stack:
        shown = outputs(options, stack)
        for answer in answers:
            if "note" in answer:
                print(json.dumps(answer) if options.json else f"pb-link: {harmless(answer['note'])}", file=sys.stderr)
                continue
            for one in shown:
                one.show(answer)
    return 1  # the server has ended


def show_bus(options):
    """Show the readings of a bus of this computer, until Ctrl-C. Returns the exit status. Raises: ValueError."""
    number = bus_number(options.bus)
    try:
        from sensor_bus.linux_i2c import LinuxI2C
    except ImportError:
        raise ValueError("a bus of this computer needs the extra linux: pip install 'pb-link[linux]'") from None
    with contextlib.ExitStack() as stack:
        shown = outputs(options, stack)
        port = stack.enter_context(contextlib.closing(LinuxI2C(number)))
        asyncio.run(_follow(port, number, shown))
    return 0


def bus_number(text):
    """Returns the number of /dev/i2c-N, or of N. Raises: ValueError."""
    digits = text.removeprefix("/dev/i2c-")
    if not digits.isdecimal():
        raise ValueError(f"--bus must be as /dev/i2c-1, not {text!r}")
    return int(digits)


async def _follow(port, number, shown):
    import time

    from sensor_bus.bus import SensorBus
    from sensor_bus.records import standard_records

    records = standard_records()
    bus = SensorBus(port, records)

    async def show():
        async for sample in bus.samples():
            name = records.name(sample.type)
            at = time.time() - (bus.now() - sample.time) / 1e4  # each time anew: the wall clock may be set
            for reading in reading_of(number, sample.address, name, at, records.info_by_name(name), sample.data):
                for one in shown:
                    one.show(as_dict(reading))

    await asyncio.gather(bus.run(), show())  # a fault of either ends the command
