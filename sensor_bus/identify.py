"""Finds out which type a device is, and initialises it; and whether it is still of that type. Pure: generators that ask
for what is to be done.

They yield (bytes to write, buffer to read into, or None), and are sent whether that was acknowledged; and pauses, ms as
an int. So the pauses of one device hold up no other. They return the number of the type, or None.
"""

from sensor_bus.clock import PER_MS
from sensor_bus.records import CONSTANTS, DETECTION, INIT, POLL
from sensor_bus.steps import Steps


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
    steps, buf = Steps(), None
    for number in records.candidates(device.address):
        program = records.field(number, DETECTION)
        buf = _fitting(buf, program)
        if not (yield from _run(steps, program, buf, True)):
            continue
        program = records.field(number, INIT)
        buf = _fitting(buf, program)
        if not (yield from _run(steps, program, buf, False)):
            return None
        program = records.field(number, CONSTANTS)
        if len(program):
            buf = bytearray(program[0])
            if not (yield from _run(steps, program, buf, False)):
                return None
            device.constants = bytes(buf)
        return number
    return None


def look(records, device):
    """Returns the generator of a look at a device whose type is known. If that fits still, it returns that one. None:
    no type fits, or nobody may look."""
    steps, number = Steps(), device.type
    if not can_look(records, number):
        return None
    program = records.field(number, DETECTION)
    buf = bytearray(program[0])
    for _ in range(2):
        if (yield from _run(steps, program, buf, True)):
            return number
    for other in records.candidates(device.address):
        program = records.field(other, DETECTION)
        buf = _fitting(buf, program)
        if other != number and (yield from _run(steps, program, buf, True)):
            return other
    return None


def can_look(records, number):
    """Returns whether a look at a device of this type disturbs nothing: its detection reads registers and does nothing
    else, and no read of its polls depends on the write of another step."""
    detection, poll = records.field(number, DETECTION), records.field(number, POLL)
    return _reads_registers(detection, True) and _reads_registers(poll, False)


def _reads_registers(program, only):
    """Args: only: it does nothing else."""
    steps = Steps(program)
    while steps.next():
        reads, writes = steps.size(b""), len(steps.write)
        if reads and not writes or only and (not reads or writes > 2 or steps.pause_ms):
            return False
    return len(program) > 0


def _fitting(buf, program):
    size = program[0] if len(program) else 0
    return buf if buf is not None and len(buf) >= size else bytearray(size)


def _run(steps, program, buf, detects):
    """Generator: returns whether all steps were acknowledged, and all that detect have matched."""
    steps.begin(program)
    view, count = memoryview(buf), 0
    while steps.next():
        size = steps.size(buf)
        into = view[count : count + size] if size else None
        if size or steps.write:
            if not (yield steps.write, into):
                return False
        if detects and size and not steps.matches(into):
            return False
        count += size
        if steps.pause_ms:
            yield steps.pause_ms
    return True
