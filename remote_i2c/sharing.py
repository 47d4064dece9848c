"""Shared buses by what they are: those of one text are one bus, whose callers have one order, also under two names."""

from remote_i2c.providers import same_bus
from remote_i2c.shared import SharedBus


class Sharing:
    """Args: make: function (text of providers.py, name) that returns a Bus, as make_bus does."""

    def __init__(self, make):
        self._make = make
        self._first = {}  # text of a bus -> the SharedBus that was made first

    def bus(self, spec, name, addresses, **limits):
        """Returns a SharedBus, which is not open. Args: spec: text of providers.py; name, addresses, limits: as
        SharedBus. Raises: ValueError: it names no bus, or what it needs is not installed."""
        text = same_bus(spec)
        first = self._first.get(text)
        if first is not None:
            return first.beside(addresses, name=name, **limits)
        self._first[text] = made = SharedBus(self._make(spec, name), addresses, name=name, **limits)
        return made

    def first(self, spec):
        """Returns the SharedBus that was made first of the bus of this text, or None. Raises: ValueError."""
        return self._first.get(same_bus(spec))
