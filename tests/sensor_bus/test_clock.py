"""The bus's time does not wrap, and its milliseconds end where those of ticks_ms do."""

import unittest

from sensor_bus import clock
from sensor_bus.clock import PER_MS, Clock

WRAP = 1 << 30


class TestClock(unittest.TestCase):
    def setUp(self):
        self.us = 0
        self._before = clock.ticks_us, clock.ticks_diff
        clock.ticks_us = lambda: self.us % WRAP
        clock.ticks_diff = lambda a, b: ((a - b + WRAP // 2) & (WRAP - 1)) - WRAP // 2  # they wrap later at 64 bits

    def tearDown(self):
        clock.ticks_us, clock.ticks_diff = self._before

    def test_it_begins_at_the_last_edge_of_a_millisecond(self):
        self.us = 7849
        one = Clock()
        self.assertEqual(one.now(), 8)
        self.us = 8000
        self.assertEqual(one.now(), PER_MS)
        self.us = 8099
        self.assertEqual(one.now(), PER_MS)

    def test_no_time_is_lost_by_looking_often_or_at_the_wrap(self):
        self.us = WRAP - 5000
        one, begin = Clock(), self.us - (WRAP - 5000) % 1000
        for step in (1, 7, 99, 100, 101, 4999, 12345, 1000000) * 50:
            self.us += step
            self.assertEqual(one.now(), (self.us - begin) // 100)


if __name__ == "__main__":
    unittest.main()
