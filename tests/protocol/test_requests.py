"""Ids, texts of failures and checks that both ends of a request share."""

import unittest

from protocol.channel_records import ANSWER, EXPIRES, FAILURE, REQUEST
from protocol.errors import LinkError, RequestFailed, RequestTimeout
from protocol.requests import MAX_FAILURE, call_of, check_timeout, failure_of, ident, ident_of, result_of


class TestRequests(unittest.TestCase):
    def test_one_name_catches_all_of_the_link(self):
        for error in (RequestFailed, RequestTimeout):
            self.assertTrue(issubclass(error, LinkError))

    def test_ids_count_modulo_32_bits(self):
        self.assertEqual(ident(0x01020304), b"\1\2\3\4")
        self.assertEqual(ident((1 << 32) + 1), b"\0\0\0\1")

    def test_id_and_kind_of_what_was_received(self):
        self.assertEqual(ident_of((b"abcdef", REQUEST, None)), b"abcd")
        self.assertEqual(ident_of((b"abcdefghij", REQUEST | EXPIRES, 5)), b"cdef")
        self.assertEqual(call_of(b"abcd"), 0)
        self.assertEqual(call_of((b"abcd", EXPIRES, 5)), 0)
        for kind in (REQUEST, ANSWER, FAILURE):
            self.assertEqual(call_of((b"abcdefghij", kind | EXPIRES, 5)), kind)

    def test_timeout_must_be_a_positive_number_of_ms(self):
        check_timeout(1)
        check_timeout(450000000)
        for bad in (0, -1, 450000001):
            self.assertRaises(ValueError, check_timeout, bad)
        for bad in (None, 1.5, "1"):
            self.assertRaises(TypeError, check_timeout, bad)

    def test_failure_is_name_and_text_cut_between_characters(self):
        self.assertEqual(failure_of(ValueError("bad")), b"ValueError: bad")
        self.assertEqual(failure_of(ValueError()), b"ValueError")
        for text in ("\u00e4" * 300, "a" + "\u00e4" * 300, "\U0001f600" * 300):
            data = failure_of(ValueError(text))
            self.assertTrue(MAX_FAILURE - 4 < len(data) <= MAX_FAILURE)
            self.assertTrue(("ValueError: " + text).startswith(str(data, "utf-8")))

    def test_failure_of_an_error_without_a_usable_text_is_its_name(self):
        class BadError(Exception):
            def __str__(self):
                raise RuntimeError("foreign code")

        self.assertEqual(failure_of(BadError()), b"BadError")

    def test_result_is_the_answer_or_the_failure_as_an_exception(self):
        self.assertEqual(result_of((ANSWER, b"\xff"), 20), b"\xff")
        for data, words in ((b"ValueError: bad", "channel 20: ValueError: bad"), (b"\xff", "not UTF-8")):
            try:
                result_of((FAILURE, data), 20)
                self.fail("it was an answer")
            except RequestFailed as error:
                self.assertIn(words, str(error))


if __name__ == "__main__":
    unittest.main()
