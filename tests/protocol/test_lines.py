import unittest

from protocol.errors import RemoteProtocolError
from protocol.limits import MAX_LINE
from protocol.lines import decode_line, encode_line


class TestLines(unittest.TestCase):
    def test_newline_is_implied_on_the_wire(self):
        self.assertEqual(encode_line("abc\n"), b"abc")
        self.assertEqual(encode_line("abc"), b"abc")
        self.assertEqual(decode_line(b"abc"), "abc\n")

    def test_empty_line_is_a_line(self):
        self.assertEqual(encode_line(""), b"")
        self.assertEqual(encode_line("\n"), b"")
        self.assertEqual(decode_line(b""), "\n")

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

    def test_bytes_that_are_not_utf_8_are_the_other_sides_fault(self):
        self.assertRaises(RemoteProtocolError, decode_line, b"\xff\xfe")

    def test_every_character_comes_back(self):
        text = "a\x00\r\t\x7f\u00e9\u20ac\U0001f600"
        self.assertEqual(decode_line(encode_line(text)), text + "\n")


if __name__ == "__main__":
    unittest.main()
