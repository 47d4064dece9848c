"""Power of the slots, switched through I/O expanders (PCA9535, TCA9535). Pure, with time as an argument.

A slot group is switched by some pins of expanders. At the start all are off for START_MS, so that each device begins
with a power-on reset. A cycle is OFF_MS off. After it comes on, a group settles for SETTLE_MS; until then its slots are
not to be used. Loaded if the configuration has `pwr`. Source of the registers: NXP PCA9535 data sheet, rev 6, 6.2.
"""

from protocol import const

START_MS = const(100)
OFF_MS = const(500)
SETTLE_MS = const(100)

_OUTPUT = const(0x02)  # register of outputs 0-7; that of 8-15 follows
_CONFIGURATION = const(0x06)  # 1: the pin is an input
_PINS = const(16)

_OFF = const(0)
_SETTLING = const(1)
_ON = const(2)


class Expander:
    """A PCA9535. Args: address: with its slot; first: number of its first virtual pin; count: of its pins."""

    def __init__(self, address, first, count):
        self.address = address
        self.first = first
        self.count = count
        self._levels = 0
        self._outputs = 0  # bit set: the pin is an output
        self._written = None  # (levels, outputs) that it has

    def set(self, pin, level):
        """Set a virtual pin, which becomes an output."""
        bit = 1 << (pin - self.first)
        self._outputs |= bit
        self._levels = self._levels | bit if level else self._levels & ~bit

    def writes(self):
        """Returns the writes (bytes) that are to be made now, in their order; () if it has what it should."""
        if self._written == (self._levels, self._outputs):
            return ()
        inputs = 0xFFFF & ~self._outputs
        return (
            bytes((_OUTPUT, self._levels & 0xFF, self._levels >> 8)),
            bytes((_CONFIGURATION, inputs & 0xFF, inputs >> 8)),
        )

    def wrote(self, done):
        """Note whether the writes were made."""
        self._written = (self._levels, self._outputs) if done else None


class _Group:
    def __init__(self, first, last, pins):
        self.first = first
        self.last = last
        self.pins = pins  # (virtual pin, level when on)
        self.state = _OFF
        self.until = None


class Power:
    """Args: groups: list of (first slot, last slot, [(virtual pin, level that is on)]); expanders: list of Expander;
    now: 100 us."""

    def __init__(self, groups, expanders, now):
        self.expanders = expanders
        self._groups = [_Group(*group) for group in groups]
        for group in self._groups:
            self._switch(group, False, now + START_MS * 10)

    def _switch(self, group, on, until):
        group.state = _SETTLING if on else _OFF
        group.until = until
        for pin, level in group.pins:
            for expander in self.expanders:
                if expander.first <= pin < expander.first + expander.count:
                    expander.set(pin, level if on else not level)

    def _group(self, slot):
        for group in self._groups:
            if group.first <= slot <= group.last:
                return group
        return None

    def switches(self, address):
        """True if this is the address of an expander."""
        return any([expander.address == address for expander in self.expanders])

    def usable(self, slot):
        """True if a slot has had power for long enough, or has no switch."""
        group = self._group(slot)
        return group is None or group.state == _ON

    def cycle(self, slot, now):
        """Switch a slot's group off, and later on again. Returns False if nothing switches it."""
        group = self._group(slot)
        if group is None:
            return False
        if group.state != _OFF:
            self._switch(group, False, now + OFF_MS * 10)
        return True

    def service(self, now):
        """Go on with what is due."""
        for group in self._groups:
            if group.state != _ON and now >= group.until:
                if group.state == _OFF:
                    self._switch(group, True, now + SETTLE_MS * 10)
                else:
                    group.state = _ON
