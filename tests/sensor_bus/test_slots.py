"""Which bytes open a slot, and only that one."""

import random
import unittest

from sensor_bus.slots import MAX_DEPTH, Multiplexers


def opened(muxes, slot):
    """Returns the writes that open a slot, after having them made."""
    found = []
    while True:
        step = muxes.step(slot)
        if step is None:
            return found
        muxes.wrote(*step)
        found.append(step)


class TestMultiplexers(unittest.TestCase):
    def test_slot_is_opened_by_one_byte_and_stays_open(self):
        muxes = Multiplexers(0x70)
        muxes.add(0x70, 0)
        self.assertEqual(opened(muxes, 3), [(0x70, 4)])
        self.assertEqual(opened(muxes, 3), [])
        self.assertEqual(opened(muxes, 0), [(0x70, 0)])

    def test_last_slot_is_64(self):
        muxes = Multiplexers(0x70)
        muxes.add(0x77, 0)
        self.assertEqual(opened(muxes, 64), [(0x77, 0x80)])
        self.assertEqual(list(muxes.slots()), [0] + list(range(57, 65)))

    def test_other_multiplexers_are_closed_before(self):
        muxes = Multiplexers(0x70)
        muxes.add(0x70, 0)
        muxes.add(0x71, 0)
        opened(muxes, 1)
        self.assertEqual(opened(muxes, 9), [(0x70, 0), (0x71, 1)])

    def test_those_in_front_are_opened_first_and_what_is_behind_is_closed_first(self):
        muxes = Multiplexers(0x70)
        muxes.add(0x70, 0)
        muxes.add(0x71, 3)
        self.assertEqual(opened(muxes, 9), [(0x70, 4), (0x71, 1)])
        self.assertEqual(opened(muxes, 2), [(0x71, 0), (0x70, 2)])

    def test_multiplexer_that_is_removed_takes_those_behind_it_along(self):
        muxes = Multiplexers(0x70)
        for address, slot in ((0x70, 0), (0x71, 3), (0x72, 12), (0x73, 0)):
            muxes.add(address, slot)
        self.assertEqual(sorted(muxes.remove(0x70)), [0x70, 0x71, 0x72])
        self.assertEqual(muxes.on_main_bus(), [0x73])

    def test_too_many_behind_one_another_are_refused(self):
        muxes = Multiplexers(0x70)
        slot = 0
        for index in range(MAX_DEPTH):
            self.assertTrue(muxes.add(0x70 + index, slot))
            slot = index * 8 + 1
        self.assertFalse(muxes.add(0x77, slot))

    def test_one_that_has_failed_is_closed_off_by_the_one_in_front_of_it(self):
        muxes = Multiplexers(0x70)
        muxes.add(0x70, 0)
        muxes.add(0x71, 3)
        opened(muxes, 9)
        self.assertEqual(muxes.step(2), (0x71, 0))
        muxes.failed(0x71)
        self.assertEqual(opened(muxes, 2), [(0x70, 2)])
        self.assertEqual(opened(muxes, 3), [(0x70, 4), (0x71, 0)])  # before anything of its own slot is used

    def test_path_to_a_slot_is_written_anew_and_no_other(self):
        muxes = Multiplexers(0x70)
        for address, slot in ((0x70, 0), (0x71, 3), (0x72, 0)):
            muxes.add(address, slot)
        opened(muxes, 0)
        opened(muxes, 9)
        muxes.forget_path(9)
        self.assertEqual(opened(muxes, 9), [(0x70, 4), (0x71, 1)])

    def test_after_a_reset_all_are_closed(self):
        muxes = Multiplexers(0x70)
        muxes.add(0x70, 0)
        muxes.add(0x71, 0)
        opened(muxes, 1)
        muxes.closed()
        self.assertEqual(opened(muxes, 0), [])

    def test_slots_exist_with_their_multiplexer(self):
        muxes = Multiplexers(0x70)
        muxes.add(0x71, 0)
        self.assertEqual([muxes.exists(slot) for slot in (0, 8, 9, 16, 17)], [True, False, True, True, False])

    def test_after_any_order_of_slots_only_the_last_one_is_open(self):
        random.seed(1)  # MicroPython has no random.Random
        parents = {0x70: 0, 0x71: 3, 0x72: 0, 0x73: 12}
        muxes = Multiplexers(0x70)
        for address, slot in parents.items():
            muxes.add(address, slot)
        bits = {address: 0xFF for address in parents}  # what they have at first is not known

        def reachable(address):
            slot = parents[address]
            owner = 0x70 + (slot - 1) // 8
            return not slot or bits[owner] >> (slot - 1) % 8 & 1 and reachable(owner)

        for _ in range(300):
            slot = random.choice(list(muxes.slots()))
            if random.random() < 0.1:
                muxes.forget()
            for _ in range(20):
                step = muxes.step(slot)
                if step is None:
                    break
                self.assertTrue(reachable(step[0]))
                bits[step[0]] = step[1]
                muxes.wrote(*step)
            open_slots = [
                (address - 0x70) * 8 + channel + 1
                for address in parents
                if reachable(address)
                for channel in range(8)
                if bits[address] >> channel & 1
            ]
            path = []
            at = slot
            while at:
                path.append(at)
                at = parents[0x70 + (at - 1) // 8]
            self.assertEqual(sorted(open_slots), sorted(path))


if __name__ == "__main__":
    unittest.main()
