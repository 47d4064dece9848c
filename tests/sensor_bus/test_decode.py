"""Values out of samples: each item of an attribute, in the order in which they are applied, and what is not valid."""

import unittest
from binascii import unhexlify

from sensor_bus.decode import crc8, format_of, ranges_of, readings, shown, type_of, unit_text, units


def info(*attributes, **resp):
    return {"resp": dict({"a": list(attributes)}, **resp)}


def value(data, **attribute):
    """Returns the value of one attribute in these bytes, hex."""
    found = readings(info(dict({"n": "x"}, **attribute)), unhexlify(data))
    return found[0][1]["x"]


class TestValues(unittest.TestCase):
    def test_types(self):
        for kind, data, wanted in (
            ("B", "ff", 255), ("b", "ff", -1), (">H", "0102", 0x0102), ("<H", "0102", 0x0201), ("H", "0102", 0x0201),
            (">h", "fffe", -2), (">I", "01020304", 0x01020304), ("<i", "feffffff", -2), (">l", "fffffffe", -2),
            (">Q", "0102030405060708", 0x0102030405060708), ("<q", "ffffffffffffffff", -1), (">f", "3fc00000", 1.5),
            ("<d", "000000000000f83f", 1.5), ("3B", "010203", [1, 2, 3]), ("B[3]", "010203", [1, 2, 3]),
            (">2h", "0001ffff", [1, -1]), ("B[1]", "07", 7), ("4s", "61620000", "ab"), ("2s", "c3a4", "\u00e4"),
            ("2s", "ff61", "\u00ffa"),
        ):  # fmt: skip
            with self.subTest(kind=kind):
                self.assertEqual(value(data, t=kind), wanted)

    def test_a_shift_to_the_right_is_positive(self):
        """One of upstream's decoders shifts to the left: AHT20, 50 % humidity becomes 838860800."""
        self.assertEqual(value("80000000", t=">I", m="0xfffff000", s=12, d=10485.76), 50.0)
        self.assertEqual(value("0f", t="B", s=-4), 0xF0)
        self.assertEqual(value("f0", t="b", s=4), -1)

    def test_a_negative_temperature_of_the_published_mcp9808_is_right(self):
        """Both of upstream's decoders give -255.94 for 0x1fff: `ss - value`, with the sign bit still in the value."""
        published = {"t": ">H", "m": "0x1fff", "d": 16, "sb": 12, "ss": 4096}
        for data, wanted in (
            ("1fff", -0.0625), ("1ff0", -1.0), ("1e70", -25.0), ("1d80", -40.0), ("dfff", -0.0625), ("0190", 25.0),
            ("c190", 25.0), ("07d0", 125.0), ("0000", 0.0),
        ):  # fmt: skip
            with self.subTest(data=data):
                self.assertEqual(value(data, **published), wanted)

    def test_the_order_of_what_is_done(self):
        # ((0xa5 ^ 0xff) & 0x7c) >> 2 = 0x16 = 22; / 2 + 1
        self.assertEqual(value("a5", t="B", x="0xff", m="0x7c", s=2, d=2, a=1), 12.0)
        self.assertEqual(value("a5", t="B", x=255, m=124, s=2, d=2, a=1), 12.0)
        # The sign comes before the shift: 0xf0 - 256 = -16, >> 2 = -4.
        self.assertEqual(value("f0", t="B", sb=7, s=2), -4)
        # lut comes last: 4 / 2 + 1 = 3.
        self.assertEqual(value("04", t="B", d=2, a=1, lut=[{"r": "3", "v": 9}, {"r": "4", "v": 8}]), 9)

    def test_a_mask_of_a_signed_type_carries_the_sign(self):
        self.assertEqual(value("0fff", t=">h", m="0x0fff"), -1)
        self.assertEqual(value("f7ff", t=">h", m="0x0fff"), 0x7FF)
        self.assertEqual(value("f001", t=">h", m="0x0fff"), 1)

    def test_no_divisor_leaves_a_whole_number(self):
        self.assertIsInstance(value("05", t="B"), int)
        self.assertEqual(value("05", t="B", d=0), 5)
        self.assertEqual(value("05", t="B", a=-50), -45)

    def test_lut(self):
        lut = [{"r": "1,3-5,0x10", "v": 0.5}, {"r": "", "v": 7}]
        for data, wanted in (("01", 0.5), ("03", 0.5), ("05", 0.5), ("10", 0.5), ("02", 7), ("06", 7)):
            self.assertEqual(value(data, t="B", lut=lut), wanted)
        self.assertEqual(value("02", t="B", lut=lut[:1]), 2)
        self.assertEqual(ranges_of("1,3-5,0x10"), [(1, 1), (3, 5), (16, 16)])

    def test_places(self):
        found = readings(
            info(
                {"n": "a", "t": "B"}, {"n": "b", "t": ">H", "at": 2}, {"n": "c", "t": "B"},
                {"n": "d", "t": ">H", "at": [3, 0]}, {"n": "e", "t": "B", "at": 0},
            ),
            b"\x01\x02\x03\x04",
        )  # fmt: skip
        self.assertEqual(found, [(0, {"a": 1, "b": 0x0304, "c": 2, "d": 0x0401, "e": 1}, ())])

    def test_bytes_of_any_kind_are_taken(self):
        one = info({"n": "a", "t": ">H"}, {"n": "b", "t": "2s"})
        for data in (b"\x01\x02ab", bytearray(b"\x01\x02ab"), memoryview(b"\x01\x02ab")):
            self.assertEqual(readings(one, data), [(0, {"a": 0x0102, "b": "ab"}, ())])


