"""The newest samples of a device."""

import unittest

from sensor_bus.ring import Ring


def filled(samples, count, size=3):
    ring = Ring(samples, size)
    for number in range(count):
        data = bytes([number] * (number % (size + 1)))
        ring.put(number * 10, data + b"rest", len(data))
    return ring


class TestRing(unittest.TestCase):
    def test_empty_one_has_nothing(self):
        ring = Ring(4, 3)
        self.assertEqual((ring.oldest(), ring.end), (0, 0))

    def test_samples_of_any_length_come_back_with_their_times(self):
        ring = filled(4, 4)
        self.assertEqual([ring.time(at) for at in range(4)], [0, 10, 20, 30])
        self.assertEqual([ring.data(at) for at in range(4)], [b"", b"\1", b"\2\2", b"\3\3\3"])

    def test_oldest_are_overwritten(self):
        ring = filled(4, 10)
        self.assertEqual((ring.oldest(), ring.end), (6, 10))
        self.assertEqual([ring.time(at) for at in range(6, 10)], [60, 70, 80, 90])

    def test_constants_stand_behind_the_bytes(self):
        self.assertEqual(filled(2, 3).data(2, b"cal"), b"\2\2cal")

    def test_times_are_whole_across_32_bits(self):
        ring = Ring(3, 1)
        for time in ((1 << 32) - 5, (1 << 32) + 5, (1 << 32) + 15):
            ring.put(time, b"x", 1)
        self.assertEqual([ring.time(at) for at in range(3)], [(1 << 32) - 5, (1 << 32) + 5, (1 << 32) + 15])


if __name__ == "__main__":
    unittest.main()
