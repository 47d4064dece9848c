import unittest

from protocol.framing import KEEPALIVE, MAX_BODY, MAX_FRAME, PREAMBLE, PREFIX, VERSION


class TestFraming(unittest.TestCase):
    def test_preamble_starts_no_text(self):
        self.assertEqual(PREAMBLE, b"\xf5pb" + bytes((VERSION,)))
        with self.assertRaises(UnicodeError):
            str(PREAMBLE, "utf-8")

    def test_keepalive_is_a_length_of_zero(self):
        self.assertEqual(KEEPALIVE, bytes(PREFIX))

    def test_the_longest_frame_has_its_prefix(self):
        self.assertEqual(MAX_BODY, MAX_FRAME - PREFIX)


if __name__ == "__main__":
    unittest.main()
