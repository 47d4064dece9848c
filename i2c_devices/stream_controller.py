"""A stream device as the I2C controller sees it (`stream_target.py` is the device)."""

from i2c_devices.device_controller import DeviceController
from i2c_devices.device_waits import SILENT_MS
from primitives.fifo import Fifo, as_bytes
from protocol.device import STREAM

POLL_MS = 10


class StreamController(DeviceController):
    """The controller of a stream device.

    Args:
    i2c: machine.I2C, machine.SoftI2C or smbus_i2c.SMBusI2C.
    address: of the target, 7 bits.
    interval_ms, timeout_ms: as of DeviceController.

    Raises ValueError in any call if the device is of another kind, OSError (ECONNRESET) after it has begun anew. A
    call that waits raises OSError (ETIMEDOUT) if nothing answers for timeout_ms.
    """

    def __init__(self, i2c, address, *, interval_ms=POLL_MS, timeout_ms=SILENT_MS):
        super().__init__(i2c, address, STREAM, interval_ms, timeout_ms)
        self._rx = None  # Fifo of max_payload bytes

    def any(self):
        """Bytes that can be read: at least these."""
        self._readable()
        return len(self._rx) if self._rx else 0

    def read(self, n=-1):
        """At most n bytes, or all that have been fetched; None if there are none."""
        if n == 0:
            return b""
        return self._rx.read(n) if self._readable() else None

    def readinto(self, buf):
        """Fill buf as far as there are bytes. Returns their number; None if there are none."""
        return self._rx.readinto(buf) if self._readable() else None

    def readline(self):
        """The bytes to the next newline and with it, or all that there are; None if there are none."""
        return self._rx.read(self._rx.line()) if self._readable() else None

    def write(self, data):
        """Send what there is room for, at most max_payload bytes; `flush` tells when the device has taken them.

        Returns: the number of bytes; None if there is no room now.
        """
        self._raise_write_fault()
        data = as_bytes(data)
        if not len(data):
            return 0
        ready = self._can_send()
        self._raise_write_fault()
        if not ready:
            return None
        box = self._box
        n = min(len(data), box.status.room, self.max_payload)
        at = self._payload_at
        box.view[at : at + n] = memoryview(data)[:n]
        self._send(n)
        return n

    def _readable(self):
        """True if there is something to read; fetches if not."""
        if self._rx is not None and len(self._rx):
            return True
        self._raise_fault()
        if not self._fetch():
            self._raise_fault()
            return False
        if self._rx is None or self._rx.size < self.max_payload:
            self._rx = Fifo(self.max_payload)
        self._rx.put(self._payload())
        self._done()
        return True

    def _discard(self):
        self._rx = None
