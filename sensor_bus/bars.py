"""Addresses that are to be left alone for a time. Pure."""

from protocol import const
from sensor_bus.address import join

MAX_BARRED = const(50)


class Bars:
    def __init__(self):
        self._until = {}  # address -> until when

    def set(self, address, units, now):
        """Bar an address for a time, or no longer (0). Args: units: 100 us. Raises: ValueError."""
        join(address & 0xFF, address >> 8)
        if units < 0:
            raise ValueError("a device cannot be barred for a negative time")
        self._until = {one: until for one, until in self._until.items() if until > now and one != address}
        if units:
            if len(self._until) >= MAX_BARRED:
                raise ValueError("%d addresses are barred already" % MAX_BARRED)
            self._until[address] = now + units

    def has(self, address, now):
        """Returns whether an address is barred now."""
        return bool(self._until) and self._until.get(address, 0) > now
