"""Takes records of device types in JSON, the published form, and makes of them what Records works with.

    records = load(open("DeviceTypeRecords.json", "rb").read())
    records = own()                         # this project's types; records.standard_records is the same

A record is checked as a whole when it is loaded. Each fault raises ValueError, which names the record and the item.
What the form has and this does not use (h, hSlots, busHz, actions, _notes) is taken as it is.

A board loads this module only for a type that it gets while it runs. docs/sensor-bus.md, "Records".
"""

from protocol import const
from sensor_bus import address as addresses_of
from sensor_bus.grammar import MAX_READ, detection_program, steps_program
from sensor_bus.records import LISTS, MAX_TYPES, VERSION, Records
from sensor_bus.steps import Steps

MAX_NAME = const(64)
MAX_ADDRESSES = const(116)
MAX_SAMPLES = const(255)
MAX_INTERVAL_MS = const(3600000)
MAX_FILE = const(1 << 20)

_KEYS = (
    "deviceType", "addresses", "detectionValues", "initValues", "pollInfo", "scanPriority", "devInfoJson", "_notes",
    "excludeFromAddrMap", "keptValues", "source",
)  # fmt: skip
_POLL_KEYS = ("c", "i", "s", "k", "h", "hSlots", "busHz", "busHzSlots")
_PRIORITIES = ("high", "medium", "low")


def load(source):
    """Returns Records of all types in a file's bytes (JSON) or in what JSON became, {"devTypes": {name: record}}.

    For CPython: their order is that of the file, and MicroPython's dicts have none. Raises: ValueError."""
    found = types(source)
    infos = {name: record["devInfoJson"] for name, record in found.items() if "devInfoJson" in record}
    return Records(table(list(found.values())), infos)


def own():
    """Returns Records of this project's own types, types.json. For CPython."""
    with open(__file__[: -len("loader.py")] + "types.json", "rb") as file:
        return load(file.read())


def table(records):
    """Returns the table of these records (dicts), for Records. Raises: ValueError."""
    if len(records) > MAX_TYPES:
        raise ValueError("a table holds at most %d types, not %d" % (MAX_TYPES, len(records)))
    out, names = bytearray((VERSION, len(records))), set()
    for record in records:
        made = entry(record)
        if record["deviceType"] in names:
            raise ValueError("record %s: it comes twice" % record["deviceType"])
        names.add(record["deviceType"])
        out.extend(len(made).to_bytes(2, "little"))
        out.extend(made)
    return bytes(out)


def types(source):
    """Returns {name: record} of a file's bytes or of what JSON became, not yet checked. Raises: ValueError."""
    if isinstance(source, (bytes, bytearray)):
        import json

        if len(source) > MAX_FILE:
            raise ValueError("a file of records has %d bytes, at most %d go" % (len(source), MAX_FILE))
        try:
            source = json.loads(str(source, "utf-8"))
        except ValueError as error:  # UnicodeError is one
            raise ValueError("the file of records is no JSON: %s" % error)
        except RuntimeError:  # RecursionError is one
            raise ValueError("the file of records has too many lists and objects in one another")
    found = source.get("devTypes") if isinstance(source, dict) else None
    if not isinstance(found, dict):
        raise ValueError('a file of records must be an object with "devTypes": {name: record}')
    for name, record in found.items():
        if not isinstance(record, dict) or record.get("deviceType") != name:
            raise ValueError("record %s: its deviceType must be its name" % name)
    return found


def entry(record, decodes=True):
    """Returns a record's entry in the table, without its length. Args: decodes: False: devInfoJson is not looked at, as
    on a board, which does not decode. Raises: ValueError."""
    name = record.get("deviceType") if isinstance(record, dict) else None
    if not isinstance(name, str) or not 0 < len(name.encode()) <= MAX_NAME:
        raise ValueError("a record must be an object with a deviceType of 1..%d bytes, not %r" % (MAX_NAME, name))
    try:
        return _entry(name, record, decodes)
    except ValueError as error:
        raise ValueError("record %s: %s" % (name, error))


