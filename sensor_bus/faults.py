"""The two errors of a transaction that all of the bus tells apart. errors.py has these and those of raw requests."""

from errno import EIO, ENODEV


class NoAnswer(OSError):
    def __init__(self, address):
        super().__init__(ENODEV, "no device answers at address %x" % address)


class BusStuck(OSError):
    def __init__(self, text="a wire of the bus is held low"):
        super().__init__(EIO, text)
