"""Addresses with slots, as ints and as text."""

import unittest

from sensor_bus.address import address_text, device_id, join, parse_address, parse_device_id, slot_of


class TestAddress(unittest.TestCase):
    def test_each_address_in_each_slot_is_read_back(self):
        for slot in range(65):
            for address in (0x04, 0x38, 0x6A, 0x77):
                whole = join(address, slot)
                self.assertEqual((whole & 0x7F, whole >> 8), (address, slot))
                self.assertEqual(parse_address(address_text(whole)), whole)
                self.assertEqual(parse_device_id(device_id(1, whole)), (1, whole))

    def test_slot_64_is_no_alias_of_the_main_bus(self):
        """Upstream's slot has 6 bits: the last channel of the eighth multiplexer becomes the main bus."""
        last = join(0x6A, slot_of(7, 7))
        self.assertEqual(last >> 8, 64)
        self.assertEqual(address_text(last), "406a")
        self.assertNotEqual(last, join(0x6A))
        self.assertEqual(parse_address("406a"), last)

    def test_text_is_hex_without_0x(self):
        self.assertEqual(address_text(join(0x6A, 7)), "76a")
        self.assertEqual(address_text(join(0x38)), "38")
        self.assertEqual(address_text(join(0x04)), "4")
        self.assertEqual(parse_address("76A"), join(0x6A, 7))
        self.assertEqual(device_id(2, join(0x6A, 7)), "2_76a")

    def test_what_is_no_address_is_refused(self):
        for text in ("", "0x38", "+38", "-38", " 38", "038", "3", "78", "80", "416a", "1006a", "3_8", "xy", None, 38):
            with self.subTest(text=text), self.assertRaises(ValueError):
                parse_address(text)
        for address, slot in ((3, 0), (0x78, 0), (-1, 0), (0x38, 65), (0x38, -1)):
            with self.subTest(address=address, slot=slot), self.assertRaises(ValueError):
                join(address, slot)

    def test_what_is_no_device_id_is_refused(self):
        for text in ("", "1", "_38", "1_", "x_38", "1_0x38", "-1_38", "1234_38", "1_38_2", None):
            with self.subTest(text=text), self.assertRaises(ValueError):
                parse_device_id(text)


if __name__ == "__main__":
    unittest.main()