def _entry(name, record, decodes):
    for key in record:
        if key not in _KEYS:
            raise ValueError("there is no item %r in a record" % (key,))
    poll = record.get("pollInfo", {})
    if not isinstance(poll, dict):
        raise ValueError("pollInfo must be an object, not %r" % (poll,))
    for key in poll:
        if key not in _POLL_KEYS:
            raise ValueError("pollInfo has no item %r" % (key,))
    programs = [
        _program("detectionValues", detection_program, record.get("detectionValues", "")),
        _with_kept(_program("initValues", steps_program, record.get("initValues", "")), record),
        _program("pollInfo.c", steps_program, poll.get("c", "")),
        _program("pollInfo.k", steps_program, poll.get("k", "")),
    ]
    size = sum(program[0] for program in programs[2:] if program)
    if size > MAX_READ:
        raise ValueError("a sample and its constants have %d bytes, at most %d go" % (size, MAX_READ))
    interval_ms, samples = 0, 1
    if programs[2]:
        interval_ms = _number(poll, "pollInfo.i", 1, MAX_INTERVAL_MS)
        samples = _number(poll, "pollInfo.s", 1, MAX_SAMPLES)
    if decodes and "devInfoJson" in record:
        from sensor_bus.info import check_info

        check_info(record["devInfoJson"], size if programs[2] else None)
    out = bytearray((_priority(record), int(samples)))
    out.extend(int(interval_ms * 1000).to_bytes(4, "little"))
    for field in [name.encode(), _addresses(record.get("addresses", ""))] + programs:
        out.extend(len(field).to_bytes(2, "little"))
        out.extend(field)
    return bytes(out)


def _program(item, made, text):
    try:
        return made(text)
    except ValueError as error:
        raise ValueError("%s: %s" % (item, error))


def _with_kept(init, record):
    """Returns the program of initValues, and behind it that of keptValues, each step of which compares."""
    kept = _program("keptValues", detection_program, record.get("keptValues", ""))
    if not kept:
        return init
    steps = Steps(kept)
    while steps.next():
        if not steps.compares() or not 0 < len(steps.write) <= 2 or steps.pause_ms:
            raise ValueError("keptValues: a step must read what a register must have, as 0x20=0b1XXXXXXX")
    most = kept[0] + (init[0] if init else 0)
    if most > MAX_READ:
        raise ValueError("keptValues: with initValues they read %d bytes, at most %d go" % (most, MAX_READ))
    return bytes((most,)) + init[1:] + kept[1:]


def _number(poll, item, lowest, highest):
    found = poll.get(item.rpartition(".")[2])
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not lowest <= found <= highest:
        raise ValueError("%s must be a number %d..%d, not %r" % (item, lowest, highest, found))
    return found


def _priority(record):
    found = record.get("scanPriority", LISTS)
    if found in _PRIORITIES:
        return _PRIORITIES.index(found)
    if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= LISTS:
        raise ValueError("scanPriority must be high, medium, low or 1..%d, not %r" % (LISTS, found))
    return found - 1


def _addresses(text):
    """Returns the addresses of "0x10-0x17,0x53" in their order, none of "": a device that is on no I2C bus."""
    if not isinstance(text, str):
        raise ValueError("addresses must be text, not %r" % (text,))
    out = bytearray()
    for part in text.split(",") if text.strip() else ():
        first, separator, last = part.partition("-")
        first = _address(first)
        for address in range(first, (_address(last) if separator else first) + 1):
            if address not in bytes(out):  # MicroPython does not look for an int in a bytearray
                out.append(address)
    if text.strip() and not out:
        raise ValueError("addresses: %r goes downwards" % text)
    return bytes(out)


def _address(text):
    text = text.strip()
    try:
        if text[:2].lower() != "0x" or not 3 <= len(text) <= 4:
            raise ValueError
        return addresses_of.join(int(text[2:], 16))
    except ValueError:
        raise ValueError(
            "addresses: an address must be 0x%02x..0x%02x, not %r" % (addresses_of.FIRST, addresses_of.LAST, text)
        )
