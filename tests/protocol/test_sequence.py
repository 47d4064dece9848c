import unittest

from protocol.sequence import diff8, diff16, get16, put16


class TestNumbers(unittest.TestCase):
    def test_numbers_are_big_endian(self):
        buf = bytearray(4)
        put16(buf, 1, 0x1234)
        self.assertEqual(bytes(buf), b"\x00\x12\x34\x00")
        self.assertEqual(get16(buf, 1), 0x1234)

    def test_numbers_are_taken_modulo_65536(self):
        buf = bytearray(2)
        put16(buf, 0, 0x10000 + 7)
        self.assertEqual(get16(buf, 0), 7)


class TestDistances(unittest.TestCase):
    def test_distance_is_signed_and_crosses_the_wrap(self):
        for a, b, distance in ((3, 1, 2), (1, 3, -2), (1, 0xFFFF, 2), (0xFFFF, 1, -2), (5, 5, 0)):
            self.assertEqual(diff16(a, b), distance)
            self.assertEqual(diff8(a & 0xFF, b & 0xFF), distance)

    def test_half_of_the_circle_is_behind(self):
        self.assertEqual(diff16(0x8000, 0), -0x8000)
        self.assertEqual(diff16(0x7FFF, 0), 0x7FFF)
        self.assertEqual(diff8(0x80, 0), -0x80)
        self.assertEqual(diff8(0x7F, 0), 0x7F)


if __name__ == "__main__":
    unittest.main()
