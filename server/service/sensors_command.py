"""`pb-link sensors`: the sensors of a client, from the running server, or those of a bus of this computer."""

import asyncio
import contextlib
import json
import sys

from sensor_bus.address import device_id
from sensor_bus.publish import PENDING_DELETION
from server.core.sensors import reading_of
from server.core.shown import harmless
from server.service.sensors_shown import CSV, JSONLines, Lines, Table, as_dict

FIRST_S = 3.0  # by when a bus has told what was there from the beginning: four scans of all addresses, and detections


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
                say(options, answer["note"])
                continue
            for one in shown:
                one.show(answer)
    return 1  # the server has ended


def say(options, note):
    """Say on stderr why nothing is shown."""
    print(json.dumps({"note": note}) if options.json else f"pb-link: {harmless(note)}", file=sys.stderr, flush=True)


def show_bus(options):
    """Show the readings of a bus of this computer, until Ctrl-C. Returns the exit status. Raises: ValueError."""
    number = bus_number(options.bus)
    try:
        from sensor_bus.linux_i2c import LinuxI2C
    except ImportError:
        raise ValueError("a local bus needs the extra linux: pip install '.[linux]' in the checkout") from None
    with contextlib.ExitStack() as stack:
        shown = outputs(options, stack)
        port = stack.enter_context(contextlib.closing(LinuxI2C(number)))
        asyncio.run(follow(port, number, shown, lambda note: say(options, note)))
    return 0


def bus_number(text):
    """Returns the number of /dev/i2c-N, or of N. Raises: ValueError."""
    digits = text.removeprefix("/dev/i2c-")
    if not digits.isdecimal():
        raise ValueError(f"--bus must be as /dev/i2c-1, not {text!r}")
    return int(digits)


async def follow(port, number, shown, note):
    """Show the readings of a bus. Args: port: LinuxI2C; number: of the bus; shown: what shows them; note: function
    (text), to be called with why there is nothing to show."""
    import time

    from sensor_bus.bus import SensorBus
    from sensor_bus.records import standard_records

    records = standard_records()
    bus = SensorBus(port, records)

    def gone(device):
        for one in shown if device.type is not None else ():
            name = records.name(device.type)
            one.show(as_dict(*reading_of(number, device.address, name, time.time(), None, b"", PENDING_DELETION)))

    async def explain():
        """The first scan is over by now. What is found later, and has no type, is told too."""
        events = bus.events()
        await asyncio.sleep(FIRST_S)
        if not bus.devices():
            note(f"nothing answers on bus {number} yet: what is plugged in is shown")
        async for event in events:
            if event.kind == "online" and event.type is None:
                note(f"there is no type for {device_id(number, event.address)}: nothing is read of it")

    async def show():
        async for sample in bus.samples(gone):
            name = records.name(sample.type)
            at = time.time() - (bus.now() - sample.time) / 1e4  # each time anew: the wall clock may be set
            for reading in reading_of(number, sample.address, name, at, records.info_by_name(name), sample.data):
                for one in shown:
                    one.show(as_dict(reading))

    await asyncio.gather(bus.run(), show(), explain())  # a fault of either ends the command
