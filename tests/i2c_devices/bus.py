"""A bus of one memory target that can fail, and both mailbox sides on it.

`FlakyBus` is factory of the target and I2C of the controller in one. Not
realistic: an exchange takes no time, nothing happens during one, and the
target's event comes at once unless a fault says otherwise.
"""

from errno import EIO, ENODEV

from i2c_devices.mailbox_controller import FREE, MailboxController
from i2c_devices.mailbox_target import MailboxTarget
from i2c_devices.ports import TargetPort
from protocol.mailbox import ADDRESS, CONTROL, HEADER
from protocol.sequence import get16
from tests.protocol.noise import Noise

# What may happen to an exchange, and what the promise is: all of it again.
FAULTS = ("nack", "tear", "corrupt", "repeat", "lose event", "delay event", "vanish")


class FlakyBus:
    """faults: dict from step (the number of an exchange) to one of FAULTS, or
    to a function of the bus that is called before the exchange."""

    def __init__(self, faults=None):
        self.faults = faults or {}
        self.step = 0
        self.memory = None
        self.handler = None
        self._late = False

    # The target's side: machine.I2CTarget

    def target(self, addr, mem, mem_addrsize):
        self.memory = mem
        self.address = addr
        self.address_bits = mem_addrsize
        return self

    def irq(self, handler):
        self.handler = handler

    def deinit(self):
        self.memory = self.handler = None

    # The controller's side: machine.SoftI2C

    def readfrom_mem_into(self, address, at, buf, addrsize):
        fault = self._begin(address, addrsize)
        data = self._bytes(at, len(buf))
        if fault == "vanish":
            data = bytearray(b"\xff" * len(buf))  # nobody drives sda
        self._damage(fault, data)
        end = len(buf) // 2 if fault == "tear" else len(buf)
        buf[:end] = data[:end]
        self._end(fault)

    def writeto_mem(self, address, at, buf, addrsize):
        fault = self._begin(address, addrsize)
        data = bytearray(buf)
        self._damage(fault, data)
        end = len(buf) // 2 if fault == "tear" else len(buf)
        for _ in range(2 if fault == "repeat" else 1):
            if fault != "vanish":
                for i in range(end):
                    self.memory[(at + i) % len(self.memory)] = data[i]
        self._end(fault)

    def _begin(self, address, addrsize):
        fault = self.faults.get(self.step)
        self.step += 1
        if fault and fault not in FAULTS:
            fault(self)
            fault = None
        if self.memory is None or address != self.address or addrsize != self.address_bits:
            raise OSError(ENODEV)
        if fault == "nack":
            raise OSError(ENODEV)
        return fault

    def _bytes(self, at, size):
        return bytearray(self.memory[(at + i) % len(self.memory)] for i in range(size))

    def _damage(self, fault, data):
        if fault == "corrupt":
            data[self.step * 5 % len(data)] ^= 0x20

    def _end(self, fault):
        if fault == "tear":
            raise OSError(EIO)
        if self._late:
            self._late = False
            self.handler(self)
        if fault == "delay event":
            self._late = True
        elif fault != "lose event":
            self.handler(self)
            if fault == "repeat":
                self.handler(self)


class Gone(Exception):
    """The bridge was reset in the middle of an exchange."""


class Side:
    """What one side has sent and received in each epoch of the link that it has seen."""

    def __init__(self, name, count):
        self.name = name
        self._count = count
        self.epochs = []

    def begin_epoch(self):
        self.received = []
        self.epochs.append(self.received)
        self.to_send = expected(self.name, len(self.epochs), self._count)


def expected(name, epoch, count):
    """The payloads that a side sends in one of its epochs, of different lengths."""
    return [("%s%d-%d " % (name, epoch, i)).encode() + b"." * (i * 37 % 90) for i in range(count)]


class Rig:
    """Both sides, each with an adapter in small."""

    def __init__(self, faults=None, count=6, small=0):
        self._small = small
        self.bus = FlakyBus(faults)
        self.client = Side("client", count)
        self.bridge = Side("bridge", count)
        self.epochs = Noise(len(self.bus.faults) + count)
        self._turns = 0
        self._asked = True
        self.boot_client()
        self.boot_bridge()

    def urandom(self, n):
        return self.epochs.data(n)

    def boot_client(self):
        """A new epoch of the client, as after power on."""
        port = TargetPort(self.bus.target, addr=ADDRESS)
        self.target = MailboxTarget(port, get16(self.urandom(2), 0), self._wake)
        self.target.open()

    def boot_bridge(self):
        """A new epoch of the bridge, as after reset."""
        self.controller = MailboxController(self.bus, ADDRESS, self.urandom, small=self._small)
        self._synchronised = False

    def reset_bridge(self, bus):
        """As a fault: what the bridge was about to do does not happen."""
        self.boot_bridge()
        raise Gone

    def _wake(self):
        pass  # `used` is looked at in each turn

    def turn(self):
        """Each side acts once. Every fourth turn they look without being asked."""
        self._turns += 1
        slow = self._turns % 4 == 0
        try:
            self._controller_turn(slow)
        except Gone:
            pass  # the next turn is its successor's
        if self.target.used or slow:
            self.target.used = False
            self._target_turn(slow)

    def _controller_turn(self, slow):
        box = self.controller
        if slow or self._asked:
            self._asked = False
            if box.poll() and slow and box.sending:
                box.send_again()
        self._note_controller_epoch()
        if box.can_fetch() and box.fetch():
            self.bridge.received.append(bytes(box.payload))
            box.release()
        self._note_controller_epoch()
        if box.synchronised:
            if box.state == FREE and not box.sending and self.bridge.to_send:
                payload = self.bridge.to_send.pop(0)
                box.buffer[HEADER : HEADER + len(payload)] = payload
                box.send(CONTROL, 0, HEADER, len(payload))
            box.acknowledge()

    def _note_controller_epoch(self):
        if self.controller.synchronised and not self._synchronised:
            self.bridge.begin_epoch()
        self._synchronised = self.controller.synchronised

    def _target_turn(self, slow):
        box = self.target
        if box.poll():
            self.client.begin_epoch()
        for _, _, payload in box.transfers():
            self.client.received.append(bytes(payload))
        slot = box.slot()
        while slot and self.client.to_send:
            memory, at = slot
            payload = self.client.to_send.pop(0)
            memory[at : at + len(payload)] = payload
            box.offer(CONTROL, 0, len(payload))
            slot = box.slot()
        if slow:
            box.beat()
        self._asked |= box.publish()

    @property
    def done(self):
        sides = (self.client, self.bridge)
        return (
            self.target.synchronised
            and self.controller.synchronised
            and all(len(side.received) == side._count for side in sides)
            and not self.target.pending()
            and self.controller.state == FREE
            and not self.controller.sending
        )

    def run(self, turns=400):
        for _ in range(turns):
            self.turn()
            if self.client.epochs and self.bridge.epochs and self.done:
                return
        raise AssertionError("still busy after %d turns" % turns)
