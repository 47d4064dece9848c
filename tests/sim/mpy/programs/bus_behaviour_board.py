"""The behaviour of a sensor bus on a board: run by test_sensor_bus.py, which obeys the lines that begin with "@"."""

import asyncio
import json
import sys
import time
import unittest

import sensor_types
from machine import I2C, Pin

from sensor_bus.bus import SensorBus
from sensor_bus.port import MachineI2C
from sensor_bus.records import Records
from tests.sensor_bus.bus_behaviour import FaultBehaviour, FindingBehaviour, SlotBehaviour, UseBehaviour
from tests.sensor_bus.watch import Watch

BUS, SCL, SDA = (2, "Y9", "Y10") if sys.platform == "pyboard" else (1, "GP7", "GP6")
MARKER = 0x27  # a device that is there once all lines before it were obeyed


def say(*command):
    print("@" + json.dumps(command))


class Member:
    """A device of the bed's, by its name: what sim/wires/sensors/member.py has, as lines."""

    def __init__(self, name):
        self.name = name

    def plug(self, slot=None):
        say("plug", self.name, slot)

    def unplug(self):
        say("unplug", self.name)

    def nack(self, times=1):
        say("nack", self.name, times)

    def stick_sda(self, bit, value=None):
        say("stick_sda", self.name, bit, value)


class BoardRig(Watch):
    patience = 20  # real time, on a machine that may be slow

    def __init__(self, config=None):
        super().__init__()
        self.records = Records(sensor_types.TYPES)
        self._config = config or {}
        self._begin = time.ticks_ms()
        self._count = 0
        say("clear")

    def now(self):
        return time.ticks_diff(time.ticks_ms(), self._begin) / 1000

    def make(self):
        return I2C(BUS, timeout=20000)

    def add(self, type, address=None, slot=0, **options):
        name = "%s %d" % (type, self._count)
        self._count += 1
        say("add", name, type, address, slot, options)
        return Member(name)

    def hold_sda(self, slot, held):
        say("hold_sda", slot, held)

    def run(self, program):
        i2c = self.make()
        for command, there in (("mark", True), ("unmark", False)):
            say(command)
            while (MARKER in i2c.scan()) != there:
                time.sleep_ms(10)
        self.bus = SensorBus(
            MachineI2C(self.make(), scl=Pin(SCL), sda=Pin(SDA), make=self.make), self.records, self._config
        )
        asyncio.new_event_loop()
        asyncio.run(self.watch(program))


class OnBoard:
    def rig(self, config=None):
        return BoardRig(config)


class TestFinding(OnBoard, FindingBehaviour, unittest.TestCase):
    pass


class TestSlots(OnBoard, SlotBehaviour, unittest.TestCase):
    pass


class TestFaults(OnBoard, FaultBehaviour, unittest.TestCase):
    pass


class TestUse(OnBoard, UseBehaviour, unittest.TestCase):
    pass


unittest.main()
