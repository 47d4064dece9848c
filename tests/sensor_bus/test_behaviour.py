"""The behaviour of a sensor bus on the virtual bed. tests/sim/mpy/test_sensor_bus.py has the same on boards."""

import unittest

from tests.sensor_bus.bus_behaviour import FaultBehaviour, FindingBehaviour, SlotBehaviour, UseBehaviour
from tests.sensor_bus.bus_rig import BusRig

MICROPYTHON = False
MICROPYTHON_REASON = "plays the bus on the virtual bed; tests/sim/mpy/test_sensor_bus.py has the same on boards"


class OnVirtualBed:
    def rig(self, config=None):
        return BusRig(config)


class TestFinding(OnVirtualBed, FindingBehaviour, unittest.TestCase):
    pass


class TestSlots(OnVirtualBed, SlotBehaviour, unittest.TestCase):
    pass


class TestFaults(OnVirtualBed, FaultBehaviour, unittest.TestCase):
    pass


class TestUse(OnVirtualBed, UseBehaviour, unittest.TestCase):
    pass


if __name__ == "__main__":
    unittest.main()
