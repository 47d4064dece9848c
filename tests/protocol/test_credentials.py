import unittest

from protocol.credentials import parse_id, parse_key
from protocol.limits import MAX_ID

KEY = bytes(range(32))
HEX = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"


class TestKey(unittest.TestCase):
    def test_bytes_and_hexadecimal_text_are_the_same_key(self):
        for key in (KEY, bytearray(KEY), HEX, HEX.upper(), HEX + "\n"):
            self.assertEqual(parse_key(key), KEY)

    def test_absent_key_is_refused(self):
        for key in (None, "", b"", 0):
            with self.assertRaisesRegex(ValueError, "needs a key"):
                parse_key(key)

    def test_key_of_another_length_is_refused(self):
        for key in (KEY[:31], KEY + b"x", HEX[:62], HEX + "00"):
            with self.assertRaisesRegex(ValueError, "instead of 32"):
                parse_key(key)

    def test_pass_phrase_is_refused(self):
        for key in ("correct horse battery staple", HEX[:63], 7, ["a"]):
            with self.assertRaisesRegex(ValueError, "64 hexadecimal digits"):
                parse_key(key)

    def test_error_never_shows_the_key(self):
        for key in (KEY + b"x", HEX + "00", HEX[:63] + "g"):
            with self.assertRaises(ValueError) as raised:
                parse_key(key)
            self.assertNotIn(HEX[:16], str(raised.exception))


class TestId(unittest.TestCase):
    def test_last_newline_is_dropped(self):
        self.assertEqual(parse_id("meter\n"), "meter")
        self.assertEqual(parse_id("meter"), "meter")

    def test_inner_newline_is_refused(self):
        for name in ("a\nb", "\na", "a\n\n", "a\r\n", "\r"):
            with self.assertRaisesRegex(ValueError, "newline"):
                parse_id(name)

    def test_empty_id_is_refused(self):
        for name in ("", "\n"):
            with self.assertRaisesRegex(ValueError, "empty"):
                parse_id(name)

    def test_length_counts_bytes(self):
        self.assertEqual(parse_id("x" * MAX_ID), "x" * MAX_ID)
        for name in ("x" * (MAX_ID + 1), "\u00e9" * (MAX_ID // 2) + "x"):
            with self.assertRaisesRegex(ValueError, "longer"):
                parse_id(name)

    def test_id_must_be_a_str(self):
        for name in (b"meter", None, 7):
            with self.assertRaises(TypeError):
                parse_id(name)


class TestText(unittest.TestCase):
    def test_surrogate_pair_in_an_id_is_the_character_that_it_stands_for(self):
        self.assertEqual(parse_id("k\ud83d\ude00\n"), "k\U0001f600")
        self.assertEqual(parse_id("\ud83d\ude00" * 16), "\U0001f600" * 16)

    def test_id_that_cannot_be_encoded_is_refused(self):
        with self.assertRaisesRegex(ValueError, "client id: .* surrogate"):
            parse_id("k\ud83d")


if __name__ == "__main__":
    unittest.main()
