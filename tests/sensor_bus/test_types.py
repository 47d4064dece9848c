"""Our own records: values of the data sheets' examples, how types at one address are told apart, their sources."""

import json
import sys
import unittest
from binascii import unhexlify

from sensor_bus.decode import crc8, readings
from sensor_bus.loader import entry, types
from sensor_bus.records import DETECTION, POLL, Records
from tests.sensor_bus.programs import listed, matching

NAMES = (
    "AHT20", "TMP117", "ADS1115", "INA219", "SHT40", "SHT31", "BME280", "MCP9808", "VEML7700", "VCNL4040", "LPS25",
    "ADXL313", "LSM6DS", "AS5600", "MAX30101", "VL53L4CD",
)  # fmt: skip


def own():
    with open("sensor_bus/types.json", "rb") as file:
        return types(file.read())


TYPES = own()


def decoded(name, data):
    """Returns ({value name: value}, invalid) of one plain sample, hex."""
    ((_, values, invalid),) = readings(TYPES[name]["devInfoJson"], unhexlify(data))
    return values, invalid


def detected(name, *answers):
    records = Records(b"\x01\x00")
    return matching(records.field(records.add(TYPES[name]), DETECTION), *answers)


class TestRecords(unittest.TestCase):
    def test_each_is_there_and_names_its_source(self):
        self.assertEqual(sorted(TYPES), sorted(NAMES))
        for name, record in TYPES.items():
            with self.subTest(name=name):
                entry(record)
                self.assertTrue(len(record["source"]) > 40)
                self.assertIn("data sheet", record["source"])
                self.assertTrue(record["devInfoJson"]["resp"]["a"])

    @unittest.skipUnless(sys.implementation.name == "cpython", "MicroPython's dicts have no order")
    def test_the_order_in_which_they_are_tried(self):
        self.assertEqual(tuple(TYPES), NAMES)

    def test_all_values_have_a_range_and_a_unit_of_their_own(self):
        for name, record in TYPES.items():
            for attribute in record["devInfoJson"]["resp"]["a"]:
                self.assertIn("r", attribute, name)


class TestDetection(unittest.TestCase):
    def test_the_identification_of_each_is_taken_and_another_is_not(self):
        for name, good, bad in (
            ("TMP117", ["0117"], ["0118"]), ("TMP117", ["3117"], ["7fff"]), ("BME280", ["60"], ["58"]),
            ("MCP9808", ["0054", "0400"], ["0054", "0500"]), ("VEML7700", ["81c4"], ["82c4"]),
            ("VEML7700", ["81d4"], ["81e4"]), ("VCNL4040", ["8601"], ["8611"]), ("LPS25", ["bd"], ["bb"]),
            ("ADXL313", ["ad1dcb"], ["ad1dcc"]), ("LSM6DS", ["69"], ["6c"]), ("LSM6DS", ["6a"], ["68"]),
            ("AS5600", ["00", "20"], ["00", "21"]), ("AS5600", ["03", "38"], ["04", "20"]),
            ("MAX30101", ["15"], ["11"]),
            ("VL53L4CD", ["ebaa"], ["eacc"]), ("ADS1115", ["8000", "7fff"], ["8000", "7ffe"]),
            ("INA219", ["0000", "0000", "0000", "399f"], ["0000", "0000", "0000", "0000"]),
            ("INA219", ["399f", "0000", "0000", "399f"], ["1111", "e4e4"]),  # a PCA9685, which is left as it is
            ("SHT40", ["beef92beef92"], ["beef92beef93"]), ("SHT40", ["000081000081"], ["399f399f399f"]),
            ("SHT31", ["8010e1"], ["4010e1"]), ("SHT31", ["0000" + "81"], ["000c81"]),
        ):  # fmt: skip
            with self.subTest(name=name, good=good):
                self.assertTrue(detected(name, *good))
                self.assertFalse(detected(name, *bad))


