import unittest

from protocol.limits import MAX_LINE
from protocol.lines import decode_line, encode_line, line_fault


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

    def test_line_that_no_application_could_read_is_a_fault(self):
        for data in (b"\xff\xfe", b"a\xed\xa0\xbd", b"\xc0\x80"):
            self.assertEqual(line_fault(data), "a line that is not UTF-8")
        for data in (b"a\nb", b"\n", b"a\n"):
            self.assertEqual(line_fault(data), "a line with a newline in it")
        for data in (b"", b"a\r\x00", "\u00e9\U0001f600".encode()):
            self.assertIsNone(line_fault(data))

    def test_surrogate_pair_is_one_character_and_half_of_one_is_refused(self):
        self.assertEqual(encode_line("\ud83d\ude00\n"), b"\xf0\x9f\x98\x80")
        with self.assertRaisesRegex(ValueError, "surrogate"):
            encode_line("a\ud83d")

    def test_limit_counts_a_joined_pair_as_four_bytes(self):
        self.assertEqual(len(encode_line("\ud83d\ude00" * (MAX_LINE // 4))), MAX_LINE)

    def test_every_character_comes_back(self):
        text = "a\x00\r\t\x7f\u00e9\u20ac\U0001f600"
        self.assertEqual(decode_line(encode_line(text)), text + "\n")


if __name__ == "__main__":
    unittest.main()
