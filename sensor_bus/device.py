"""One address of a bus at which something answers."""

from protocol import const
from sensor_bus.records import POLL
from sensor_bus.ring import Ring
from sensor_bus.status import Status

# Attempts to find out its type, before it is told to be online without one.
IDENTIFY_ATTEMPTS = const(3)


class Device(Status):
    """Args: address: with its slot.

    What most devices have as it is here takes no memory of each of them."""

    type = None  # number of its type, once it was found out
    due = None  # when the next poll, or the one that runs, is due, 100 us; None: it is not polled
    interval = 0  # of polls, 100 us
    missed = 0  # polls that could not be made in their time
    held = 0  # polls in a row in which the bus was stuck
    constants = b""
    ring = None
    job = None  # Identification, while that runs
    check = None  # when its type is looked at again, 100 us; None: it is not; ODD: now, see identify.py
    # Of the poll that runs: (until when, when that poll has begun, its place in the program, what it reads into, bytes
    # that it has read).
    pause = None

    def __init__(self, address):
        self.address = address

    @property
    def busy(self):
        """True if its polls or its identification show whether it is there, and not the scan."""
        return self.due is not None or self.job is not None and self.job.attempts < IDENTIFY_ATTEMPTS

    def set_up(self, number, records, now):
        """It is of this type, and initialised: its polls begin now."""
        self.type = number
        self.interval = records.interval_us(number) // 100
        size = records.size(number)
        if self.interval and len(records.field(number, POLL)):
            self.ring = Ring(records.samples(number), size)
            self.due = now

    def next(self):
        """Returns when its poll begins, or goes on after a pause; None: it is not polled."""
        return self.due if self.pause is None else self.pause[0]

    def end_poll(self, now):
        """The poll was made, or given up: the next one is due an interval after it."""
        self.due += self.interval
        if self.due <= now:
            late = (now - self.due) // self.interval + 1
            self.missed += late
            self.due += late * self.interval
