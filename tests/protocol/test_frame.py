import unittest

from protocol import frame
from protocol.frame import FrameSeal
from protocol.framing import PREFIX
from protocol.limits import MAC_BYTES, MIN_FRAME
from protocol.responder import encode_refused
from protocol.sequence import get16
from tests.protocol.noise import Noise, every_flip

BODY = b"a frame to be sealed"


def both_ends():
    """Both ends of one connection."""
    return FrameSeal(b"a" * 32, b"b" * 32), FrameSeal(b"b" * 32, b"a" * 32)


def sealed(seal, body=BODY):
    buf = bytearray(len(body) + MAC_BYTES + 4)
    buf[2 : 2 + len(body)] = body
    return bytes(buf[2 : seal.seal(buf, 2, 2 + len(body))])


class TestFrameSeal(unittest.TestCase):
    def test_sealed_frame_opens_at_the_other_end(self):
        one, other = both_ends()
        for _ in range(3):
            self.assertTrue(other.open(memoryview(sealed(one))))
            self.assertTrue(one.open(memoryview(sealed(other))))

    def test_same_body_never_has_the_same_mac_twice(self):
        one, other = both_ends()
        macs = set(sealed(seal)[-MAC_BYTES:] for seal in (one, other) for _ in range(20))
        self.assertEqual(len(macs), 40)

    def test_flipped_bit_anywhere_is_refused(self):
        one, other = both_ends()
        for bad in every_flip(sealed(one)):
            self.assertFalse(other.open(memoryview(bad)))

    def test_refused_frame_does_not_move_the_counter(self):
        one, other = both_ends()
        good = sealed(one)
        self.assertFalse(other.open(memoryview(good + b"x")))
        self.assertTrue(other.open(memoryview(good)))

    def test_replayed_frame_is_refused(self):
        one, other = both_ends()
        first = sealed(one)
        self.assertTrue(other.open(memoryview(first)))
        self.assertFalse(other.open(memoryview(first)))

    def test_frame_out_of_order_is_refused(self):
        one, other = both_ends()
        sealed(one)
        self.assertFalse(other.open(memoryview(sealed(one))))

    def test_reflected_frame_is_refused(self):
        one, _ = both_ends()
        self.assertFalse(one.open(memoryview(sealed(one))))

    def test_frame_cut_off_anywhere_is_refused(self):
        one, other = both_ends()
        good = sealed(one)
        for end in range(len(good)):
            self.assertFalse(other.open(memoryview(good[:end])))

    def test_noise_is_refused(self):
        _, other = both_ends()
        noise = Noise(5)
        for size in range(100):
            self.assertFalse(other.open(memoryview(noise.data(size))))

    def test_counter_ends_and_does_not_wrap(self):
        one, other = both_ends()
        for seal in (one, other):
            seal._sent = seal._received = FrameSeal.LAST - 1
        self.assertFalse(other.exhausted())
        self.assertTrue(other.open(memoryview(sealed(one))))
        self.assertTrue(one.exhausted())
        self.assertTrue(other.exhausted())
        self.assertFalse(other.open(memoryview(BODY + bytes(MAC_BYTES))))


class TestLayouts(unittest.TestCase):
    def test_resume_is_as_the_table_says(self):
        buf = bytearray(60)
        runs = b"this run\x00\x00\x00\x05that run\x00\x01\x00\x00"
        end = frame.encode_resume(buf, 1, frame.REMEMBERED, 0x0102, 0x10003, 0x3FFFFFFE, 7, 161, runs)
        self.assertEqual(end, 1 + frame.RESUME_HEADER + 2 * frame.RUN_ENTRY)
        numbers = b"\x00\x00\x01\x02\x00\x01\x00\x03\x3f\xff\xff\xfe\x00\x00\x00\x07"
        written = b"\x10\x01" + numbers + b"\xa1\x02this run\x00\x00\x00\x05that run\x00\x01\x00\x00"
        self.assertEqual(bytes(buf[1:end]), written)
        found = frame.Resume(written)
        self.assertEqual((found.base, found.ack, found.next), (0x0102, 0x10003, 0x3FFFFFFE))
        self.assertEqual((found.remembered, found.parted), (True, False))
        self.assertEqual((found.runs, found.lost, found.room), (runs, 7, 161))

    def test_news_of_a_resume_count_lines_only_if_there_are_some(self):
        def news(flags, lost):
            buf = bytearray(frame.RESUME_HEADER)
            frame.encode_resume(buf, 0, flags, 0, 0, 0, lost, 0, b"")
            return frame.Resume(buf).news()

        self.assertIsNone(news(frame.REMEMBERED, 0))
        begin, end = "the server's store is an older one, or another one: ", ". The link goes on."
        for flags in (0, frame.PARTED):
            words = "it does not know of 7 lines that had been acknowledged"
            self.assertEqual(news(flags, 7), begin + words + end)
        self.assertEqual(news(frame.PARTED, 0), begin + "some lines may come again" + end)

    def test_resume_has_the_length_that_its_runs_take(self):
        for count in range(frame.MAX_RUNS + 2):
            data = bytes(19) + bytes((count,)) + bytes(count * frame.RUN_ENTRY)
            self.assertEqual(frame.is_resume(data, len(data)), count <= frame.MAX_RUNS)
            self.assertFalse(frame.is_resume(data, len(data) - 1))
            self.assertFalse(frame.is_resume(data + b"x", len(data) + 1))
        self.assertFalse(frame.is_resume(b"", 0))

    def test_longest_resume_fits_the_smallest_frame(self):
        longest = PREFIX + frame.RESUME_HEADER + frame.MAX_RUNS * frame.RUN_ENTRY + MAC_BYTES
        self.assertLessEqual(longest, MIN_FRAME)

    def test_numbers_in_resume_that_no_line_has_are_taken_modulo_2_to_30(self):
        found = frame.Resume(b"\x10\x02" + b"\xff" * 18)
        self.assertEqual([found.base, found.ack, found.next, found.lost], [0x3FFFFFFF] * 4)
        self.assertEqual((found.remembered, found.parted), (False, True))

    def test_data_header_is_as_the_table_says(self):
        buf = bytearray(12)
        end = frame.encode_data_header(buf, 2, 0xABCD, 0x0001, 0x1000, 255)
        self.assertEqual(bytes(buf[2:end]), b"\x11\xab\xcd\x00\x01\x10\x00\xff")

    def test_numbers_that_wrapped_fit_their_fields(self):
        buf = bytearray(12)
        frame.encode_data_header(buf, 0, 0x10005, 0x1FFFF, 0, 0)
        self.assertEqual((get16(buf, 1), get16(buf, 3)), (5, 0xFFFF))

    def test_refusal_names_reason_and_version(self):
        self.assertEqual(encode_refused(frame.REFUSED_BUSY, 1), b"\x04\x03\x01")
        self.assertEqual(sorted(frame.REASONS), [2, 3])


if __name__ == "__main__":
    unittest.main()
