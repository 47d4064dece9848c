"""Power of slots: times, and what expanders are written."""

import unittest

from sensor_bus.power import OFF_MS, SETTLE_MS, START_MS, Expander, Power


def power(now=0):
    return Power([(1, 8, [(200, True), (201, False)]), (9, 16, [(215, True)])], [Expander(0x20, 200, 16)], now)


def after(one, now):
    one.service(now)
    return one


class TestPower(unittest.TestCase):
    def test_all_are_off_at_first_then_settle_and_are_usable(self):
        one = power()
        self.assertEqual(one.expanders[0].writes(), (b"\x02\x02\x00", b"\x06\xfc\x7f"))
        self.assertFalse(after(one, START_MS * 10 - 1).usable(1))
        one.service(START_MS * 10)
        self.assertEqual(one.expanders[0].writes(), (b"\x02\x01\x80", b"\x06\xfc\x7f"))
        self.assertFalse(after(one, (START_MS + SETTLE_MS) * 10 - 1).usable(8))
        self.assertTrue(after(one, (START_MS + SETTLE_MS) * 10).usable(8))

    def test_slot_without_a_switch_is_always_usable(self):
        self.assertTrue(power().usable(0))
        self.assertFalse(power().cycle(0, 0))

    def test_cycle_switches_one_group_off_and_on_again(self):
        one = power()
        one.service(1000)
        one.service(2000)
        self.assertTrue(one.cycle(3, 5000))
        self.assertEqual((one.usable(3), one.usable(9)), (False, True))
        self.assertEqual(one.expanders[0].writes()[0], b"\x02\x02\x80")
        one.service(5000 + OFF_MS * 10)
        self.assertEqual(one.expanders[0].writes()[0], b"\x02\x01\x80")
        self.assertTrue(after(one, 5000 + (OFF_MS + SETTLE_MS) * 10).usable(3))

    def test_writes_that_failed_are_made_again(self):
        expander = power().expanders[0]
        writes = expander.writes()
        expander.wrote(False)
        self.assertEqual(expander.writes(), writes)
        expander.wrote(True)
        self.assertEqual(expander.writes(), ())


if __name__ == "__main__":
    unittest.main()
