import unittest

from protocol.framing import KEEPALIVE, MAX_BODY, MAX_FRAME, MIN_BODY, PREAMBLE, PREFIX, VERSION, bad_length


class TestFraming(unittest.TestCase):
    def test_preamble_starts_no_text(self):
        self.assertEqual(PREAMBLE, b"\xf5pb" + bytes((VERSION,)))
        with self.assertRaises(UnicodeError):
            str(PREAMBLE, "utf-8")

    def test_keepalive_is_a_length_of_zero(self):
        self.assertEqual(KEEPALIVE, bytes(PREFIX))
        self.assertFalse(bad_length(0))

    def test_lengths_that_no_frame_has_are_bad(self):
        self.assertEqual(MAX_BODY, MAX_FRAME - PREFIX)
        for length in (MIN_BODY, 100, MAX_BODY):
            self.assertFalse(bad_length(length))
        for length in (1, 2, MAX_BODY + 1, 0xFFFF):
            self.assertTrue(bad_length(length))


if __name__ == "__main__":
    unittest.main()
