"""pb_link.server in the checkout: the facade of the package server."""

import sys
import unittest

import pb_link.server
import server


class TestFacade(unittest.TestCase):
    def test_facade_has_all_that_the_server_has(self):
        self.assertEqual(pb_link.server.__all__, server.__all__)
        names = server.__all__[:]
        if sys.implementation.name == "cpython":  # SQLite is there
            names.append("SQLiteStore")
        for name in names:
            self.assertTrue(getattr(pb_link.server, name) is getattr(server, name), name)


if __name__ == "__main__":
    unittest.main()
