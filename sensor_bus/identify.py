"""Finds out which type a device is, and initialises it; and whether it is still of that type. Pure: generators that ask
for what is to be done.

They yield (bytes to write, buffer to read into, or None), and are sent whether that was acknowledged; and pauses, ms as
an int. So the pauses of one device hold up no other. They return the number of the type, or None.
"""

from protocol import const
from sensor_bus.clock import PER_MS
from sensor_bus.records import CONSTANTS, DETECTION, INIT, POLL
from sensor_bus.steps import Steps

LOST = const(-1)  # in place of the number of a type: see `look`
ODD = const(-1)  # Device.check: a poll has read bytes whose checksum is wrong, so another one may be there


class Identification:
    """That of one device, while its type is not known; or a look at it later. Args: records: Records; device: Device;
    now: 100 us."""

    def __init__(self, records, device, now):
        self.attempts = 0  # that have failed
        self.begin(records, device, now)

    def begin(self, records, device, at):
        """Begin it, or begin it anew, at a time."""
        self._steps = (identification if device.type is None else look)(records, device)
        self.wanted = None  # (bytes, buffer) of its next transaction
        self.resume = at  # when it goes on

    def go_on(self, answered, now):
        """Go on until the next transaction or pause. Args: answered: whether `wanted` was. Raises: StopIteration, with
        what `identification` returns."""
        wanted = self._steps.send(answered)
        if isinstance(wanted, tuple):
            self.wanted, self.resume = wanted, now
        else:
            self.wanted, self.resume = None, now + wanted * PER_MS


def identification(records, device):
    """Returns the generator. What it finds is set in the device: constants. Args: records: Records; device: Device."""
    for number in records.candidates(device.address):
        if (yield from _run(records, number, DETECTION)) is None:
            continue
        if (yield from _run(records, number, INIT)) is None:
            return None
        found = yield from _run(records, number, CONSTANTS)
        if found is None:
            return None
        if found:
            device.constants = bytes(found)
        return number
    return None


def look(records, device):
    """Returns the generator of a look at a device whose type is known. If that fits still, it returns that one. LOST:
    it does, but the device has lost its settings. None: no type fits, or nobody may look."""
    number = device.type
    if can_look(records, number):
        if (yield from _is_still(records, number, DETECTION)):
            return number if (yield from _is_still(records, number, INIT)) else LOST
    elif device.check != ODD:
        return None
    for other in records.candidates(device.address):
        if other != number and (yield from _run(records, other, DETECTION, True)) is not None:
            return other
    return None


def can_look(records, number):
    """Returns whether a look at a device of this type disturbs nothing: its detection is known by registers, and no
    read of its polls depends on the write of another step."""
    return _reads_registers(records, number, DETECTION) and _reads_registers(records, number, POLL)


def _reads_registers(records, number, field):
    program = records.field(number, field)
    steps, found = Steps(program), False
    while steps.next():
        writes = len(steps.write)
        if steps.size(b""):
            found = True
            if not writes or field == DETECTION and (writes > 2 or steps.pause_ms):
                return False
        elif field == DETECTION and steps.pause_ms:
            return False
    return found


def _is_still(records, number, field):
    """Generator: returns whether what such a program has read before is so still."""
    for _ in range(2):
        if (yield from _run(records, number, field, True)) is not None:
            return True
    return False


def _run(records, number, field, looks=False):
    """Generator: returns what the steps of a program have read, a bytearray; None: one was not acknowledged, or has
    read what it should not. Args: looks: only the steps that compare are done."""
    steps, count = Steps(records.field(number, field)), 0
    buf = bytearray(steps.most)
    view = memoryview(buf)
    while steps.next():
        if looks and not steps.compares():
            continue
        size = steps.size(buf)
        into = view[count : count + size] if size else None
        if size or steps.write:
            if not (yield steps.write, into):
                return None
            if size and not steps.matches(into):
                return None
        count += size
        if steps.pause_ms:
            yield steps.pause_ms
    return buf
