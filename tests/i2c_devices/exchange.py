"""A stream or packet device and its controller on a bus that fails, and what they exchange.

No time passes: every call looks, and whatever waits for a time-out has had it.
"""

from i2c_devices.packet_controller import PacketController
from i2c_devices.packet_target import PacketTarget
from i2c_devices.port_table import STM32
from i2c_devices.ports import TargetPort
from i2c_devices.stream_controller import StreamController
from i2c_devices.stream_target import StreamTarget
from tests.i2c_devices.bus import FlakyBus

ADDRESS = 0x33


class Exchange:
    """Args: faults: as of FlakyBus; up, down: what is sent to the target and to the controller; reads: bytes a read."""

    def __init__(self, faults, up, down, reads):
        self.bus = FlakyBus(faults)
        port = TargetPort(self.bus.target, addr=ADDRESS, port=STM32)
        self.target = self.make_target(port)
        self.target._look.ms = self.target._stall.ms = 0
        self.target.open()
        self.controller = self.make_controller(self.bus)
        self.controller._rewrite.ms = 0
        self.up, self.down = list(up), list(down)
        self.reads = reads
        self.at_target, self.at_controller = [], []

    def turn(self):
        """Each side does one thing of each kind."""
        if self.up and self.send(self.controller, self.up):
            pass
        if self.down and self.send(self.target, self.down):
            pass
        for side, arrived in ((self.target, self.at_target), (self.controller, self.at_controller)):
            item = self.receive(side)
            if item:
                arrived.append(item)

    def run(self, turns=3000):
        """Until everything is there and confirmed."""
        for _ in range(turns):
            self.turn()
            if not self.up and not self.down and self.controller.flush() and self.target.flush():
                if not self.controller.poll():
                    continue
                for side, arrived in ((self.target, self.at_target), (self.controller, self.at_controller)):
                    while True:
                        item = self.receive(side)
                        if not item:
                            break
                        arrived.append(item)
                if self.target.flush() and self.controller.flush():
                    return self
        raise AssertionError("still busy after %d turns" % turns)


class StreamExchange(Exchange):
    """up and down are bytes."""

    def __init__(self, faults, up, down, reads=30, sizes=(40, 40)):
        self._sizes = sizes
        super().__init__(faults, [up] if up else (), [down] if down else (), reads)

    def make_target(self, port):
        return StreamTarget(port, *self._sizes, life=5)

    def make_controller(self, i2c):
        return StreamController(i2c, ADDRESS)

    def send(self, side, items):
        n = side.write(items[0]) or 0
        items[0] = items[0][n:]
        if not items[0]:
            items.pop()

    def receive(self, side):
        return side.read(self.reads)

    def result(self):
        return b"".join(self.at_target), b"".join(self.at_controller)


class PacketExchange(Exchange):
    """up and down are lists of packets."""

    def __init__(self, faults, up, down, queues=(2, 2)):
        self._queues = queues
        super().__init__(faults, up, down, 0)

    def make_target(self, port):
        return PacketTarget(port, 50, *self._queues, life=5)

    def make_controller(self, i2c):
        return PacketController(i2c, ADDRESS)

    def send(self, side, items):
        if side.send_nowait(items[0]):
            items.pop(0)

    def receive(self, side):
        return side.recv_nowait()

    def result(self):
        return self.at_target, self.at_controller
