"""devjson: its text, what is read back, and what is refused."""

import unittest

from sensor_bus.devjson import decode_devjson, encode_devjson
from sensor_bus.publish import OFFLINE, ONLINE, PENDING_DELETION
from tests.protocol.noise import Noise
from tests.sensor_bus.test_publish import DEVICES


class TestDevjson(unittest.TestCase):
    SIZES = {12: 3, 300: 2, 0: 1}
    TEXT = (
        '{"_t":7,"_v":1,"1":{"76a":{"x":"1234010203ffff000000","_o":1,"_i":12},'
        '"38":{"x":"","_o":0,"_i":300},"406a":{"x":"0000ff","_o":2,"_i":0}}}'
    )

    def test_recorded_text(self):
        self.assertEqual(encode_devjson(7, 1, DEVICES, self.SIZES), self.TEXT)

    def test_what_was_encoded_is_read_back_with_zeros_behind_what_was_read(self):
        topic, devices = decode_devjson(self.TEXT, self.SIZES)
        self.assertEqual(topic, 7)
        self.assertEqual(sorted(devices), sorted([
            (1, 0x76A, 12, ONLINE, [(0x1234, b"\x01\x02\x03"), (0xFFFF, b"\0\0\0")]),
            (1, 0x38, 300, OFFLINE, []),
            (1, 0x406A, 0, PENDING_DELETION, [(0, b"\xff")]),
        ]))  # fmt: skip

    def test_what_is_no_devjson_is_refused(self):
        for text in (
            "", "[]", "{", '{"_t":256,"_v":1}', '{"_v":1}', '{"_t":1,"_v":2}', '{"_t":1,"16":{}}', '{"_t":1,"x":{}}',
            '{"_t":1,"1":[]}', '{"_t":1,"1":{"0x38":{"x":"","_o":1,"_i":1}}}', '{"_t":1,"1":{"38":[]}}',
            '{"_t":1,"1":{"38":{"x":"","_o":3,"_i":1}}}', '{"_t":1,"1":{"38":{"x":"","_o":1}}}',
            '{"_t":1,"1":{"38":{"x":"0","_o":1,"_i":12}}}', '{"_t":1,"1":{"38":{"x":"zz","_o":1,"_i":12}}}',
            '{"_t":1,"1":{"38":{"x":5,"_o":1,"_i":12}}}', '{"_t":1,"1":{"38":{"x":"00000102","_o":1,"_i":12}}}',
            '{"_t":1,"1":{"38":{"x":"0000","_o":1,"_i":99}}}', '{"_t":1,"":{}}', '{"_t":1,"-1":{}}',
        ):  # fmt: skip
            with self.subTest(text=text), self.assertRaises(ValueError):
                decode_devjson(text, self.SIZES)

    def test_no_text_raises_anything_but_value_error(self):
        noise = Noise(3)
        for _ in range(500):
            data = bytearray(self.TEXT.encode())
            for _ in range(1 + noise.number(4)):
                data[noise.number(len(data))] = noise.number(128)
            try:
                decode_devjson(bytes(data), self.SIZES)
            except ValueError:
                pass

    def test_what_does_not_fit_is_refused(self):
        with self.assertRaisesRegex(ValueError, "has 2 bytes, its type 1"):
            encode_devjson(0, 1, [(0x38, 0, ONLINE, 0, [(0, b"ab")])], self.SIZES)
        with self.assertRaisesRegex(ValueError, "type 5 is not known"):
            encode_devjson(0, 1, [(0x38, 5, ONLINE, 0, [])], self.SIZES)


if __name__ == "__main__":
    unittest.main()
