"""Why a request was not answered, told from the words of the client."""

import unittest

from protocol.request_reasons import INTERRUPTED, INTERRUPTED_WORDS, NO_HANDLER, NO_HANDLER_WORDS, RAISED, reason_of
from protocol.requests import failure_of


class TestReasons(unittest.TestCase):
    def test_the_words_of_the_client_have_their_reason(self):
        self.assertEqual(reason_of(INTERRUPTED_WORDS, 1), INTERRUPTED)
        for words in NO_HANDLER_WORDS:
            self.assertEqual(reason_of(b"channel 20 " + words, 20), NO_HANDLER)
            self.assertEqual(reason_of(b"channel 20 " + words, 2), RAISED)

    def test_what_a_handler_raises_is_never_taken_for_them(self):
        for words in [INTERRUPTED_WORDS] + [b"channel 1 " + words for words in NO_HANDLER_WORDS]:
            self.assertEqual(reason_of(failure_of(ValueError(words.decode())), 1), RAISED)
        for data in (b"", b"ValueError", b"channel 1 ", b"\xff", INTERRUPTED_WORDS + b"!"):
            self.assertEqual(reason_of(data, 1), RAISED)


if __name__ == "__main__":
    unittest.main()
