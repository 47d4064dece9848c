"""A stream device: a first-in-first-out buffer each way, which feels like a UART that loses nothing.

    stream = StreamTarget(TargetPort(I2CTarget, "X", addr=0x20))
    stream.open()
    reader = asyncio.StreamReader(stream)  # or poll it, or call read() and write(), which never wait

Bytes that the controller has read stay until its next write confirms them; bytes that it writes carry a number, so
that a repetition is not taken twice and a torn write not at all. It may write as many bytes as STATUS says there is
room for, so nothing can overflow.
"""

from i2c_devices.device_target import DeviceTarget, validate_capacity
from i2c_devices.device_waits import SILENT_MS
from primitives.fifo import Fifo, as_bytes
from protocol.device import MAX_PAYLOAD, STREAM

# The smaller max_payload, the more of the wire goes into headers: 16 bytes of 60.
MIN_PAYLOAD = 16


class StreamTarget(DeviceTarget):
    """A stream device.

    Args:
    port: i2c_devices.ports.TargetPort.
    rxbuf, txbuf: bytes towards the application, and towards the controller.
        A transfer has at most half of the larger one, 16..1,024 bytes: max_payload;
        memory in all: rxbuf + txbuf + 8 * max_payload + about 2 KB.
    life: random number 1..65535 that differs from that of the last run.
        None: from os.urandom.
    pin: Pin, which `open` makes an output, or function of a level: pulsed
        low when the controller should look.
    timeout_ms: a call that waits although the device was never opened raises
        OSError (ETIMEDOUT) after so long; None: never.

    It does not open itself.
    """

    def __init__(self, port, rxbuf=256, txbuf=256, *, life=None, pin=None, timeout_ms=SILENT_MS):
        validate_capacity("rxbuf", rxbuf)
        validate_capacity("txbuf", txbuf)
        self._rx = Fifo(rxbuf)
        self._tx = Fifo(txbuf)
        self._offered = 0  # bytes of `_tx` that are in the mailbox
        max_payload = min(MAX_PAYLOAD, max(MIN_PAYLOAD, rxbuf // 2, txbuf // 2))
        super().__init__(port, STREAM, max_payload, rxbuf, txbuf, life, pin, timeout_ms)

    # What the application calls: nothing of it waits

    def any(self):
        """Bytes that can be read."""
        self.service()
        return len(self._rx)

    def read(self, n=-1):
        """At most n bytes, or all that there are; None if there are none."""
        if n == 0:
            return b""
        self._enter()
        try:
            return self._rx.read(n) or None
        finally:
            self._end()

    def readinto(self, buf, n=None):
        """Fill buf, or n bytes of it, as far as there are bytes. Returns their number; None if there are none."""
        self._enter()
        try:
            return self._rx.readinto(buf if n is None else memoryview(buf)[:n]) or None
        finally:
            self._end()

    def readline(self):
        """The bytes to the next newline and with it, or all that there are; None if there are none."""
        self._enter()
        try:
            return self.read(self._rx.line()) or None
        finally:
            self._leave()

    def write(self, data):
        """Append what finds room of bytes or a str. Returns the number of bytes; None if there is no room."""
        data = as_bytes(data)
        if not len(data):
            return 0
        self._enter()
        try:
            return self._tx.put(data) or None
        finally:
            self._end()

    def flush(self):
        """True if the controller has confirmed everything."""
        self.service()
        return not len(self._tx)

    # What DeviceTarget calls

    def _readable(self):
        return self.any() > 0

    def _writable(self):
        self.service()
        return self._tx.room > 0

    def _forget(self):
        super()._forget()
        self._offered = 0

    def _fits(self, n):
        return n <= self._rx.room

    def _keep(self, payload):
        self._rx.put(payload)
        self._box.accept()

    def _offer(self):
        while len(self._tx) > self._offered:
            slot = self._box.slot()
            if slot is None:
                return
            n = min(self._max_payload, len(self._tx) - self._offered)
            self._tx.copy_into(slot[0], slot[1], self._offered, n)
            self._box.offer(0, 0, n)
            self._offered += n

    def _confirm(self, number):
        n = self._box.status.length(number)
        self._tx.drop(n)
        self._offered -= n

    def _levels(self):
        return len(self._tx), self._rx.room
