"""A bus with sensors, a controller on it, and a clock that goes on by itself only during transfers."""

from errno import ENODEV

import pytest

from sim.wires.nets import Net
from sim.wires.pieces import Pause
from sim.wires.sensors.bus import SensorBus
from sim.wires.sensors.world import SensorWorld
from sim.wires.wire import Controller

WHOLE_AND_BITS = pytest.mark.parametrize("bits", [False, True], ids=["whole", "bits"])


class Rig:
    def __init__(self, bits=False, chunk_bytes=None):
        self.now = 0.0
        self.scl, self.sda = Net("scl", pull_up=True), Net("sda", pull_up=True)
        self.bus = SensorBus(self.scl, self.sda, chunk_bytes)
        self.bus.expand_bits = bits
        self.sensors = SensorWorld(self.bus, lambda: self.now)
        self.controller = Controller(self.bus, "controller")
        self.at_us = []  # (microseconds, callback) within the next transfer

    def add(self, *args, ready=True, **options):
        """Adds a device. Lets time pass until it can be reached."""
        member = self.sensors.add(*args, **options)
        self.now += 0.1 if ready else 0
        return member

    def run(self, transfer):
        """Runs a transfer. Returns its Result."""
        reply, begin = None, self.now
        while True:
            try:
                step = transfer.send(reply)
            except StopIteration as end:
                return end.value
            if isinstance(step, Pause):
                self.now += step.us / 1e6
                reply = None
                while self.at_us and self.at_us[0][0] <= (self.now - begin) * 1e6:
                    self.at_us.pop(0)[1]()
            else:
                reply = step.port.owner.answer(step)

    def write(self, address, data, stop=True):
        """Returns how many bytes were acknowledged, or an errno below 0."""
        result = self.run(self.controller.write(address, bytes(data), stop))
        return -result.errno if result.errno else result.acks

    def read(self, address, size):
        """Returns the bytes, or an errno below 0."""
        result = self.run(self.controller.read(address, size))
        return -result.errno if result.errno else result.data

    def registers(self, address, register, size):
        """Returns what is in registers."""
        assert self.write(address, register if type(register) is bytes else bytes((register,)), False) > 0
        return self.read(address, size)

    def put(self, address, *data):
        assert self.write(address, bytes(data)) == len(data)

    def answers(self, address):
        acks = self.write(address, b"")
        assert acks in (0, -ENODEV)
        return acks == 0

    def wait(self, seconds):
        self.now += seconds
