"""Addresses that are barred for a time."""

import unittest

from sensor_bus.bars import MAX_BARRED, Bars


class TestBars(unittest.TestCase):
    def test_address_is_barred_until_its_time_is_over_and_no_longer(self):
        bars = Bars()
        self.assertFalse(bars.has(0x38, 0))
        bars.set(0x38, 100, 1000)
        self.assertEqual([bars.has(0x38, now) for now in (1000, 1099, 1100, 1101)], [True, True, False, False])
        self.assertFalse(bars.has(0x138, 1050))  # the same address in a slot is another device

    def test_bar_may_be_lifted_or_made_longer(self):
        bars = Bars()
        bars.set(0x38, 100, 0)
        bars.set(0x38, 500, 0)
        self.assertTrue(bars.has(0x38, 400))
        bars.set(0x38, 0, 400)
        self.assertFalse(bars.has(0x38, 401))

    def test_there_are_only_so_many_and_those_that_are_over_make_way(self):
        bars = Bars()
        for number in range(MAX_BARRED):
            bars.set(0x10 | (number + 1) << 8, 10, 0)
        with self.assertRaises(ValueError):
            bars.set(0x11, 10, 9)
        bars.set(0x11, 10, 10)
        self.assertTrue(bars.has(0x11, 15))

    def test_what_is_no_address_or_no_time_is_refused(self):
        for address, units in ((0x78, 1), (0x38, -1), (65 << 8 | 0x38, 1), (0xB8, 1)):
            with self.assertRaises(ValueError):
                Bars().set(address, units, 0)


if __name__ == "__main__":
    unittest.main()
