import unittest

from primitives import timeout
from primitives.timeout import Timeout, wait_limit
from primitives.waiting import ticks_add

NEARLY_WRAPPED = ticks_add(0, -50)


class TestTimeout(unittest.TestCase):
    def setUp(self):
        self.now = NEARLY_WRAPPED
        real = timeout.ticks_ms
        timeout.ticks_ms = lambda: self.now
        self.addCleanup(setattr, timeout, "ticks_ms", real)

    def later(self, ms):
        self.now = ticks_add(self.now, ms)

    def test_it_expires_after_its_time_and_across_the_wrap(self):
        limit = Timeout(100)
        self.later(99)
        self.assertFalse(limit.expired())
        self.assertEqual((limit.elapsed(), limit.left()), (99, 1))
        self.later(1)
        self.assertTrue(limit.expired())
        self.assertEqual((limit.elapsed(), limit.left()), (100, 0))

    def test_once_expired_it_stays_so_for_more_than_the_clock_can_tell(self):
        limit = Timeout(100)
        self.later(100)
        self.assertTrue(limit.expired())
        for _ in range(5):
            self.later(1 << 28)
            self.assertTrue(limit.expired())
            self.assertEqual((limit.elapsed(), limit.left()), (100, 0))

    def test_restart_begins_anew(self):
        limit = Timeout(100)
        self.later(500)
        self.assertTrue(limit.expired())
        limit.restart()
        self.assertFalse(limit.expired())
        self.assertEqual(limit.left(), 100)

    def test_it_can_be_made_to_expire(self):
        limit = Timeout(100)
        limit.expire()
        self.assertTrue(limit.expired())
        self.assertEqual(limit.left(), 0)

    def test_left_is_never_negative(self):
        limit = Timeout(100)
        self.later(5000)
        self.assertEqual(limit.left(), 0)

    def test_its_time_may_be_changed_while_it_runs(self):
        limit = Timeout(100)
        self.later(150)
        limit.ms = 200
        self.assertFalse(limit.expired())
        self.assertEqual(limit.left(), 50)

    def test_no_time_is_over_at_once(self):
        self.assertTrue(Timeout(0).expired())

    def test_limit_that_is_no_int_is_a_type_error(self):
        for value in ("5", 1.5, [], b"5"):
            with self.assertRaises(TypeError):
                wait_limit(value)


if __name__ == "__main__":
    unittest.main()
