"""The target's end of the I2C bus, bit by bit on the nets: for movements outside a transfer that is computed whole.

Pure. Source: NXP UM10204 3.1.
"""

from sim.wires.on_board.i2c_target import NACK, READ, START, STOP
from sim.wires.pieces import Piece

_IDLE, _RECEIVING, _ACKING, _SENDING, _ACKED, _IGNORING = range(6)


class BitTarget:
    """Follows scl and sda. Before scl rises again the driver must have answered `wanted`, with `give` (on real
    hardware: clock stretching)."""

    def __init__(self, port, scl, sda):
        self.port = port
        self.scl = scl
        self.sda = sda
        self.wants = None
        self._addressed = False
        self._attached = True
        self._reset(_IDLE)
        self._scl_was, self._sda_was = scl.level, sda.level
        scl.listen(self._changed)
        sda.listen(self._changed)

    def detach(self):
        self._attached = False
        self.scl.unlisten(self._changed)
        self.sda.unlisten(self._changed)
        self._hold(None)

    def begin(self):
        """Starts a transfer that is computed whole and addresses this target."""
        self._reset(_IGNORING)
        self._addressed = True

    def end(self):
        self._reset(_IDLE)
        self._addressed = False

    def stick(self, value, bit):
        """Stops the clock permanently while the target sends bit `bit` (0: the highest) of `value`."""
        if not self._attached:
            return  # it was switched off in the middle of the transfer
        self._addressed = True
        self._state, self._shift, self._count, self._reading = _SENDING, value, bit, True
        # sda changed while scl was low; the nets stood still during the transfer, and this is no start condition.
        self._sda_was = value >> (7 - bit) & 1
        self._hold_bit()

    def _want(self, flags, data, size):
        self.wants = (flags, data, size)

    def wanted(self, limit_us):
        """Returns the Piece to be answered now, or None."""
        if self.wants is None:
            return None
        flags, data, size = self.wants
        return Piece(self.port, flags, limit_us, data, size)

    def give(self, answer):
        """Takes the answer to `wanted`."""
        flags = self.wants[0]
        self.wants = None
        if flags & STOP or flags & NACK:
            return
        if flags & START:
            if answer.moved < 0:  # REFUSED
                self._reset(_IGNORING)
                self._addressed = False
            else:
                self._hold(0)
        elif flags & READ:
            if answer.moved:
                self._state, self._shift, self._count = _SENDING, answer.data[0], 0
                self._hold_bit()
            else:
                self._reset(_IGNORING)
        elif answer.moved:
            self._hold(0)

    def _reset(self, state):
        self._state = state
        self._count = 0
        self._shift = 0
        self._is_address = False
        self._reading = False
        self._hold(None)

    def _hold(self, level):
        self.sda.drive(self.port, level)

    def _hold_bit(self):
        self._hold(None if self._shift >> (7 - self._count) & 1 else 0)

    def _changed(self, net):
        if not self._attached:
            return
        scl, sda = self.scl.level, self.sda.level
        if net is self.scl and scl != self._scl_was:
            self._scl_was = scl
            if scl:
                self._rise(sda)
            else:
                self._fall()
        elif net is self.sda and sda != self._sda_was:
            self._sda_was = sda
            if scl:
                self._start_or_stop(sda)

    def _start_or_stop(self, sda):
        if sda:
            self._reset(_IDLE)
            if self._addressed:
                self._addressed = False
                self._want(STOP, b"", 0)
        else:
            self._reset(_RECEIVING)
            self._is_address = True

    def _rise(self, sda):
        if self._state == _RECEIVING:
            self._shift = (self._shift << 1 | sda) & 0xFF
            self._count += 1
        elif self._state == _ACKED:
            self._shift = sda

    def _fall(self):
        if self._state == _RECEIVING and self._count == 8:
            self._received()
        elif self._state == _ACKING:
            self._acknowledged()
        elif self._state == _SENDING:
            self._count += 1
            if self._count < 8:
                self._hold_bit()
            else:
                self._state = _ACKED
                self._hold(None)
        elif self._state == _ACKED:
            if self._shift:
                self._reset(_IGNORING)
                self._want(NACK | READ, b"", 0)
            else:
                self._want(READ, b"", 1)

    def _received(self):
        if not self._is_address:
            self._state = _ACKING
            self._want(0, bytes((self._shift,)), 0)
        elif self._shift >> 1 == self.port.address:
            self._state = _ACKING
            self._addressed = True
            self._reading = bool(self._shift & 1)
            self._want(START | (READ if self._reading else 0), b"", 0)
        else:
            self._reset(_IGNORING)
            self._addressed = False

    def _acknowledged(self):
        self._hold(None)
        self._is_address = False
        self._count = self._shift = 0
        if self._reading:
            self._want(READ, b"", 1)
        else:
            self._state = _RECEIVING
