import unittest

from primitives import countdowns
from primitives.countdowns import Countdowns
from primitives.waiting import ticks_add

NEARLY_WRAPPED = ticks_add(0, -50)


class TestCountdowns(unittest.TestCase):
    def setUp(self):
        self.now = NEARLY_WRAPPED
        real = countdowns.ticks_ms
        countdowns.ticks_ms = lambda: self.now
        self.addCleanup(setattr, countdowns, "ticks_ms", real)
        self.times = Countdowns(2)

    def later(self, ms, tick=True):
        self.now = ticks_add(self.now, ms)
        if tick:
            self.times.tick()

    def test_none_runs_before_it_is_started(self):
        self.assertTrue(self.times.over(0) and self.times.over(1))

    def test_it_is_over_after_its_time_and_across_the_wrap(self):
        self.times.start(0, 100)
        self.later(99)
        self.assertFalse(self.times.over(0))
        self.later(1)
        self.assertTrue(self.times.over(0))

    def test_time_passes_at_ticks_only(self):
        self.times.start(0, 100)
        self.later(500, tick=False)
        self.assertFalse(self.times.over(0))

    def test_time_before_the_start_does_not_count(self):
        self.later(80, tick=False)
        self.times.start(0, 100)
        self.later(80)
        self.assertFalse(self.times.over(0))
        self.later(20)
        self.assertTrue(self.times.over(0))

    def test_each_has_its_own_time(self):
        self.times.start(0, 100)
        self.times.start(1, 200)
        self.later(150)
        self.assertTrue(self.times.over(0))
        self.assertFalse(self.times.over(1))

    def test_once_over_it_stays_so_for_more_than_the_clock_can_tell(self):
        self.times.start(0, 100)
        for _ in range(9):
            self.later(1 << 28)
            self.assertTrue(self.times.over(0))

    def test_start_begins_anew(self):
        self.times.start(0, 100)
        self.later(500)
        self.times.start(0, 100)
        self.assertFalse(self.times.over(0))


if __name__ == "__main__":
    unittest.main()
