"""The behaviour of each device class on a board whose controller and target are joined: run by test_i2c_devices.py."""

import sys
import time
import unittest

from machine import I2CTarget, Pin, SoftI2C

from tests.i2c_devices.bed import ADDRESS, Events
from tests.i2c_devices.memory_behaviour import ExactMemoryBehaviour, MemoryBehaviour
from tests.i2c_devices.packet_behaviour import PacketBehaviour
from tests.i2c_devices.stream_behaviour import StreamBehaviour

WIRES = [("X1", "X9"), ("X2", "X10")]
SCL, SDA, TARGET = ("X1", "X2", "X") if sys.platform == "pyboard" else (5, 4, 1)


class BoardBed:
    """bed.py of tests/i2c_devices, with the stand-ins of `machine`."""

    def __init__(self, mode):
        self.i2c = SoftI2C(SCL, SDA)
        self.events = Events(I2CTarget, mode)
        self.port = self.events.port(TARGET, addr=ADDRESS)
        for pin in (SCL, SDA):
            Pin(pin, Pin.OPEN_DRAIN, Pin.PULL_UP)

    def settle(self):
        time.sleep_ms(1)
        self.events.settle()

    def pause(self, ms):
        time.sleep_ms(ms)

    def read_around(self, at, first, second, action):
        i2c = self.i2c
        i2c.start()
        i2c.write(bytes((ADDRESS << 1, at)))
        i2c.start()
        i2c.write(bytes((ADDRESS << 1 | 1,)))
        i2c.readinto(first, False)
        action()
        i2c.readinto(second, True)
        i2c.stop()

    def close(self):
        pass


class OnBoard:
    def bed(self, mode):
        return BoardBed(mode)


class TestMemory(OnBoard, MemoryBehaviour, unittest.TestCase):
    pass


class TestExactMemory(OnBoard, ExactMemoryBehaviour, unittest.TestCase):
    pass


class TestStream(OnBoard, StreamBehaviour, unittest.TestCase):
    pass


class TestPacket(OnBoard, PacketBehaviour, unittest.TestCase):
    pass


unittest.main()
