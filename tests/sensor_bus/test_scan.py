"""The plan of the scan: modes, lists, slots and times."""

import unittest

from sensor_bus.scan import FAST, MAIN_BUS, MUX_ONLY, ROUND_MS, SLOW, SWEEPS, ScanPlan

LISTS = [bytes([0x18, 0x38]), bytes([0x40, 0x41, 0x42]), bytes(range(0x50, 0x5C))]
MUX = bytes(range(0x70, 0x78))


def play(plan, until, now=0):
    """Returns (mode, address, slot) of all probes until the plan is in the mode `until`."""
    found = []
    while plan.mode != until:
        probe = plan.next(now)
        if probe is not None:
            found.append((plan.mode, probe[0], probe[1]))
    return found


def counted(probes):
    counts = {}
    for probe in probes:
        counts[probe] = counts.get(probe, 0) + 1
    return counts


class TestScanPlan(unittest.TestCase):
    def test_multiplexers_come_first_and_then_all_of_the_main_bus(self):
        probes = play(ScanPlan(LISTS, MUX, 20000), FAST)
        first = [probe for probe in probes if probe[0] == MUX_ONLY]
        self.assertEqual([address for _, address, _ in first], list(MUX) * SWEEPS)
        second = [probe for probe in probes if probe[0] == MAIN_BUS]
        self.assertEqual([address for _, address, _ in second], list(b"".join(LISTS)) * SWEEPS)

    def test_without_multiplexers_it_begins_with_the_main_bus(self):
        self.assertEqual(ScanPlan(LISTS, b"", 20000).mode, MAIN_BUS)

    def test_lists_come_at_one_to_three_to_nine(self):
        plan = ScanPlan(LISTS, b"", 20000)
        counts = counted([probe for probe in play(plan, SLOW) if probe[0] == FAST])
        for address, times in ((0x18, 9), (0x38, 9), (0x40, 3), (0x42, 3), (0x50, 1), (0x5B, 1)):
            self.assertTrue(SWEEPS * times <= counts[(FAST, address, 0)] <= SWEEPS * times + 3, address)

    def test_all_slots_are_scanned_when_there_are_some(self):
        plan = ScanPlan(LISTS, MUX, 20000)
        plan.restart(bytes((0, 1, 64)))
        counts = counted(play(plan, SLOW))
        for slot in (0, 1, 64):
            for address in b"".join(LISTS):
                self.assertTrue(counts[(FAST, address, slot)] >= SWEEPS, (slot, address))

    def test_slow_sweep_lasts_as_long_as_the_period(self):
        plan = ScanPlan(LISTS, b"", 9000)
        play(plan, SLOW)
        seen = {}
        for now in range(0, 200000, 10):  # 20 s
            while True:
                probe = plan.next(now)
                if probe is None:
                    break
                seen.setdefault(probe[0], []).append(now)
        for address in b"".join(LISTS):
            times = seen[address]
            gaps = [after - before for before, after in zip(times, times[1:])]
            limit = ROUND_MS if address in LISTS[0] else 3000 if address in LISTS[1] else 9000
            self.assertTrue(max(gaps) <= limit * 10 + 2 * ROUND_MS * 10, (address, max(gaps)))
            self.assertTrue(min(gaps) >= limit * 10 * 0.7, (address, min(gaps)))

    def test_rescan_is_fast_and_then_slow_again(self):
        plan = ScanPlan(LISTS, b"", 20000)
        play(plan, SLOW)
        plan.rescan()
        self.assertEqual(plan.mode, FAST)
        self.assertTrue(len(play(plan, SLOW)) >= SWEEPS * (9 * 2 + 3 * 3 + 12))

    def test_new_lists_are_used_from_the_next_round_on(self):
        plan = ScanPlan(LISTS, b"", 20000)
        plan.set_lists([bytes([0x77]), b"", b""])
        plan.restart()
        self.assertEqual({address for _, address, _ in play(plan, SLOW)}, {0x77})

    def test_empty_lists_end(self):
        plan = ScanPlan([b"", b"", b""], b"", 20000)
        self.assertEqual(play(plan, SLOW), [])


if __name__ == "__main__":
    unittest.main()
