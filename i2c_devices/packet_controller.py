"""A packet device as the I2C controller sees it (`packet_target.py` is the device)."""

from i2c_devices.device_controller import DeviceController
from i2c_devices.device_waits import SILENT_MS
from protocol.device import PACKET
from protocol.sequence import diff8

POLL_MS = 10


class PacketController(DeviceController):
    """The controller of a packet device. Arguments and exceptions are those of StreamController."""

    def __init__(self, i2c, address, *, interval_ms=POLL_MS, timeout_ms=SILENT_MS):
        super().__init__(i2c, address, PACKET, interval_ms, timeout_ms)
        self._packet = None  # fetched, and not received

    @property
    def max_packet(self):
        """Bytes of the longest packet; 0 until the device has answered."""
        return self.max_payload

    def any(self):
        """Packets that wait at the device, as far as is known; looks if it knows of none."""
        if not self._waiting():
            self._raise_fault()
            self.poll()
            self._raise_fault()
        return self._waiting()

    def recv_nowait(self):
        """The next packet, bytes, or None."""
        if not self._readable():
            return None
        packet = self._packet
        self._packet = None
        return packet

    def send_nowait(self, packet):
        """Write a packet. False if there is no room now; `flush` tells when the device has taken it.

        Raises ValueError for one that is empty or longer than the device takes.
        """
        self._raise_write_fault()
        if not len(packet):
            raise ValueError("a packet has at least 1 byte")
        ready = self._can_send()
        self._raise_write_fault()
        if self.max_payload and len(packet) > self.max_payload:
            raise ValueError("a packet has 1..%d bytes, not %d" % (self.max_payload, len(packet)))
        if not ready:
            return False
        at = self._payload_at
        self._box.view[at : at + len(packet)] = packet
        self._send(len(packet))
        return True

    async def recv(self):
        """Wait for the next packet. One task at a time. For a time-out: around `readable`, then `recv_nowait`."""
        return await self._wait(self._rx_flag, self.recv_nowait)

    async def send(self, packet):
        """Wait for room, write the packet, and wait until the device has taken it. One task at a time."""
        sent = False

        def done():
            nonlocal sent
            sent = sent or self.send_nowait(packet)
            return sent and self.flush()

        await self._wait(self._tx_flag, done)  # in one: a second wait might not find the memory to begin

    def _readable(self):
        if self._packet is None:
            self._raise_fault()
            if not self._fetch():
                self._raise_fault()
                return False
            self._packet = bytes(self._payload())
            self._done()
        return True

    def _discard(self):
        self._packet = None

    def _waiting(self):
        """Packets that were fetched, and that STATUS announced and have not been fetched since."""
        box = self._box
        fetched = self._packet is not None
        if box is None or not box.synchronised:
            return int(fetched)
        return fetched + max(0, box.status.available - diff8(box.next, box.status.base))
