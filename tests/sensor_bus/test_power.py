"""Power of slots: times, what expanders are written, and what is done when they fail."""

import asyncio
import unittest

from sensor_bus.errors import NoAnswer
from sensor_bus.power import AGAIN_MS, CHECK_MS, OFF_MS, SETTLE_MS, START_MS, Expander, Power


def power(now=0):
    groups = [(bytes(range(1, 9)), [(200, 1, 0), (201, 0, 1)]), (bytes(range(9, 17)), [(215, 1, 0)])]
    return Power(groups, [Expander(0x20, 200, 16)], now)


def after(one, now):
    one.service(now)
    return one


class RecordingAccess:
    """Stands for access.Access: an expander that keeps its registers while it has power, and refuses on demand."""

    def __init__(self):
        self.configuration = b"\xff\xff"
        self.refuses = False
        self.writes = []

    async def transfer(self, address, write, into=None):
        if self.refuses:
            raise NoAnswer(address)
        if into is None:
            self.writes.append(write)
            if write[0] == 6:
                self.configuration = write[1:]
        else:
            into[:] = self.configuration


class TestServe(unittest.TestCase):
    def setUp(self):
        self.access = RecordingAccess()
        self.power = Power([(bytes(range(1, 9)), [(203, 1, 0)])], [Expander(0x20, 200, 16)], 0)

    def serve(self, *times_ms):
        for ms in times_ms:
            asyncio.run(self.power.serve(self.access, ms * 10))

    def test_times_count_from_when_the_expander_has_acknowledged(self):
        self.access.refuses = True
        self.serve(0, START_MS, 1000)
        self.access.refuses = False
        self.serve(1000 + AGAIN_MS)
        begin = 1000 + AGAIN_MS + START_MS
        self.serve(begin - 1)
        self.assertEqual(self.access.writes, [b"\x02\x00\x00", b"\x06\xf7\xff"])
        self.serve(begin, begin + SETTLE_MS - 1)
        self.assertEqual(self.access.writes[2:], [b"\x02\x08\x00", b"\x06\xf7\xff"])
        self.assertFalse(self.power.usable(1))
        self.serve(begin + SETTLE_MS)
        self.assertTrue(self.power.usable(1))

    def test_expander_that_has_lost_its_settings_begins_as_at_the_start(self):
        self.serve(0, 100, 200)
        self.assertTrue(self.power.usable(1))
        self.access.configuration = b"\xff\xff"
        self.access.writes.clear()
        self.serve(100 + CHECK_MS)
        self.assertFalse(self.power.usable(1))
        self.assertEqual(self.access.writes[0], b"\x02\x00\x00")

    def test_expander_that_refuses_to_be_read_switches_nothing(self):
        self.serve(0, 100, 200)
        self.access.writes.clear()
        self.access.refuses = True
        self.serve(100 + CHECK_MS, 110 + CHECK_MS)
        self.access.refuses = False
        self.serve(100 + CHECK_MS + AGAIN_MS)
        self.assertTrue(self.power.usable(1))
        self.assertEqual(self.access.writes, [])


class TestPower(unittest.TestCase):
    def test_all_are_off_at_first_then_settle_and_are_usable(self):
        one = power()
        self.assertEqual(one.expanders[0].writes(), (b"\x02\x02\x00", b"\x06\xfc\x7f"))
        self.assertFalse(after(one, START_MS * 10 - 1).usable(1))
        one.service(START_MS * 10)
        self.assertEqual(one.expanders[0].writes(), (b"\x02\x01\x80", b"\x06\xfc\x7f"))
        self.assertFalse(after(one, (START_MS + SETTLE_MS) * 10 - 1).usable(8))
        self.assertTrue(after(one, (START_MS + SETTLE_MS) * 10).usable(8))

    def test_pins_of_the_other_voltages_are_off_with_and_without_power(self):
        one = Power([(b"\x01", [(200, 0, 0), (201, 1, 0), (202, 1, 1)])], [Expander(0x20, 200, 16)], 0)
        self.assertEqual(one.expanders[0].writes(), (b"\x02\x04\x00", b"\x06\xf8\xff"))
        one.service(START_MS * 10)
        self.assertEqual(one.expanders[0].writes(), (b"\x02\x06\x00", b"\x06\xf8\xff"))

    def test_slot_without_a_switch_has_the_power_of_the_main_bus(self):
        one = Power([(b"\x00", [(200, 1, 0)]), (b"\x01", [(201, 1, 0)])], [Expander(0x20, 200, 16)], 0)
        one.service(START_MS * 10)
        self.assertEqual([after(one, 10000).usable(slot) for slot in (0, 1, 2)], [True] * 3)
        one.cycle(0, 20000)
        self.assertEqual([one.usable(slot) for slot in (0, 1, 2)], [False, True, False])

    def test_slot_that_is_serial_is_not_used_and_its_pin_is_set(self):
        one = Power([], [Expander(0x20, 200, 16)], 0, [(0, 200, 1), (2, 201, 0), (3, -1, 0)])
        self.assertEqual(one.expanders[0].writes(), (b"\x02\x01\x00", b"\x06\xfc\xff"))
        self.assertEqual([one.usable(slot) for slot in (0, 1, 2, 3)], [True, True, False, False])

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
