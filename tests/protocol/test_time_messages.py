"""The bytes of the messages on channel 4."""

import unittest

from protocol.time_messages import decode_answer, decode_question, encode_answer, encode_question

UTC = 1_700_000_000_123


class TestTimeMessages(unittest.TestCase):
    def test_bytes_are_those_of_the_document(self):
        self.assertEqual(encode_question(0x0102), b"\1\2")
        self.assertEqual(encode_answer(0xFFFE, UTC), b"\xff\xfe" + UTC.to_bytes(8, "big"))

    def test_what_was_encoded_is_decoded(self):
        for number in (0, 1, 0xFFFF):
            self.assertEqual(decode_question(encode_question(number)), number)
            for utc in (0, UTC, (1 << 64) - 1):
                self.assertEqual(decode_answer(encode_answer(number, utc)), (number, utc))

    def test_anything_else_is_none(self):
        for size in (0, 1, 3, 9, 10, 11):
            if size != 10:
                self.assertIsNone(decode_answer(bytes(size)))
            self.assertIsNone(decode_question(bytes(size)))


if __name__ == "__main__":
    unittest.main()