class TestValues(unittest.TestCase):
    def test_examples(self):
        for name, data, wanted, invalid in (
            # TMP117 data sheet, table 7-1.
            ("TMP117", "8000", {"temperature": -256.0}, ("temperature",)),
            ("TMP117", "f380", {"temperature": -25.0}, ()), ("TMP117", "ffff", {"temperature": -0.0078125}, ()),
            ("TMP117", "0001", {"temperature": 0.0078125}, ()), ("TMP117", "0c80", {"temperature": 25.0}, ()),
            ("TMP117", "3200", {"temperature": 100.0}, ()), ("TMP117", "4b00", {"temperature": 150.0}, ()),
            # MCP9808 data sheet, 5.1.3.1: the upper three bits are flags.
            ("MCP9808", "c194", {"temperature": 25.25}, ()), ("MCP9808", "1fff", {"temperature": -0.0625}, ()),
            ("MCP9808", "1e6c", {"temperature": -25.25}, ()),
            ("MCP9808", "1c90", {"temperature": -55.0}, ("temperature",)),
            # INA219 data sheet, 8.5.2: 20 mV, 11.98 V, and 0.2 A through 0.1 ohm.
            ("INA219", "07d05d9a", {"shunt": 20.0, "voltage": 11.98, "current": 0.2}, ()),
            ("INA219", "f8305d98", {"shunt": -20.0, "voltage": 11.98, "current": -0.2}, ()),
            # ADS1115 data sheet, table 7-3, at +-4.096 V.
            ("ADS1115", "7fff000180000000", {"a0": 4.095875, "a1": 0.000125, "a2": -4.096, "a3": 0.0}, ()),
            ("LPS25", "0200543fa0d6", {"ready": 1, "pressure": 1013.25, "temperature": 20.43333}, ()),
            ("AS5600", "200800", {"magnet": 1, "angle": 180.0}, ()),
            ("AS5600", "100800", {"magnet": 0, "angle": 180.0}, ("angle",)),
            ("ADXL313", "000400fc0008", {"ax": 1.0, "ay": -1.0, "az": 2.0}, ()),
            ("VEML7700", "64000a00", {"als": 53.76, "white": 5.376}, ()),
            ("VCNL4040", "e8030a006400", {"proximity": 1000, "als": 1.0, "white": 10.0}, ()),
            ("VL53L4CD", "0901f4", {"valid": 1, "distance": 500}, ()),
            ("VL53L4CD", "0401f4", {"valid": 0, "distance": 500}, ("distance",)),
            ("VL53L4CD", "e901f4", {"valid": 1, "distance": 500}, ()),
        ):  # fmt: skip
            with self.subTest(name=name, data=data):
                values, found_invalid = decoded(name, data)
                self.assertEqual(sorted(values), sorted(wanted))
                for key in wanted:
                    self.assertAlmostEqual(values[key], wanted[key], delta=0.0001)
                self.assertEqual(found_invalid, invalid)

    def test_aht20(self):
        """50 % and 25 degrees are half of the range, and 3/8 of it."""
        data = unhexlify("188000060000")
        sample = data + bytes((crc8(data, 0, 6),))
        info = TYPES["AHT20"]["devInfoJson"]
        self.assertEqual(readings(info, sample), [(0, {"ready": 1, "humidity": 50.0, "temperature": 25.0}, ())])
        self.assertEqual(readings(info, sample[:6] + b"\0")[0][2], ("humidity", "temperature"))
        busy = b"\x98" + data[1:]
        busy += bytes((crc8(busy, 0, 6),))
        self.assertEqual(readings(info, busy)[0][1:], ({"ready": 0, "humidity": 50.0, "temperature": 25.0},
                                                       ("humidity", "temperature")))  # fmt: skip

    def test_sensirion(self):
        """0x6666 is 0.4 of the range: 25 degrees; SHT4x data sheet, 4.6, and SHT3x-DIS data sheet, 4.13."""
        word = b"\x66\x66"
        sample = (word + bytes((crc8(word, 0, 2),))) * 2
        for name, humidity in (("SHT40", 44.0), ("SHT31", 40.0)):
            ((_, values, invalid),) = readings(TYPES[name]["devInfoJson"], sample)
            self.assertAlmostEqual(values["temperature"], 25.0, delta=0.0001)
            self.assertAlmostEqual(values["humidity"], humidity, delta=0.0001)
            self.assertEqual(invalid, ())
            self.assertEqual(readings(TYPES[name]["devInfoJson"], sample[:5] + b"\0")[0][2], ("humidity",))
            self.assertEqual(readings(TYPES[name]["devInfoJson"], b"\0" + sample[1:])[0][2], ("temperature",))


class TestPolls(unittest.TestCase):
    def poll(self, name, got):
        records = Records(b"\x01\x00")
        return listed(records.field(records.add(TYPES[name]), POLL), got)

    def test_the_fifo_of_the_lsm6ds(self):
        self.assertEqual(self.poll("LSM6DS", b"\x1e\x00\0\0")[1], ("3e", 60, 0))
        self.assertEqual(self.poll("LSM6DS", b"\x00\x10\0\0")[1], ("3e", 0, 0))
        self.assertEqual(self.poll("LSM6DS", b"\x10\x81\0\0")[1], ("3e", 240, 0))

    def test_a_full_fifo_that_shows_no_words_is_read(self):
        """DIFF_FIFO has 12 bits for 4096 words. Reading as many as it shows would never empty it."""
        self.assertEqual(self.poll("LSM6DS", b"\x00\x20\0\0")[1], ("3e", 240, 0))
        self.assertEqual(self.poll("LSM6DS", b"\x00\x40\0\0")[1], ("3e", 240, 0))

    def test_the_fifo_of_the_max30101(self):
        for got, size in ((b"\x05\x00\x02", 18), (b"\x02\x00\x1f", 18), (b"\x05\x00\x05", 0), (b"\x05\x03\x05", 18),
                          (b"\x05\x1f\x05", 96), (b"\x1f\x00\x00", 96)):  # fmt: skip
            self.assertEqual(self.poll("MAX30101", got)[1], ("07", size, 0))

    def test_the_four_inputs_of_the_ads1115(self):
        self.assertEqual(
            self.poll("ADS1115", b""),
            [step for mux in ("c", "d", "e", "f") for step in (("01%s383" % mux, 0, 10), ("00", 2, 0))],
        )


class TestFile(unittest.TestCase):
    def test_it_is_json_and_ends_with_a_line(self):
        with open("sensor_bus/types.json", "rb") as file:
            text = file.read()
        self.assertEqual(sorted(json.loads(str(text, "utf-8"))["devTypes"]), sorted(NAMES))
        self.assertEqual(text[-2:], b"}\n")


if __name__ == "__main__":
    unittest.main()
