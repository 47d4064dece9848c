import unittest

from protocol.frame_reader import FrameReader
from protocol.framing import KEEPALIVE, MAX_BODY, FrameRelay
from tests.protocol.noise import Noise
from tests.protocol.test_frame_reader import BODIES, stream


def relay(relay, piece):
    """What the relay passes on of a piece."""
    buf = bytearray(b"?") + piece
    start, end = relay.strip(buf, 1, len(buf))
    return bytes(buf[start:end])


def mixed(count, noise):
    """A stream of frames and keepalives, and the same without keepalives."""
    with_them, without = b"", b""
    for _ in range(count):
        frame = stream([noise.data(3 + noise.number(40))])
        with_them += KEEPALIVE * noise.number(3) + frame
        without += frame
    return with_them + KEEPALIVE, without


class TestFrameRelay(unittest.TestCase):
    def test_frames_pass_unchanged(self):
        self.assertEqual(relay(FrameRelay(), stream(BODIES)), stream(BODIES))

    def test_keepalives_are_taken_out_however_the_stream_is_cut(self):
        noise = Noise(3)
        with_them, without = mixed(40, noise)
        for longest in (1, 2, 3, 5, 17, 300):
            passer = FrameRelay()
            passed = b"".join(relay(passer, piece) for piece in noise.pieces(with_them, longest))
            self.assertEqual(passed, without)

    def test_keepalive_bytes_inside_a_frame_stay(self):
        data = stream([bytes(50)])
        self.assertEqual(relay(FrameRelay(), data), data)

    def test_half_a_prefix_is_held_back(self):
        passer = FrameRelay()
        frame = stream([b"abc"])
        self.assertEqual(relay(passer, frame + b"\x00"), frame)
        self.assertEqual(relay(passer, b"\x03xyz"), b"\x00\x03xyz")

    def test_bad_length_is_a_fault_and_does_not_pass(self):
        for length in (1, 2, MAX_BODY + 1, 0xFFFF):
            passer = FrameRelay()
            bad = bytes((length >> 8, length & 0xFF))
            self.assertEqual(relay(passer, stream(BODIES[:1]) + bad + b"x"), stream(BODIES[:1]))
            self.assertTrue(passer.fault)

    def test_bytes_of_frames_are_counted_without_prefixes_and_keepalives_while_the_number_is_small(self):
        noise = Noise(5)
        for _ in range(20):
            passer = FrameRelay()
            for piece in noise.pieces(KEEPALIVE + stream([bytes(62), bytes(3)]) + KEEPALIVE, 9):
                relay(passer, piece)
            self.assertEqual(passer.passed, 65)
        for _ in range(5000):
            relay(passer, stream([bytes(MAX_BODY)]))
        self.assertLess(passer.passed, 2 * MAX_BODY)

    def test_chunk_grows_by_at_most_the_byte_held_back(self):
        noise = Noise(4)
        passer = FrameRelay()
        for piece in noise.pieces(mixed(200, noise)[0], 9):
            self.assertLessEqual(len(relay(passer, piece)), len(piece) + 1)

    def test_noise_gives_what_the_reader_would_read_or_a_fault(self):
        for seed in range(100):
            noise = Noise(seed)
            data = noise.data(1500)
            passer, direct, behind = FrameRelay(), FrameReader(), FrameReader()
            expected = [bytes(frame) for frame in direct.feed(data)]
            got = []
            for piece in noise.pieces(data, 200):
                if not passer.fault:
                    got.extend(bytes(frame) for frame in behind.feed(relay(passer, piece)))
            self.assertEqual(got, expected)
            self.assertEqual(passer.fault, direct.fault is not None)


if __name__ == "__main__":
    unittest.main()
