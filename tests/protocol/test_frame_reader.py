import unittest

from protocol.frame_reader import FrameReader
from protocol.framing import KEEPALIVE, MAX_BODY
from tests.protocol.noise import Noise

BODIES = [b"abc", bytes(MAX_BODY), b"0123456789", b"\x00" * 3]


def stream(bodies):
    return b"".join(bytes((len(body) >> 8, len(body) & 0xFF)) + body for body in bodies)


def read(reader, data):
    return [bytes(frame) for frame in reader.feed(data)]


class TestFrameReader(unittest.TestCase):
    def test_frame_that_was_taken_is_not_given_again(self):
        reader = FrameReader()
        for data in (stream(BODIES[:1]), stream(BODIES[:1]) + b"\x00"):
            frames = reader.feed(data)
            for frame in frames:
                self.assertEqual(bytes(frame), BODIES[0])
                break
            self.assertEqual(list(frames), [])

    def test_frames_come_whole_in_one_chunk(self):
        self.assertEqual(read(FrameReader(), stream(BODIES)), BODIES)

    def test_frames_come_byte_by_byte(self):
        reader, got = FrameReader(), []
        for byte in stream(BODIES):
            got.extend(read(reader, bytes((byte,))))
        self.assertEqual(got, BODIES)

    def test_frames_come_in_any_pieces(self):
        noise = Noise(2)
        for longest in (2, 3, 7, 100, 1500):
            reader, got = FrameReader(), []
            for piece in noise.pieces(stream(BODIES * 3), longest):
                got.extend(read(reader, memoryview(piece)))
            self.assertEqual(got, BODIES * 3)

    def test_keepalives_between_frames_are_not_frames(self):
        data = KEEPALIVE + stream(BODIES[:1]) + KEEPALIVE * 3 + stream(BODIES[2:3]) + KEEPALIVE
        self.assertEqual(read(FrameReader(), data), [BODIES[0], BODIES[2]])

    def test_trailing_half_of_a_frame_waits_for_the_rest(self):
        reader = FrameReader()
        self.assertEqual(read(reader, stream(BODIES[:1]) + b"\x00\x05ab"), BODIES[:1])
        self.assertIsNone(reader.fault)
        self.assertEqual(read(reader, b"cde"), [b"abcde"])

    def test_bad_length_is_a_fault_and_ends_the_reading(self):
        for length in (1, 2, MAX_BODY + 1, 0xFFFF):
            reader = FrameReader()
            data = stream(BODIES[:1]) + bytes((length >> 8, length & 0xFF))
            self.assertEqual(read(reader, data + stream(BODIES)), BODIES[:1])
            self.assertEqual(reader.fault, "frame length %d" % length)
            self.assertEqual(read(reader, stream(BODIES)), [])

    def test_reset_starts_a_new_stream(self):
        for cut_off in (b"\x00", b"\x00\x09abc", b"\xff\xff"):
            reader = FrameReader()
            read(reader, cut_off)
            reader.reset()
            self.assertIsNone(reader.fault)
            self.assertEqual(read(reader, stream(BODIES)), BODIES)

    def test_noise_gives_frames_or_a_fault(self):
        for seed in range(100):
            noise = Noise(seed)
            reader = FrameReader()
            for piece in noise.pieces(noise.data(3000), 400):
                for frame in reader.feed(piece):
                    self.assertLessEqual(len(frame), MAX_BODY)
            self.assertTrue(reader.fault is None or reader.fault.startswith("frame length"))


if __name__ == "__main__":
    unittest.main()
