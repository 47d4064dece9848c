import unittest

from protocol import control
from protocol.config_record import encode_config
from protocol.control_client import decode_report
from tests.protocol.noise import Noise, every_flip

CONFIG = (8123, "10.0.0.2", 1500, 60, "my net", "pa\u00dfword")


class TestConfig(unittest.TestCase):
    def test_every_field_comes_back(self):
        self.assertEqual(control.decode_config(encode_config(*CONFIG)), CONFIG)

    def test_empty_texts_are_valid(self):
        config = (1, "s", 0, 0, "", "")
        self.assertEqual(control.decode_config(encode_config(*config)), config)

    def test_longest_texts_are_valid(self):
        config = (65535, "s" * 255, 0xFFFFFFFF, 0xFFFFFFFF, "i" * 255, "p" * 255)
        self.assertEqual(control.decode_config(encode_config(*config)), config)

    def test_longer_text_is_refused(self):
        with self.assertRaises(ValueError):
            encode_config(1, "s" * 256, 0, 0, "", "")

    def test_record_cut_off_anywhere_is_malformed(self):
        record = encode_config(*CONFIG)
        for end in range(len(record)):
            self.assertIsNone(control.decode_config(record[:end]))

    def test_trailing_bytes_are_malformed(self):
        self.assertIsNone(control.decode_config(encode_config(*CONFIG) + b"x"))

    def test_text_that_is_not_utf8_is_malformed(self):
        record = encode_config(1, "server", 0, 0, "", "").replace(b"erv", b"\xff\xfe\xfd")
        self.assertIsNone(control.decode_config(record))

    def test_flipped_bit_gives_a_config_or_none(self):
        for record in every_flip(encode_config(*CONFIG)):
            config = control.decode_config(memoryview(record))
            self.assertTrue(config is None or len(config) == 6)

    def test_noise_gives_a_config_or_none(self):
        noise = Noise(1)
        for size in range(200):
            config = control.decode_config(noise.data(size))
            self.assertTrue(config is None or len(config) == 6)


class TestReport(unittest.TestCase):
    def test_every_number_comes_back(self):
        buf = bytearray(24)
        size = control.encode_report_into(buf, 3, 7, 0xFFFFFFFF, 24000, 9)
        self.assertEqual(size, control.REPORT_BYTES)
        self.assertEqual(decode_report(buf[3 : 3 + size]), [7, 0xFFFFFFFF, 24000, 9])

    def test_report_of_another_length_is_malformed(self):
        for size in (0, 1, control.REPORT_BYTES - 1, control.REPORT_BYTES + 1, 100):
            self.assertIsNone(decode_report(bytes(size)))


if __name__ == "__main__":
    unittest.main()
