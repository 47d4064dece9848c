"""A device's place on a bus: supply, wires, and the faults that concern it alone.

A `Member` is the owner of a port (sim/wires/wire.py) in both beds. Its device answers at once, also bit by bit.
"""

from sim.wires.i2c_bit_target import BitTarget
from sim.wires.on_board.i2c_target import READ, START, STOP
from sim.wires.pieces import REFUSED, Answer, Piece
from sim.wires.wire import Port

NO_LIMIT_US = 10**9


class MemberBits(BitTarget):
    """A member's end of the wires, which waits for no driver."""

    freeze_at = None  # the bit of the byte that is sent at which the controller gives up: a fault

    def _want(self, flags, data, size):
        self.wants = (flags, data, size)
        self.give(self.port.owner.answer_bits(Piece(self.port, flags, NO_LIMIT_US, data, size)))

    def _hold_bit(self):
        super()._hold_bit()
        if self._count == self.freeze_at:
            self.freeze_at = None
            self.port.owner.gives_up()


class Member:
    """A device with an address, at a place. Made by `SensorWorld.add`; what tests call is there and here.

    `plugged`: it is in its place; `powered`: and has its supply; `slot`: the place, 0 is the bus itself.
    """

    def __init__(self, world, device, name, address, slot):
        self.world = world
        self.device = device
        self.name = name
        self.address = address
        self.slot = slot
        self.segment = None  # while plugged
        self.plugged = self.powered = False
        self.port = Port(self, address)
        self.port.may_refuse = True
        self.history = []  # (time, slot or None): where it was, with power, from then on
        self.starts = 0  # how often it was addressed
        self.refusals = 0  # addresses that it is still to refuse: a fault
        self.refused_bytes = 0  # bytes of writes that it is still to refuse: a fault
        self.stick_at = None  # the bit of its next answer at which it is to get stuck: a fault
        self.stuck_value = None  # what the byte of that bit is then
        self._listening = False
        self._sent = 0  # bytes, since it was addressed

    def __repr__(self):
        return f"<{self.name}: {type(self.device).__name__} at {self.address:#x}, slot {self.slot}>"

    # Called by tests, at any time.

    def plug(self, slot=None):
        """Puts it into its place, or into another one."""
        self.world.plug(self, slot)

    def unplug(self):
        self.world.unplug(self)

    def brown_out(self):
        """Its supply fails for a moment: its registers are reset, and it releases the wires."""
        if self.powered:
            self._switch(False)
            self._switch(True)

    def nack(self, times=1):
        """It does not acknowledge its address, so many times."""
        self.refusals = times

    def nack_bytes(self, times=1):
        """It does not acknowledge a byte that is written to it, so many times."""
        self.refused_bytes = times

    def stick_sda(self, bit, value=None):
        """Its next answer with so many bits stops at this one, counted from 0: the controller gives up (ETIMEDOUT), and
        the device holds sda low in it, until it is clocked out or loses power.

        Args: value: what it sends in this byte (default: the byte itself); the bit is made 0.
        """
        self.stick_at, self.stuck_value = bit, value

    def value(self, name, when):
        """Returns what it should measure at a time."""
        return self.device.value(name, when)

    def place(self, when):
        """Returns the slot in which it was at a time, with power, or None."""
        place = None
        for begin, slot in self.history:
            if begin > when:
                break
            place = slot
        return place

    # Called by the world.

    def supply(self, on):
        """Gives or takes its supply."""
        if on != self.powered:
            self._switch(on)

    def _switch(self, on):
        now = self.world.clock()
        self.powered = on
        self._listening = False
        self.history.append((now, self.slot if on else None))
        if on:
            self.port.bits = MemberBits(self.port, self.segment.scl, self.segment.sda)
            self.device.power_on(now)
            self.segment.enter(self)
        else:
            self.segment.leave(self)
            self.port.bits.detach()
            self.device.power_off(now)

    def forget_transfer(self):
        """It takes no further part in the present transfer."""
        self._listening = False

    def reset_wires(self):
        """Its I2C logic is reset: it releases the wires."""
        self._listening = False
        if self.powered:
            self.port.bits.end()

    # The bus: whole.

    def accept(self, read, now):
        """A start with its address. Returns whether it acknowledges it."""
        self.starts += 1
        self._sent = 0
        if self.refusals:
            self.refusals -= 1
            self._listening = False
        else:
            self._listening = self.powered and self.segment.reachable and self.device.start(read, now)
        return self._listening

    def take(self, data):
        """Returns how many of the bytes it acknowledges."""
        if not self._listening:
            return 0
        receive = self.device.receive
        for count, value in enumerate(data):
            if self.refused_bytes:
                self.refused_bytes -= 1
                return count
            if not receive(value) or not self._listening:  # a byte may have switched it off
                return count
        return len(data)

    def give(self, size):
        """Returns its bytes; ones if it has lost power since it was addressed."""
        self._sent += size
        return self.device.send_bytes(size) if self._listening else b"\xff" * size

    def end(self, now):
        """A stop."""
        if self._listening:
            self._listening = False
            self.device.stop(now)

    def answer(self, piece):
        """Returns the answer to a piece of a transfer that is computed whole."""
        flags = piece.flags
        if flags & START and not self.accept(bool(flags & READ), self.world.clock()):
            return REFUSED
        if flags & READ:
            answer = self._answer_read(piece.size)
        else:
            answer = Answer(True, self.take(piece.data), 0, b"")
        if flags & STOP and answer.ok:
            self.end(self.world.clock())
        return answer

    def _answer_read(self, size):
        before = self._sent
        data = self.give(size)
        index, bit = divmod(self.stick_at, 8) if self.stick_at is not None else (-1, 0)
        if not self._listening or not before <= index < before + size:
            return Answer(True, size, 0, data)
        index -= before
        self.port.bits.stick(self._stuck_byte(data[index], bit), bit)
        return Answer(False, index, 0, data[:index])

    def _stuck_byte(self, value, bit):
        value = value if self.stuck_value is None else self.stuck_value
        self.stick_at = self.stuck_value = None
        return value & ~(0x80 >> bit)

    async def ask(self, piece):
        return self.answer(piece)

    def ask_later(self, piece):
        self.answer(piece)

    def vanish(self):
        """Nothing waits for it."""

    # The bus: bit by bit.

    def answer_bits(self, piece):
        if not piece.flags & READ or not piece.size or self.stick_at is None or not self._listening:
            return self.answer(piece)
        index, bit = divmod(self.stick_at, 8)
        if self._sent != index:
            return Answer(True, 1, 0, self.give(1))
        value = self._stuck_byte(self.give(1)[0], bit)
        self.port.bits.freeze_at = bit
        return Answer(True, 1, 0, bytes((value,)))

    def gives_up(self):
        self.world.bus.gives_up = True
