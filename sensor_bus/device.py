"""One address of a bus at which something answers."""

from protocol import const
from sensor_bus.ring import Ring
from sensor_bus.status import Status
from sensor_bus.steps import Steps

# Attempts to find out its type, before it is told to be online without one.
IDENTIFY_ATTEMPTS = const(3)


class Device:
    """Args: address: with its slot; offline_after: failures in a row, None: as status.py has it."""

    def __init__(self, address, offline_after=None):
        self.address = address
        self.type = None  # number of its type, once it was found out
        self.status = Status(offline_after)
        self.due = None  # when the next poll, or the rest of one, is due, 100 us; None: it is not polled
        self.planned = None  # what `due` was at the begin of the poll that runs
        self.interval = 0  # of polls, 100 us
        self.missed = 0  # polls that could not be made in their time
        self.constants = b""
        self.ring = None
        self.job = None  # its identification, while that runs
        self.resume = 0  # when that goes on
        self.wanted = None  # (bytes, buffer) of its next transaction
        self.attempts = 0  # identifications that have failed
        self.time = None  # when the poll that runs has begun; None: none runs
        self.count = 0  # bytes that it has read
        self.buf = self.view = self.steps = None

    @property
    def busy(self):
        """True if its polls or its identification show whether it is there, and not the scan."""
        return self.due is not None or self.job is not None and self.attempts < IDENTIFY_ATTEMPTS

    def set_up(self, number, records, now):
        """It is of this type, and initialised: its polls begin now."""
        self.type = number
        self.interval = records.interval_us(number) // 100
        program = records.poll(number)
        if self.interval and len(program):
            self.buf = bytearray(records.size(number))
            self.view = memoryview(self.buf)
            self.steps = Steps(program)
            self.keep(records.samples(number))
            self.due = now

    def keep(self, samples):
        """Keep so many samples from now on. What was kept is gone."""
        self.ring = Ring(samples, len(self.buf))

    def begin_poll(self, program, now):
        self.steps.begin(program)
        self.time = now
        self.count = 0

    def end_poll(self, now):
        """The poll was made, or given up: the next one is due an interval after it."""
        self.time = None
        self.due += self.interval
        if self.due <= now:
            late = (now - self.due) // self.interval + 1
            self.missed += late
            self.due += late * self.interval
