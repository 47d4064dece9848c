"""devbin: its bytes, what is read back, and what is refused."""

import unittest

from sensor_bus import publish
from sensor_bus.publish import decode_devbin, devbin_size, encode_devbin
from tests.protocol.noise import Noise

MAX_DATA, ONLINE = publish.MAX_DATA, publish.ONLINE
DEVICES = [
    (0x76A, 12, ONLINE, 5, [(0x1234, b"\x01\x02\x03"), (0xFFFF, b"")]),
    (0x38, 300, publish.OFFLINE, 255, []),
    (0x406A, 0, publish.PENDING_DELETION, 0, [(0, b"\xff")]),
]
RECORDED = (
    b"\xdb\x07\x09"
    b"\x00\x11\x81\x00\x00\x07\x6a\x00\x0c\x05\x05\x12\x34\x01\x02\x03\x02\xff\xff"
    b"\x00\x08\x01\x00\x00\x00\x38\x01\x2c\xff"
    b"\x00\x0c\x41\x00\x00\x40\x6a\x00\x00\x00\x03\x00\x00\xff"
)


class TestDevbin(unittest.TestCase):
    def test_recorded_bytes(self):
        self.assertEqual(encode_devbin(7, 9, 1, DEVICES), RECORDED)

    def test_what_was_encoded_is_read_back(self):
        self.assertEqual(decode_devbin(RECORDED), (7, 9, [(1,) + device for device in DEVICES]))
        self.assertEqual(decode_devbin(memoryview(RECORDED)), decode_devbin(RECORDED))
        self.assertEqual(decode_devbin(encode_devbin(255, 0, 15, [])), (255, 0, []))

    def test_its_size_is_known_beforehand(self):
        for sizes in ([], [0], [3, 0], [MAX_DATA] * 10):
            device = (0x38, 1, ONLINE, 0, [(0, bytes(size)) for size in sizes])
            self.assertEqual(len(encode_devbin(0, 0, 1, [device])), 3 + devbin_size(sizes))

    def test_what_is_cut_anywhere_is_refused_or_has_fewer_devices(self):
        ends = (3, 3 + 19, 3 + 19 + 10, len(RECORDED))
        for size in range(len(RECORDED)):
            if size in ends:
                self.assertEqual(len(decode_devbin(RECORDED[:size])[2]), ends.index(size))
            else:
                with self.assertRaises(ValueError):
                    decode_devbin(RECORDED[:size])

    def test_a_record_or_a_sample_that_is_shorter_than_its_head_is_refused(self):
        head = b"\x81\x00\x00\x00\x38\x00\x01\x00"
        for size in range(8):
            with self.assertRaisesRegex(ValueError, "at byte 3: a device's record of %d bytes" % size):
                decode_devbin(b"\xdb\x00\x00\x00" + bytes((size,)) + head)
        for size in (0, 1):
            with self.assertRaisesRegex(ValueError, "at byte 13: a sample of %d bytes" % size):
                decode_devbin(b"\xdb\x00\x00\x00\x0b" + head + bytes((size, 0, 0)))

    def test_no_bytes_raise_anything_but_value_error(self):
        noise = Noise(7)
        for count in range(2000):
            data = bytearray(RECORDED) if count % 2 else bytearray(noise.data(noise.number(40)))
            for _ in range(1 + noise.number(3)):
                if data:
                    data[noise.number(len(data))] = noise.number(256)
            if not count % 3 and data:
                data[0] = 0xDB
            try:
                _, _, devices = decode_devbin(bytes(data))
            except ValueError:
                continue
            for bus, address, number, status, _, samples in devices:
                self.assertTrue(bus < 16 and address >= 0 and number < 65536 and status < 3)
                self.assertTrue(all(len(sample) <= MAX_DATA for _, sample in samples))

    def test_other_versions_are_refused(self):
        for first in (0xDA, 0xDC, 0xDF, 0x00):
            with self.assertRaisesRegex(ValueError, "begins with 0xdb"):
                decode_devbin(bytes((first,)) + RECORDED[1:])

    def test_what_does_not_fit_is_refused(self):
        good = (0x38, 1, ONLINE, 0, [(0, b"")])
        for arguments, item in (
            ((256, 0, 1, [good]), "topic"), ((0, -1, 1, [good]), "sequence"), ((0, 0, 16, [good]), "bus"),
            ((0, 0, 1, [(0x8000, 1, 1, 0, [])]), "address"), ((0, 0, 1, [(0x38, 65536, 1, 0, [])]), "type"),
            ((0, 0, 1, [(0x38, 1, 3, 0, [])]), "status"), ((0, 0, 1, [(0x38, 1, 1, 256, [])]), "device sequence"),
            ((0, 0, 1, [(0x38, 1, 1, 0, [(65536, b"")])]), "stamp"),
            ((0, 0, 1, [(0x38, 1, 1, 0, [(0, bytes(254))])]), "bytes of a sample"),
            ((0, 0, 1, [(0x38, 1, 1, 0, [(0, bytes(253))] * 256)]), "samples of device 38"),
            ((None, 0, 1, [good]), "topic"), ((True, 0, 1, [good]), "topic"),
        ):  # fmt: skip
            with self.subTest(item=item):
                with self.assertRaises(ValueError) as caught:
                    encode_devbin(*arguments)
                self.assertIn(item, str(caught.exception))


if __name__ == "__main__":
    unittest.main()
