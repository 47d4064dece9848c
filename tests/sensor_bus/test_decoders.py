"""Decoders of FIFOs and of the BME280, against the data sheets' examples, other formulas, and any bytes."""

import unittest
from struct import pack

from sensor_bus.decode import readings
from sensor_bus.decoders import rows_of
from tests.protocol.noise import Noise

# The example of the BMP280 data sheet (BST-BMP280-DS001, 3.12): its formulas of temperature and pressure are the same.
T = (27504, 26435, -1000)
P = (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
RAW_T, RAW_P = 519888, 415148
H = (75, 362, 0, 324, 50, 30)  # as read from a device


def bme280(raw_p=RAW_P, raw_t=RAW_T, raw_h=0x6A00, h=H):
    """Returns the bytes of a sample and its constants."""
    h1, h2, h3, h4, h5, h6 = h
    sample = (raw_p << 4).to_bytes(3, "big") + (raw_t << 4).to_bytes(3, "big") + raw_h.to_bytes(2, "big")
    low = h4 & 15 | (h5 & 15) << 4
    return sample + pack("<HhhHhhhhhhhhBB", *(T + P + (0, h1))) + pack("<hBbBbb", h2, h3, h4 >> 4, low, h5 >> 4, h6)


def humidity(raw, fine, h):
    """The data sheet's formula with floats, BST-BME280-DS002 8.1."""
    h1, h2, h3, h4, h5, h6 = h
    x = fine - 76800.0
    x = (raw - (h4 * 64.0 + h5 / 16384.0 * x)) * (
        h2 / 65536.0 * (1.0 + h6 / 67108864.0 * x * (1.0 + h3 / 67108864.0 * x))
    )
    x *= 1.0 - h1 * x / 524288.0
    return max(0.0, min(100.0, x))


class TestBME280(unittest.TestCase):
    def test_the_example_of_the_data_sheet(self):
        ((pressure, temperature, _),) = rows_of("bme280", bme280())
        self.assertAlmostEqual(temperature, 25.08, delta=0.001)
        self.assertAlmostEqual(pressure, 100653.27, delta=0.1)

    def test_humidity_is_that_of_the_formula_with_floats(self):
        for raw_h in (0, 0x4000, 0x5500, 0x6A00, 0x7FFF, 0x9000, 0xFFFF):
            for h in (H, (75, 370, 0, 310, -50, 30), (0, 400, 255, -300, 0, -30)):
                ((_, _, found),) = rows_of("bme280", bme280(raw_h=raw_h, h=h))
                self.assertAlmostEqual(found, humidity(raw_h, 128422, h), delta=0.03)

    def test_humidity_is_rounded_as_the_formula_with_whole_numbers_says(self):
        """Recorded; another implementation of 4.2.3, that of the simulated device, gives the same."""
        for raw_h, wanted in ((0x5500, 4.8896484375), (0x6A00, 35.095703125), (0x7FFF, 66.45703125)):
            ((_, _, found),) = rows_of("bme280", bme280(raw_h=raw_h))
            self.assertEqual(found, wanted)

    def test_what_was_skipped_is_no_value(self):
        self.assertEqual(rows_of("bme280", bme280(raw_t=0x80000)), [(None, None, None)])
        ((pressure, temperature, found),) = rows_of("bme280", bme280(raw_p=0x80000, raw_h=0x8000))
        self.assertEqual((pressure, found), (None, None))
        self.assertAlmostEqual(temperature, 25.08, delta=0.001)

    def test_without_constants_there_is_no_value(self):
        self.assertEqual(rows_of("bme280", bme280()[:40]), [(None, None, None)])
        self.assertEqual(rows_of("bme280", bytes(41)), [(None, 0.0, 0.0)])

    def test_a_missing_value_is_marked_by_readings(self):
        attributes = [{"n": "p", "t": "f", "d": 100}, {"n": "t", "t": "f"}, {"n": "h", "t": "f"}]
        info = {"resp": {"c": {"n": "bme280"}, "a": attributes}}
        self.assertEqual(readings(info, b""), [(0, {"p": None, "t": None, "h": None}, ("p", "t", "h"))])
        ((_, values, invalid),) = readings(info, bme280())
        self.assertAlmostEqual(values["p"], 1006.5327, delta=0.001)
        self.assertEqual(invalid, ())


def point(value):
    return value.to_bytes(3, "big") + (value + 1).to_bytes(3, "big")


class TestMAX30101(unittest.TestCase):
    def test_as_many_points_as_the_pointers_say(self):
        data = b"".join(point(value) for value in (10, 20, 30))
        self.assertEqual(rows_of("max30101_fifo", b"\x02\x00\x00" + data), [(10, 11), (20, 21)])
        self.assertEqual(rows_of("max30101_fifo", b"\x01\x00\x1f" + data), [(10, 11), (20, 21)])  # they wrap
        self.assertEqual(rows_of("max30101_fifo", b"\x05\x00\x05" + data), [])

    def test_equal_pointers_of_a_full_fifo_are_not_empty(self):
        data = b"".join(point(value) for value in range(0, 40, 10))
        self.assertEqual(len(rows_of("max30101_fifo", b"\x05\x03\x05" + data)), 3)
        self.assertEqual(len(rows_of("max30101_fifo", b"\x05\x1f\x05" + data)), 4)

    def test_points_that_were_not_read_are_none(self):
        self.assertEqual(rows_of("max30101_fifo", b"\x08\x00\x00" + point(5) + b"\x01"), [(5, 6)])
        self.assertEqual(rows_of("max30101_fifo", b"\x08\x00"), [])


def fifo(words, pattern=0, flags=0, extra=b""):
    head = bytes((len(words) & 0xFF, len(words) >> 8 | flags, pattern & 0xFF, pattern >> 8))
    return head + b"".join(pack("<h", word) for word in words) + extra


class TestLSM6DS(unittest.TestCase):
    def test_whole_points(self):
        self.assertEqual(rows_of("lsm6ds_fifo", fifo([1, -2, 3, 4, 5, -6])), [(1, -2, 3, 4, 5, -6)])
        self.assertEqual(rows_of("lsm6ds_fifo", fifo(list(range(13)))), [tuple(range(6)), tuple(range(6, 12))])
        self.assertEqual(rows_of("lsm6ds_fifo", fifo([])), [])

    def test_words_of_a_point_that_was_begun_are_left_out(self):
        for pattern in range(1, 6):
            words = list(range(100, 106 - pattern)) + list(range(6))
            self.assertEqual(rows_of("lsm6ds_fifo", fifo(words, pattern)), [tuple(range(6))])

    def test_no_more_than_was_read(self):
        data = fifo(list(range(12)))
        for size in range(len(data)):
            self.assertEqual(len(rows_of("lsm6ds_fifo", data[:size])), max(0, (size - 4) // 12))

    def test_a_full_fifo_shows_no_words_and_has_them(self):
        data = bytearray(fifo(list(range(12)), flags=0x20))
        data[0] = 0
        self.assertEqual(len(rows_of("lsm6ds_fifo", data)), 2)

    def test_times_of_a_fifo_lead_up_to_the_poll(self):
        attributes = [{"n": name, "t": "<h", "d": 2} for name in "abcdef"]
        info = {"resp": {"c": {"n": "lsm6ds_fifo"}, "us": 9615, "a": attributes}}
        found = readings(info, fifo(list(range(18))))
        self.assertEqual([offset for offset, _, _ in found], [-19230, -9615, 0])
        self.assertEqual(found[0][1], {"a": 0.0, "b": 0.5, "c": 1.0, "d": 1.5, "e": 2.0, "f": 2.5})
        self.assertEqual(readings(info, fifo([])), [])


class TestAnyBytes(unittest.TestCase):
    def test_no_bytes_raise_anything(self):
        noise = Noise(17)
        for name in ("bme280", "max30101_fifo", "lsm6ds_fifo"):
            for _ in range(300):
                data = noise.data(noise.number(60))
                for row in rows_of(name, data):
                    self.assertTrue(all(value is None or isinstance(value, (int, float)) for value in row))

    def test_an_unknown_decoder_is_named(self):
        with self.assertRaisesRegex(ValueError, "no decoder 'other'"):
            rows_of("other", b"")


if __name__ == "__main__":
    unittest.main()
