"""Power of the slots, switched through I/O expanders (PCA9535, TCA9535). Time is an argument.

Each slot has pins of expanders of its own, one for each voltage; slots that share a pin are switched together, as a
group. At the start all are off for START_MS, so that each device begins with a power-on reset. A cycle is OFF_MS off.
After it comes on, a group settles for SETTLE_MS; until then its slots are not to be used. These times count from when
an expander has acknowledged. It is read again each CHECK_MS: one that has lost its settings was without power, and so
were its groups, which are then switched on as at the start. Loaded if the configuration has expanders or slotControl.
Source of the registers: NXP PCA9535 data sheet, rev 6, 6.2.
"""

from protocol import const

START_MS = const(100)
OFF_MS = const(500)
SETTLE_MS = const(100)
CHECK_MS = const(1000)
AGAIN_MS = const(20)  # after a write or a read that has failed

_OUTPUT = const(0x02)  # register of outputs 0-7; that of 8-15 follows
_CONFIGURATION = const(0x06)  # 1: the pin is an input
_READ_CONFIGURATION = b"\x06"

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
        self.due = 0  # when it is to be read, or asked again if it has failed
        self.failed = False  # it has not acknowledged: what its groups have is not known
        self.buf = bytearray(2)

    def has(self, pin):
        """Returns whether a virtual pin is one of this expander's."""
        return self.first <= pin < self.first + self.count

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

    def is_reset(self):
        """Returns whether `buf`, its configuration as it was read, is not what was written."""
        return self.buf[0] | self.buf[1] << 8 != 0xFFFF & ~self._outputs

    def wrote(self, done):
        """Note whether the writes were made."""
        self._written = (self._levels, self._outputs) if done else None


class _Group:
    def __init__(self, slots, pins):
        self.slots = slots
        self.pins = pins  # (virtual pin, level while on, level while off)
        self.state = _OFF
        self.units = 0  # 100 us: how long it is to be off, or to settle
        self.until = None


class Power:
    """Args: groups, serial: as in Config; expanders: list of Expander; now: 100 us."""

    def __init__(self, groups, expanders, now, serial=()):
        self.expanders = expanders
        self.serving = False  # an expander is spoken to, which needs no power that it switches
        self._groups = [_Group(*group) for group in groups]
        self._serial = [one[0] for one in serial if one[0]]  # slots that are no part of the bus
        for _, pin, level in serial:
            self._set(pin, level)
        for group in self._groups:
            self._switch(group, False, START_MS * 10, now)

    def _set(self, pin, level):
        for expander in self.expanders:
            if expander.has(pin):
                expander.set(pin, level)

    def _switch(self, group, on, units, now):
        group.state = _SETTLING if on else _OFF
        group.units = units
        group.until = now + units
        for pin, when_on, when_off in group.pins:
            self._set(pin, when_on if on else when_off)

    def _of(self, group):
        """Returns the expanders (list) that switch a group."""
        return [one for one in self.expanders if any([one.has(pin[0]) for pin in group.pins])]

    def _group(self, slot):
        for group in self._groups:
            if slot in group.slots:
                return group
        return None

    def switches(self, address):
        """True if this is the address of an expander."""
        return any([expander.address == address for expander in self.expanders])

    def usable(self, slot):
        """True if a slot is for I2C, and it has had power for long enough. One without a switch has the main bus's."""
        group = self._group(slot) or self._group(0)
        return slot not in self._serial and (group is None or group.state == _ON)

    def cycle(self, slot, now):
        """Switch a slot's group off, and later on again. Returns False if nothing switches it."""
        group = self._group(slot)
        if group is None:
            return False
        if group.state != _OFF:
            self._switch(group, False, OFF_MS * 10, now)
        return True

    def service(self, now):
        """Go on with what is due."""
        for group in self._groups:
            if group.state != _ON and now >= group.until and not any([one.failed for one in self._of(group)]):
                if group.state == _OFF:
                    self._switch(group, True, SETTLE_MS * 10, now)
                else:
                    group.state = _ON

    async def serve(self, access, now):
        """Go on with what is due, and have the expanders do it. Args: access: Access; now: 100 us."""
        self.service(now)
        for expander in self.expanders:
            if now >= expander.due or not expander.failed and expander.writes():
                self.serving = True
                try:
                    await self._serve(expander, access, now)
                except OSError:
                    expander.failed = True
                    expander.due = now + AGAIN_MS * 10
                finally:
                    self.serving = False

    async def _serve(self, expander, access, now):
        groups = [group for group in self._groups if expander in self._of(group)]
        if expander.failed or not expander.writes():
            await access.transfer(expander.address, _READ_CONFIGURATION, expander.buf)
            if expander.is_reset():
                expander.wrote(False)
                for group in groups:
                    self._switch(group, False, START_MS * 10, now)
        writes = expander.writes()
        if writes:
            expander.wrote(False)  # until all are made
            for write in writes:
                await access.transfer(expander.address, write)
            expander.wrote(True)
            for group in groups:
                group.until = now + group.units
        expander.failed = False
        expander.due = now + CHECK_MS * 10
