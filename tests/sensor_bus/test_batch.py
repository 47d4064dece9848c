"""The bytes of a batch, and times that follow from it."""

import unittest

from sensor_bus.batch import SPAN, decode_batch, encode_batch, time_of


class TestBatch(unittest.TestCase):
    def test_bytes_are_those_of_the_document(self):
        data = encode_batch(0x01020304, 0x050607080910, {0x0102: "AHT20"}, b"\xdb..")
        self.assertEqual(data, b"\1\1\2\3\4\5\6\7\x08\x09\x10\1\1\2\5AHT20\xdb..")

    def test_what_was_encoded_is_decoded(self):
        for names in ({}, {0: "A"}, {65535: "x" * 255, 3: "\u00e9"}):
            found = decode_batch(encode_batch(0xFFFFFFFF, (1 << 48) - 1, names, b"\xdb\0\1"))
            self.assertEqual(found, (0xFFFFFFFF, (1 << 48) - 1, names, b"\xdb\0\1"))

    def test_each_cut_of_the_head_is_refused(self):
        data = encode_batch(1, 2, {1: "SHT40", 2: "AHT20"}, b"")
        for size in range(len(data)):
            with self.assertRaises(ValueError):
                decode_batch(data[:size])

    def test_another_version_is_refused_with_both_versions_named(self):
        try:
            decode_batch(b"\2" + bytes(11))
        except ValueError as error:
            self.assertIn("version 1, not 2", str(error))
        else:
            self.fail("it was taken")

    def test_a_name_that_is_no_utf8_is_refused(self):
        with self.assertRaises(ValueError):
            decode_batch(b"\1" + bytes(10) + b"\1\0\1\1\xff")

    def test_the_time_of_a_sample_is_whole_across_the_wrap_of_its_stamp(self):
        for now in (SPAN, 0xFFFF, 0x10000, 0x1FFFF, 0x20000, 1 << 40):
            for age in (0, 1, 1000, SPAN - 1):
                at = now - age
                self.assertEqual(time_of(now, at & 0xFFFF), at)


if __name__ == "__main__":
    unittest.main()
