"""Modules that do not stay in memory. How their imports may fail: tests/memory/failing_imports.py."""

import sys
import unittest

from pb_link import connection, loading
from pb_link.loading import forget, half_loaded, opening_class

NAMES = ("pb_link.connection", "protocol.handshake")


class Implementation:
    name = "micropython"


class System:
    """Stands for the module sys of a board."""

    implementation = Implementation

    def __init__(self, modules):
        self.modules = modules


class Package:
    pass


class TestLoading(unittest.TestCase):
    def setUp(self):
        self.package = Package()
        self.package.leaf = self.package.other = 1
        self.modules = {"a": self.package, "a.leaf": 1, "a.other": 1, "half": None}
        loading.sys = System(self.modules)

    def tearDown(self):
        loading.sys = sys

    def test_module_that_is_forgotten_is_in_no_table_and_no_package(self):
        forget("a.leaf")
        forget("a.leaf")
        self.assertEqual(sorted(self.modules), ["a", "a.other", "half"])
        self.assertFalse(hasattr(self.package, "leaf"))
        self.assertTrue(hasattr(self.package, "other"))

    def test_module_that_is_half_loaded_is_forgotten_with_the_name_that_has_no_module(self):
        half_loaded("a.leaf")
        self.assertEqual(sorted(self.modules), ["a", "a.other"])

    def test_class_for_the_handshake_does_not_stay_on_a_board(self):
        loading.sys = System(sys.modules)
        kept = {name: sys.modules[name] for name in NAMES}
        opening = opening_class()
        try:
            self.assertEqual([name for name in NAMES if name in sys.modules], [])
        finally:
            sys.modules.update(kept)
            for name in NAMES:
                package, leaf = name.split(".")
                setattr(sys.modules[package], leaf, kept[name])
        self.assertIs(opening, connection.Opening)


if __name__ == "__main__":
    unittest.main()
