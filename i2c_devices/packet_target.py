"""A packet device: whole packets each way, in bounded queues.

    device = PacketTarget(TargetPort(I2CTarget, "X", addr=0x21), max_packet=64)
    device.open()
    packet = await device.recv()
    await device.send(b"answer")

A packet arrives whole or not at all, once, in order. The number that waits for the controller, and the number that it
may send, are announced in STATUS.
"""

from i2c_devices.device_target import DeviceTarget, validate_capacity
from i2c_devices.device_waits import SILENT_MS
from protocol.device import MAX_PAYLOAD, PACKET


class PacketTarget(DeviceTarget):
    """A packet device.

    Args:
    port: i2c_devices.ports.TargetPort.
    max_packet: bytes of the longest packet, 1..1,024.
    rx_queue, tx_queue: packets that wait for the application, and for the controller.
    on_packet: function (packet), called in place of queueing, from any call of
        the application, or from a scheduled callback: between any two of its
        bytecodes. packet is a memoryview, valid during the call.
    life, pin: as of StreamTarget.

    It does not open itself.
    """

    def __init__(
        self, port, max_packet=64, rx_queue=4, tx_queue=4, *, on_packet=None, life=None, pin=None, timeout_ms=SILENT_MS
    ):
        if not 1 <= max_packet <= MAX_PAYLOAD:
            raise ValueError("max_packet must be 1..%d, not %r" % (MAX_PAYLOAD, max_packet))
        validate_capacity("rx_queue", rx_queue)
        validate_capacity("tx_queue", tx_queue)
        self.max_packet = max_packet
        self._rx = []
        self._tx = []
        self._rx_queue = rx_queue
        self._tx_queue = tx_queue
        self._offered = 0  # packets of `_tx` that are in the mailbox
        self._on_packet = on_packet
        super().__init__(port, PACKET, max_packet, rx_queue, tx_queue, life, pin, timeout_ms)

    # What the application calls

    def any(self):
        """Packets that can be received."""
        self.service()
        return len(self._rx)

    def recv_nowait(self):
        """The oldest packet, bytes, or None."""
        self._enter()
        try:
            return self._rx.pop(0) if self._rx else None
        finally:
            self._end()

    def send_nowait(self, packet):
        """Queue a packet for the controller. False if the queue is full.

        Raises ValueError for one that is empty or longer than max_packet.
        """
        if not 1 <= len(packet) <= self.max_packet:
            raise ValueError("a packet has 1..%d bytes, not %d" % (self.max_packet, len(packet)))
        packet = bytes(packet)
        self._enter()
        try:
            if len(self._tx) >= self._tx_queue:
                return False
            self._tx.append(packet)
            return True
        finally:
            self._end()

    async def recv(self):
        """Wait for the next packet. One task at a time. For a time-out: around `readable`, then `recv_nowait`."""
        await self.readable()
        return self.recv_nowait()

    async def send(self, packet):
        """Wait for a place in the queue and put the packet there. One task at a time."""
        while not self.send_nowait(packet):
            await self.writable()

    def flush(self):
        """True if the controller has confirmed every packet."""
        self.service()
        return not self._tx

    # What DeviceTarget calls

    def _readable(self):
        return self.any() > 0

    def _writable(self):
        self.service()
        return len(self._tx) < self._tx_queue

    def _forget(self):
        super()._forget()
        self._offered = 0

    def _fits(self, n):
        return len(self._rx) < self._rx_queue

    def _keep(self, payload):
        if self._on_packet is None:
            self._rx.append(bytes(payload))
            self._box.accept()
        else:
            self._box.accept()  # what the function makes of it is its own
            self._on_packet(payload)

    def _offer(self):
        while len(self._tx) > self._offered:
            slot = self._box.slot()
            if slot is None:
                return
            packet = self._tx[self._offered]
            slot[0][slot[1] : slot[1] + len(packet)] = packet
            self._box.offer(0, 0, len(packet))
            self._offered += 1

    def _confirm(self, number):
        self._tx.pop(0)
        self._offered -= 1

    def _levels(self):
        return len(self._tx), self._rx_queue - len(self._rx)
