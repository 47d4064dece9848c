import unittest

from protocol.line_bytes import bytes_in, decode_line, line_fault
from protocol.lines import encode_line

NOT_UTF8 = (b"\xff\xfe", b"a\xed\xa0\xbd", b"\xc0\x80")
WITH_NEWLINE = (b"a\nb", b"\n", b"a\n")
GOOD = (b"", b"a\r\x00", "\u00e9\U0001f600".encode())


class TestLineBytes(unittest.TestCase):
    def test_line_that_no_application_could_read_is_a_fault(self):
        for data in NOT_UTF8:
            self.assertEqual(line_fault(data), "a line that is not UTF-8")
        for data in WITH_NEWLINE:
            self.assertEqual(line_fault(data), "a line with a newline in it")
        for data in GOOD:
            self.assertIsNone(line_fault(data))

    def test_line_is_taken_out_of_a_frame(self):
        for data in NOT_UTF8 + WITH_NEWLINE:
            self.assertIsNone(bytes_in(memoryview(b"<" + data + b">"), 1, len(data) + 1))
        for data in GOOD:
            self.assertEqual(bytes_in(memoryview(b"<" + data + b">"), 1, len(data) + 1), data)

    def test_text_has_its_newline_and_every_character(self):
        for text in ("", "abc", "a\x00\r\t\x7f\u00e9\u20ac\U0001f600"):
            self.assertEqual(decode_line(encode_line(text)), text + "\n")


if __name__ == "__main__":
    unittest.main()
