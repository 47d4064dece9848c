"""What `verbose=2` shows of a frame."""

import unittest

from protocol.channel_records import CHANNEL
from protocol.frame import DATA_MORE, PARTED, PROBE, QOS0, REFUSED_BUSY, REMEMBERED, encode_data_header, encode_resume
from protocol.frame_log import describe
from protocol.handshake import Initiator
from protocol.limits import MAC_BYTES
from protocol.responder import Responder, encode_refused
from tests.protocol.noise import Noise

KEY = bytes(range(32))
MAC = b"\xee" * MAC_BYTES


def data(*records, kind=None):
    buf = bytearray(8)
    encode_data_header(buf, 0, 7, 3, 420, 160)
    if kind:
        buf[0] = kind
    for flags, line in records:
        header = flags | len(line)
        buf += bytes((header >> 8, header & 0xFF)) + line
    return memoryview(buf + MAC)


def resume(flags, lost=0):
    buf = bytearray(60)
    return bytes(buf[: encode_resume(buf, 0, flags, 70000, 5, 6, lost, 161, b"a run...\x00\x00\x00\x01")]) + MAC


class TestFrameLog(unittest.TestCase):
    def test_data_is_shown_by_its_numbers_and_never_by_its_text(self):
        shown = describe(data((0, b"secret"), (QOS0, b"text"), (0, b"")))
        self.assertEqual(shown, "DATA seq=7 ack=3 seen=420 room=160 records=3 bytes=10")
        self.assertEqual(describe(data((0, b"x"), kind=DATA_MORE))[:16], "DATA_MORE seq=7 ")

    def test_records_of_channels_are_shown_by_their_channel(self):
        records = [(CHANNEL, b"\x14secret"), (CHANNEL, b"\x94\x80sssss"), (CHANNEL, b"\x95\x81" + bytes(18))]
        shown = describe(data((0, b"x"), *records))
        self.assertEqual(
            shown, "DATA seq=7 ack=3 seen=420 room=160 records=4 bytes=35 channels=20,20:CREDIT,21:OPEN"
        )
        self.assertEqual(describe(data((CHANNEL, b"\x16")))[-11:], "channels=22")
        shown = describe(b"\x15\x01" + b"\x14" + bytes(18) + b"\x15" + bytes(18) + MAC)
        self.assertEqual(shown, "LIST channels=20,21 last=1")

    def test_data_without_records_is_an_acknowledgement(self):
        self.assertEqual(describe(data()), "ACK 3 seen=420 room=160")
        self.assertEqual(describe(data(kind=PROBE)), "PROBE seq=7 ack=3 seen=420 room=160 records=0 bytes=0")

    def test_resume_is_shown_with_its_whole_numbers(self):
        self.assertEqual(describe(resume(REMEMBERED)), "RESUME base=70000 ack=5 next=6 room=161")
        self.assertEqual(describe(resume(0)), "RESUME base=70000 ack=5 next=6 room=161 epoch is new")
        self.assertEqual(
            describe(resume(REMEMBERED | PARTED, 9)), "RESUME base=70000 ack=5 next=6 room=161 parted=1 lost=9"
        )

    def test_handshake_is_shown_without_key_nonce_hint_or_proof(self):
        initiator, responder = Initiator("meter", KEY, b"\x01" * 8, b"\xaa" * 16, 1068, 2048), Responder()
        hello = initiator.hello()
        responder.hello(hello)
        welcome = responder.challenge(KEY, b"\x02" * 8, b"\xbb" * 16)
        proof, _ = initiator.welcome(welcome)
        self.assertEqual(
            [describe(one) for one in (hello, welcome, proof, encode_refused(REFUSED_BUSY, 4))],
            [
                "HELLO version=4 epoch=0101010101010101 max_frame=1068 max_line=2048 id=b'meter'",
                "WELCOME version=4 epoch=0202020202020202 max_frame=1068 max_line=8192",
                "PROOF",
                "REFUSED reason=3 version=4",
            ],
        )

    def test_bytes_that_are_no_frame_are_shown_by_kind_and_length(self):
        self.assertEqual(describe(b"\x7f" * 12), "kind=7f bytes=12")
        self.assertEqual(describe(b"\x11\x00\x00"), "DATA bytes=3")

    def test_any_bytes_are_one_line_of_printable_text(self):
        noise = Noise(5)
        whole = [bytes(data((0, b"abc"), (QOS0, b"d"))), resume(0), Initiator("m", KEY, bytes(8), bytes(16)).hello()]
        for i in range(2000):
            one = bytearray(whole[i % 3])
            for _ in range(3):
                one[noise.number(len(one))] = noise.number(256)
            shown = describe(bytes(one[: noise.number(len(one) + 1)]))
            self.assertTrue(all(32 <= ord(c) < 127 for c in shown), shown)


if __name__ == "__main__":
    unittest.main()
