import unittest

from protocol.limits import MAX_LINE
from protocol.lines import encode_line, text_in


class TestLines(unittest.TestCase):
    def test_newline_is_implied_on_the_wire(self):
        self.assertEqual(encode_line("abc\n"), b"abc")
        self.assertEqual(encode_line("abc"), b"abc")

    def test_empty_line_is_a_line(self):
        self.assertEqual(encode_line(""), b"")
        self.assertEqual(encode_line("\n"), b"")

    def test_inner_newline_is_refused(self):
        for line in ("a\nb", "\na", "a\n\n"):
            with self.assertRaisesRegex(ValueError, "inner newline"):
                encode_line(line)

    def test_limit_counts_bytes_without_the_newline(self):
        self.assertEqual(len(encode_line("x" * MAX_LINE + "\n")), MAX_LINE)
        self.assertEqual(len(encode_line("\u00e9" * (MAX_LINE // 2))), MAX_LINE)

    def test_line_over_the_limit_is_refused_with_both_numbers(self):
        with self.assertRaisesRegex(ValueError, "8193 bytes, the longest is 8192"):
            encode_line("x" * (MAX_LINE + 1))
        with self.assertRaises(ValueError):
            encode_line("\u00e9" * (MAX_LINE // 2) + "x")

    def test_line_must_be_a_str(self):
        for line in (b"abc", 7, None):
            with self.assertRaises(TypeError):
                encode_line(line)

    def test_surrogate_pair_is_one_character_and_half_of_one_is_refused(self):
        self.assertEqual(encode_line("\ud83d\ude00\n"), b"\xf0\x9f\x98\x80")
        with self.assertRaisesRegex(ValueError, "surrogate"):
            encode_line("a\ud83d")

    def test_limit_counts_a_joined_pair_as_four_bytes(self):
        self.assertEqual(len(encode_line("\ud83d\ude00" * (MAX_LINE // 4))), MAX_LINE)


def text_of(data):
    """What `text_in` makes of data in the middle of a frame, which must be as before."""
    frame = bytearray(b"<" + data + b">\xff")
    try:
        return text_in(memoryview(frame), 1, len(frame) - 2)
    finally:
        assert bytes(frame) == b"<" + data + b">\xff"


class TestText(unittest.TestCase):
    def test_line_comes_with_its_newline(self):
        for text in ("", "abc", "a\x00\r\t\x7f\u00e9\u20ac\U0001f600"):
            self.assertEqual(text_of(encode_line(text)), text + "\n")

    def test_line_with_a_newline_in_it_is_none(self):
        for data in (b"a\nb", b"\n", b"a\n", "\u00e9\n\u00e9".encode()):
            self.assertIsNone(text_of(data))

    def test_line_that_is_not_utf_8_is_none(self):
        for data in (b"\xff\xfe", b"a\xed\xa0\xbd", b"\xc0\x80", b"a\xc3", b"\xff\n"):
            self.assertIsNone(text_of(data))


if __name__ == "__main__":
    unittest.main()
