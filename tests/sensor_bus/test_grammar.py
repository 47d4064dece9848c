"""The texts of records, and the programs they become: each rule of the grammar, and each fault."""

import unittest

from sensor_bus.grammar import MAX_PAUSE_MS, MAX_READ, MAX_TEXT, detection_program, steps_program
from tests.sensor_bus.programs import listed, matching

LONG = "0x" + "12" * 40


class TestSteps(unittest.TestCase):
    def test_each_form_of_a_step(self):
        for text, wanted in (
            ("", []),
            ("  ", []),
            ("0x2104=", [("2104", 0, 0)]),
            ("0x2104", [("2104", 0, 0)]),
            ("0x2D0C=;0x310A=", [("2d0c", 0, 0), ("310a", 0, 0)]),
            ("0x08=r2&0x09=r2", [("08", 2, 0), ("09", 2, 0)]),
            ("=r6&0xac3300=", [("", 6, 0), ("ac3300", 0, 0)]),
            ("=p250", [("", 0, 250)]),
            ("0x007fff=p20&0x01=", [("007fff", 0, 20), ("01", 0, 0)]),
            ("0x1c80=&=p20", [("1c80", 0, 0), ("", 0, 20)]),
            ("0x00=r2p10", [("00", 2, 10)]),
            ("0x00 = p10 , r2 &", [("00", 2, 10)]),
            ("0x11=0x21", [("11", 1, 0)]),
            (LONG, [(LONG[2:], 0, 0)]),
        ):
            with self.subTest(text=text):
                self.assertEqual(listed(steps_program(text)), wanted)

    def test_an_expected_value_of_a_step_that_is_not_detection_is_read_and_not_compared(self):
        self.assertEqual(steps_program("0x11=0x2122"), steps_program("0x11=r2"))

    def test_most_is_the_sum_of_all_reads(self):
        self.assertEqual(steps_program("0x3a=r4&0x3e=r{$0.w12:mask0FFF*2:max240}")[0], 244)
        self.assertEqual(steps_program("0x00=")[0], 0)

    def test_a_computed_length(self):
        for expression, got, wanted in (
            ("$0:max9", b"\x05", 5),
            ("$0:max9", b"\xff", 9),
            ("$0[1]:max9", b"\x05\x06", 6),
            ("$0.w12:mask0FFF*2:max240", b"\x1e\x50", 60),
            ("$0.W12:max240", b"\xf0\x11", 0x11),
            ("$0[1].W16:max240", b"\xff\x00\x11", 0x11),
            ("$0&0F:max240", b"\xf3", 3),
            ("$0|10:max240", b"\x03", 0x13),
            ("$0>>4:max240", b"\xf3", 15),
            ("$0<<4:max240", b"\x03", 48),
            ("$0/4:max240", b"\x0b", 2),
            ("$0+4:max240", b"\x0b", 15),
            ("$0-4:max240", b"\x0b", 7),
            ("$0-4:max240", b"\x03", 0),
            ("$0:min4:max240", b"\x03", 4),
            ("$0:align6:max240", b"\x0b", 6),
            ("$0:max6:max8", b"\x0b", 6),
            ("$0[0]-$0[1]:mask1f*6:max96", b"\x02\x1f", 18),
            ("$0+$0[1]:max96", b"\x02\x05", 7),
            ("$0.w32:max200", b"\x04\x00\x00\x80", 200),
        ):
            with self.subTest(expression=expression, got=got):
                program = steps_program("0x01=r%d&0x02=r{%s}" % (len(got), expression))
                self.assertEqual(listed(program, got)[1][1], wanted)

    def test_a_computed_length_of_a_later_step(self):
        program = steps_program("0x01=r3&0x02=&0x03=r2&0x04=r{$2[1]:max9}")
        self.assertEqual(listed(program, b"abc\x00\x07")[3], ("04", 7, 0))

    def test_a_fault_is_named_with_its_place(self):
        for text, place, what in (
            ("0x0", 2, "two digits"), ("0x", 2, "two digits"), ("0xzz", 2, "two digits"), ("21=", 0, "& or the end"),
            ("0x21==", 5, "must come here"), ("0x21=r", 6, "number"), ("0x21=r0", 6, "1..253"),
            ("0x21=r254", 6, "1..253"), ("0x21=p", 6, "number"), ("0x21=p10001", 6, "1..10000"),
            ("0x21=q", 5, "must come here"), ("0x21=r1r2", 7, "reads once"), ("0x21=p1p2", 7, "pauses once"),
            ("0x21=r1,", 8, "comma"), ("0x21=r1,0x11", 12, "not both"), ("0x21=0x11,0x1122", 16, "one length"),
            ("0x21=0b", 7, "eight digits"), ("0x21=0b1111000", 7, "eight digits"), ("0x21=r200&=r54", 14, "254 bytes"),
            ("=r{", 3, "begins with $"), ("=r{$0:max4}", 4, "not in front"), ("=r1&=r{$1:max4}", 8, "not in front"),
            ("=r1&=r{$0}", 10, "needs a :max"), ("=r1&=r{$0:max0}", 15, ":max must be"),
            ("=r1&=r{$0:max254}", 17, ":max must be"), ("=r1&=r{$0.x12:max4}", 10, "must come here"),
            ("=r1&=r{$0.w9:max4}", 8, "only 1 bytes"), ("=r1&=r{$0[1]:max4}", 8, "only 1 bytes"),
            ("=r1&=r{$0.w33:max4}", 11, "1..32"), ("=r1&=r{$0/0:max4}", 10, "must be 1"),
            ("=r1&=r{$0^1:max4}", 9, "operator"),
            ("=r1&=r{$0<<32:max4}", 11, "0..31"), ("=r1&=r{$0:max4", 14, "operator"), ("=r1&=r{$0[0:max4}", 11, "]"),
            ("=r1&=r{$0:max2}&=r{$1:max2}", 20, "itself computed"), ("=r2&=r{$0+$0.w16:max2}", 10, "one byte"),
            ("=r1&=r{$0" + "+1" * 9 + ":max4}", 25, "operators"), ("0x21=r1 r2 x", 8, "reads once"),
            ("0x21=c4", 5, "in threes"), ("0x21=c0", 6, "3..253"), ("0x21=r3c3", 7, "reads once"),
            ("0x21=c3,0x112233", 16, "not both"),
        ):  # fmt: skip
            with self.subTest(text=text):
                with self.assertRaises(ValueError) as caught:
                    steps_program(text)
                self.assertIn("at character %d of" % place, str(caught.exception))
                self.assertIn(what, str(caught.exception))

    def test_what_is_too_long_or_no_text_is_refused(self):
        for text in ("0x00&" * (MAX_TEXT // 5 + 1), None, 5, b"0x00"):
            with self.assertRaises(ValueError):
                steps_program(text)
        self.assertEqual(steps_program("=r%d" % MAX_READ)[0], MAX_READ)
        self.assertEqual(listed(steps_program("=p%d" % MAX_PAUSE_MS)), [("", 0, MAX_PAUSE_MS)])


class TestDetection(unittest.TestCase):
    def test_masks_of_bits_are_those_that_are_written(self):
        """Upstream looks for 0x before 0b: in `0b..00XXXX` it finds one, and never matches the device."""
        for text, good, bad in (
            ("0x0c=0b100001100000XXXX", ("8601", "8600", "860f"), ("8611", "8800", "0600")),
            ("0x07=0b00000100XXXXXXXX", ("0400", "04ff"), ("0500", "8888")),
            ("0x20=0b0000000X11111111", ("00ff", "01ff"), ("02ff", "00fe", "1111")),
            ("0x00=0b000000xx", ("00", "03"), ("04", "80")),
            ("0x00=0b01011101", ("5d",), ("5c", "dd")),
            ("0x07=0x81c4,0x81d4", ("81c4", "81d4"), ("81e4", "80c4", "c481")),
            ("0x0f=0x69,0b0110101X", ("69", "6a", "6b"), ("68", "6c")),
        ):
            with self.subTest(text=text):
                program = detection_program(text)
                self.assertEqual([data for data in good if matching(program, data)], list(good))
                self.assertEqual([data for data in bad if matching(program, data)], [])

    def test_a_read_without_a_value_takes_any(self):
        program = detection_program("0x89=p10&=r6")
        self.assertEqual(listed(program), [("89", 0, 10), ("", 6, 0)])
        self.assertTrue(matching(program, "000000000000"))

    def test_no_text_is_no_steps(self):
        self.assertEqual(detection_program(""), b"")

    def test_pauses_of_a_detection_are_data_of_its_steps(self):
        """Upstream waits where it parses, and blocks its worker. Here the caller gets the time, and can go on."""
        program = detection_program("=p250&0x6004ff9c=p250&0x9904ff63=0x526f626f746963616c&0x00=0x0084")
        self.assertEqual(
            listed(program), [("", 0, 250), ("6004ff9c", 0, 250), ("9904ff63", 9, 0), ("00", 2, 0)]
        )

    def test_alternatives_are_bounded(self):
        detection_program("0x00=" + ",".join(["0x11"] * 16))
        with self.assertRaisesRegex(ValueError, "at most 16"):
            detection_program("0x00=" + ",".join(["0x11"] * 17))


if __name__ == "__main__":
    unittest.main()
