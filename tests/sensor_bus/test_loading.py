"""Modules that go again, and those for which there was no memory."""

import builtins
import sys
import unittest

from sensor_bus.loading import forget, load

MICROPYTHON_HERE = sys.implementation.name == "micropython"
NAME = "sensor_bus.ticks"


class TestLoading(unittest.TestCase):
    def test_module_that_was_forgotten_is_loaded_anew(self):
        first = load("ticks")
        self.assertTrue(hasattr(first, "ticks_us") and load("ticks") is first)
        forget("ticks")
        self.assertEqual(NAME in sys.modules, not MICROPYTHON_HERE)
        self.assertEqual(load("ticks") is first, not MICROPYTHON_HERE)
        self.assertTrue(NAME in sys.modules)

    def test_forgetting_what_is_not_loaded_does_nothing(self):
        known = len(sys.modules)
        forget("none")
        self.assertEqual(len(sys.modules), known)

    def test_module_that_does_not_exist_is_an_error(self):
        with self.assertRaises(ImportError):
            load("none")

    @unittest.skipUnless(MICROPYTHON_HERE, "it is MicroPython that leaves names without a module")
    def test_name_without_a_module_is_taken_out(self):
        forget("ticks")
        real = builtins.__import__

        def fails(name, *rest):
            sys.modules[NAME] = sys.modules["sensor_bus.inner"] = None  # as an import leaves them
            raise MemoryError

        builtins.__import__ = fails
        try:
            with self.assertRaises(MemoryError):
                load("ticks")
        finally:
            builtins.__import__ = real
        self.assertFalse(NAME in sys.modules or "sensor_bus.inner" in sys.modules)
        self.assertTrue(hasattr(load("ticks"), "ticks_us"))


if __name__ == "__main__":
    unittest.main()
