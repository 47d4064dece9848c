"""Modules that go again, and those for which there was no memory."""

import sys
import unittest

from sensor_bus.loading import forget, half_loaded

MICROPYTHON_HERE = sys.implementation.name == "micropython"
NAME = "sensor_bus.ticks"


def ticks_module():
    from sensor_bus import ticks

    return ticks


class TestLoading(unittest.TestCase):
    def test_module_that_was_forgotten_is_loaded_anew(self):
        first = ticks_module()
        forget("ticks")
        self.assertEqual(NAME in sys.modules, not MICROPYTHON_HERE)
        self.assertEqual(ticks_module() is first, not MICROPYTHON_HERE)
        self.assertTrue(NAME in sys.modules)

    def test_forgetting_what_is_not_loaded_does_nothing(self):
        known = len(sys.modules)
        forget("none")
        half_loaded("none")
        self.assertEqual(len(sys.modules), known)

    @unittest.skipUnless(MICROPYTHON_HERE, "it is MicroPython that leaves names without a module")
    def test_name_without_a_module_is_taken_out(self):
        ticks_module()
        sys.modules["sensor_bus.inner"] = None  # as an import leaves it
        half_loaded("ticks")
        self.assertFalse(NAME in sys.modules or "sensor_bus.inner" in sys.modules)
        self.assertTrue(hasattr(ticks_module(), "ticks_us"))


if __name__ == "__main__":
    unittest.main()
