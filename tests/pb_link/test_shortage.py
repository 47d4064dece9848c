"""What a client announces when memory runs out, and when it has come back."""

import gc
import unittest

from pb_link import settings
from pb_link.settings import default_max_line
from pb_link.shortage import Shortage
from protocol.limits import MAX_LINE, MIN_LINE

RETRIES = 3


class Heap:
    """Stands for the module gc: of a board with so much free."""

    def __init__(self, free):
        self._free = free

    def collect(self):
        pass

    def mem_free(self):
        return self._free


class TestDefault(unittest.TestCase):
    def tearDown(self):
        settings.gc = gc

    def test_default_is_a_power_of_two_and_at_most_a_sixteenth_of_what_is_free(self):
        for free, expected in (
            (0, 512), (16000, 512), (16384, 1024), (24000, 1024), (36000, 2048), (65536, 4096),
            (131071, 4096), (131072, 8192), (10000000, 8192),
        ):  # fmt: skip
            settings.gc = Heap(free)
            self.assertEqual(default_max_line(), expected)


class TestShortage(unittest.TestCase):
    def test_a_failure_at_a_line_announces_no_less(self):
        one = Shortage(2048)
        for number in range(100):
            for _ in range(RETRIES - 1):
                one.met(number)
        self.assertEqual((one.max_line, one.count), (2048, 100 * (RETRIES - 1)))

    def test_failures_at_the_same_line_announce_less_and_less_down_to_the_least(self):
        one = Shortage(2048)
        announced = set()
        for _ in range(100):
            one.met(7)
            announced.add(one.max_line)
        self.assertEqual(sorted(announced), [MIN_LINE, 256, 512, 1024, 2048])

    def test_all_is_announced_again_when_there_is_room_after_a_while(self):
        one = Shortage(2048)
        self.assertFalse(one.over())
        for _ in range(RETRIES):
            one.met(7)
        self.assertEqual(one.max_line, 1024)
        self.assertFalse(one.over())
        one._restore.expire()
        self.assertTrue(one.over())
        self.assertEqual(one.max_line, 2048)
        self.assertFalse(one.over())

    def test_attempt_without_room_is_not_repeated_at_once(self):
        one = Shortage(MAX_LINE)
        for _ in range(RETRIES):
            one.met(7)
        one._full = 1 << 60
        one._restore.expire()
        try:
            self.assertFalse(one.over())
        except OverflowError:  # MicroPython: no such size
            self.skipTest("an allocation of this size is no MemoryError")
        self.assertFalse(one._restore.expired())


if __name__ == "__main__":
    unittest.main()