class TestValidity(unittest.TestCase):
    def test_a_value_out_of_its_range_is_marked_and_still_there(self):
        one = info({"n": "x", "t": "b", "r": [-5, 5]})
        for found, invalid in ((5, ()), (-5, ()), (6, ("x",)), (-6, ("x",))):
            self.assertEqual(readings(one, bytes((found & 255,))), [(0, {"x": found}, invalid)])

    def test_a_range_that_is_empty_limits_nothing(self):
        self.assertEqual(readings(info({"n": "x", "t": "B", "r": [0, 0]}), b"\x09")[0][2], ())

    def test_what_another_value_says_is_not_valid(self):
        one = info({"n": "dist", "t": "B", "vft": "ok"}, {"n": "ok", "t": "B", "m": 1})
        self.assertEqual(readings(one, b"\x09\x03"), [(0, {"dist": 9, "ok": 1}, ())])
        self.assertEqual(readings(one, b"\x09\x02"), [(0, {"dist": 9, "ok": 0}, ("dist",))])

    def test_an_element_of_an_array_and_nan(self):
        self.assertEqual(readings(info({"n": "x", "t": "2B", "r": [0, 5]}), b"\x01\x06")[0][2], ("x",))
        self.assertEqual(readings(info({"n": "x", "t": ">f"}), b"\x7f\xc0\0\0")[0][2], ("x",))

    def test_a_short_sample_gives_none_for_what_it_does_not_have(self):
        one = info({"n": "a", "t": "B"}, {"n": "b", "t": ">H", "vft": "a"}, {"n": "c", "t": ">H", "at": [0, 9]})
        self.assertEqual(readings(one, b"\x01\x02"), [(0, {"a": 1, "b": None, "c": None}, ("b", "c"))])
        self.assertEqual(readings(one, b"")[0][2], ("a", "b", "c"))

    def test_a_wrong_checksum_is_marked(self):
        one = info({"n": "t", "t": ">H", "crc8": [0, 2]}, {"n": "h", "t": ">H", "at": 3, "crc8": [3, 2]})
        good = unhexlify("beef92000081")
        self.assertEqual([crc8(good, 0, 2), crc8(good, 3, 2)], [0x92, 0x81])  # SHT4x data sheet, 4.4: 0xbeef gives 0x92
        self.assertEqual(readings(one, good)[0][2], ())
        for at in range(6):
            for bit in range(8):
                bad = bytearray(good)
                bad[at] ^= 1 << bit
                self.assertEqual(readings(one, bad)[0][2], ("t",) if at < 3 else ("h",))
        self.assertEqual(readings(one, good[:5])[0][2], ("h",))


class TestNames(unittest.TestCase):
    def test_units_and_names_for_people(self):
        one = info(
            {"n": "t", "t": "B", "u": "&deg;C"},
            {"n": "f", "t": "B", "u": "&micro;T", "vs": False},
            {"n": "x", "t": "B"},
        )
        self.assertEqual(units(one), {"t": "\u00b0C", "f": "\u00b5T", "x": ""})
        self.assertEqual(shown(one), ["t", "x"])
        self.assertEqual((units({}), shown({}), readings({}, b"1")), ({}, [], [(0, {}, ())]))
        self.assertEqual(unit_text("m/s&sup2;"), "m/s\u00b2")

    def test_what_is_no_type_is_refused(self):
        for kind in ("", "<", "x", "HH", "B[", "B[]", "B[x]", "0B", "B[0]", "1000B", "=H", "<>H", "-1B", "B[3]]", "H3"):
            with self.subTest(kind=kind), self.assertRaises(ValueError):
                type_of(kind)
        self.assertEqual((format_of(">h"), format_of("B[9]"), format_of(">h", True)), (">1h", "<9B", ">1H"))


if __name__ == "__main__":
    unittest.main()
