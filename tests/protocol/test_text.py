import json
import unittest

from protocol.text import decode_text, encode_text, is_utf8
from tests.protocol.noise import Noise

BORDERS = (0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF)

# UTF8-2, UTF8-3 and UTF8-4 of RFC 3629, section 4: first bytes, second bytes, how many 80..BF follow.
RANGES = (
    (0xC2, 0xDF, 0x80, 0xBF, 0),
    (0xE0, 0xE0, 0xA0, 0xBF, 1),
    (0xE1, 0xEC, 0x80, 0xBF, 1),
    (0xED, 0xED, 0x80, 0x9F, 1),
    (0xEE, 0xEF, 0x80, 0xBF, 1),
    (0xF0, 0xF0, 0x90, 0xBF, 2),
    (0xF1, 0xF3, 0x80, 0xBF, 2),
    (0xF4, 0xF4, 0x80, 0x8F, 2),
)


def length_of_first(data):
    """Bytes of the first character of data, or 0 if that is none: the grammar of RFC 3629."""
    if data[0] < 0x80:
        return 1
    for first, last, low, high, more in RANGES:
        if first <= data[0] <= last:
            rest = data[1 : 2 + more]
            good = len(rest) == 1 + more and low <= rest[0] <= high and all(0x80 <= one <= 0xBF for one in rest)
            return 2 + more if good else 0
    return 0


def by_the_grammar(data):
    while data:
        n = length_of_first(data)
        if n == 0:
            return False
        data = data[n:]
    return True


class TestUtf8(unittest.TestCase):
    def same(self, data):
        if is_utf8(data) != by_the_grammar(data):
            self.fail("is_utf8 and RFC 3629 differ about %r" % data)

    def test_every_sequence_of_one_or_two_bytes_is_judged_as_by_the_rfc(self):
        for first in range(256):
            self.same(bytes((first,)))
            for second in range(256):
                self.same(bytes((first, second)))

    def test_sequences_of_three_and_four_bytes_are_judged_as_by_the_rfc(self):
        for first in range(0xE0, 0x100):
            for second in BORDERS:
                for third in BORDERS:
                    self.same(bytes((first, second, third)))
                    self.same(bytes((0x61, first, second, third, 0x62)))
                    for fourth in BORDERS:
                        self.same(bytes((first, second, third, fourth)))

    def test_noise_is_judged_as_by_the_rfc(self):
        for seed in range(300):
            noise = Noise(seed)
            self.same(noise.data(noise.number(6)))
            good = "a\u00e9\u0800\ud7ff\ue000\u20ac\U00010000\U0010ffff".encode()
            at = noise.number(len(good))
            self.same(good[:at] + bytes((noise.number(256),)) + good[at + 1 :])

    def test_a_bad_character_is_found_wherever_it_is(self):
        for bad in (b"\xed\xa0\xbd", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xc3"):
            for before in ("", "a", "\ud55c\u0e01\u00e9\U0001f600" * 30):
                for after in ("", "\ud55c\u0e01\u00e9\U0001f600"):
                    self.assertFalse(is_utf8(before.encode() + bad + after.encode()))

    def test_what_is_not_utf8_is_not_decoded(self):
        self.assertEqual(decode_text("\u00e9\U0001f600".encode()), "\u00e9\U0001f600")
        with self.assertRaisesRegex(ValueError, "not UTF-8"):
            decode_text(b"\xed\xa0\xbd\xed\xb8\x80")


class TestEncode(unittest.TestCase):
    def test_text_comes_back(self):
        for text in ("", "abc\x00\x7f", "\u00e9\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff"):
            self.assertEqual(decode_text(encode_text(text)), text)

    def test_pair_of_surrogates_is_the_character_that_it_stands_for(self):
        for escaped, character in (
            ("\\ud83d\\ude00", "\U0001f600"),
            ("\\ud800\\udc00", "\U00010000"),
            ("\\udbff\\udfff", "\U0010ffff"),
        ):
            self.assertEqual(encode_text(json.loads('"%s"' % escaped)), character.encode())
        pair = "\ud83d\ude00"
        self.assertEqual(encode_text(pair), b"\xf0\x9f\x98\x80")
        self.assertEqual(encode_text("\ud55ca" + pair + pair + "\u00e9"), "\ud55ca\U0001f600\U0001f600\u00e9".encode())

    def test_half_of_a_pair_is_refused(self):
        for text in (
            "\ud83d", "\ude00", "a\ud83db", "\ude00\ud83d", "\ud83d\ud83d\ude00", "\ud83d\ude00\ude00",
            "\ud83d\ud83d", "\ude00\ude00", "\ud83d\u00e9", "\ud83d\ud7ff", "\ud83d\U0001f600", "\ud83d \ude00",
        ):  # fmt: skip
            with self.assertRaisesRegex(ValueError, "half of a surrogate pair"):
                encode_text(text)

    def test_text_that_was_cut_within_a_character_is_refused(self):
        cut = "%.1s" % "\u00e9"  # MicroPython counts bytes here
        if cut == "\u00e9":
            self.assertEqual(encode_text(cut), b"\xc3\xa9")
        else:
            with self.assertRaisesRegex(ValueError, "of a character"):
                encode_text(cut)


if __name__ == "__main__":
    unittest.main()
