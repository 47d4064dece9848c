"""What a devInfoJson may say: each fault is found when it is loaded, so that decoding cannot fail later."""

import unittest

from sensor_bus.info import check_info


def info(attribute=None, **resp):
    return {"name": "T", "resp": dict({"b": 4, "a": [dict({"n": "x", "t": ">H"}, **(attribute or {}))]}, **resp)}


class TestInfo(unittest.TestCase):
    def test_good_ones_are_taken(self):
        for good in (
            {}, {"resp": {}}, info(), info(u="m"), info({"at": [3, 0]}), info({"m": "0xff", "x": 1, "sb": 7, "s": -3}),
            info({"t": "4s"}), info({"d": 0.5, "a": -2, "r": [-1.5, 2]}), info({"vft": "x"}), info({"crc8": [0, 3]}),
            info({"lut": [{"r": "", "v": 1}, {"r": "1-2", "v": 0}]}), info(c={"n": "bme280"}, b=41), info(us=40000),
        ):  # fmt: skip
            with self.subTest(good=good):
                check_info(good)

    def test_each_fault_is_refused_with_its_name(self):
        for bad, what in (
            (None, "devInfoJson"), ([], "devInfoJson"), ({"name": 5}, "devInfoJson.name"), ({"resp": []}, "resp"),
            ({"resp": {"a": {}}}, "resp.a"), ({"resp": {"a": [5]}}, "resp.a[0]"),
            ({"resp": {"a": [{"t": "B"}]}}, "resp.a[0]"),
            ({"resp": {"a": [{"n": "x", "t": "B"}] * 2}}, "resp.a[1]"),
            ({"resp": {"a": [{"n": "x"}] * 65}}, "at most 64"),
            (info(b=254), "resp.b"), (info(b="4"), "resp.b"), (info(us=0), "resp.us"), (info(us="1"), "resp.us"),
            (info(c={"n": "other"}), "bme280"), (info(c=5), "resp.c"), (info(c=None), "resp.c"),
            (info({"t": None}), "t must"),
            (info({"t": "x"}), "attribute x: t must"), (info({"m": "zz"}), "m must"), (info({"m": -1}), "m must"),
            (info({"m": 1.5}), "m must"), (info({"x": None}), "x must"), (info({"m": 1 << 64}), "m must"),
            (info({"sb": 64}), "sb must"), (info({"s": 64}), "s must"), (info({"s": 1.0}), "s must"),
            (info({"ss": 1}), "needs sb"),
            (info({"d": "1"}), "d must"), (info({"a": float("nan")}), "a must"), (info({"a": float("inf")}), "a must"),
            (info({"d": True}), "d must"), (info({"u": 5}), "u must"), (info({"u": "x" * 201}), "u must"),
            (info({"f": 5}), "f must"),
            (info({"vft": "y"}), "vft"), (info({"r": [1]}), "r must"), (info({"r": [1, "2"]}), "r must"),
            (info({"r": 5}), "r must"),
            (info({"crc8": [0]}), "crc8"), (info({"crc8": [0, 4]}), "crc8"), (info({"crc8": [-1, 2]}), "crc8"),
            (info({"lut": []}), "lut"), (info({"lut": [{"r": 5, "v": 1}]}), "lut"),
            (info({"lut": [{"r": "x", "v": 1}]}), "lut"),
            (info({"lut": [{"r": "1"}]}), "lut v"), (info({"t": "f", "m": 1}), "does not go with"),
            (info({"t": "4s", "d": 2}), "go with"),
            (info({"t": "4s", "lut": [{"r": "", "v": 1}]}), "go with"), (info({"at": 3}), "ends at byte 5"),
            (info({"at": -1}), "at must"),
            (info({"at": [1]}), "at must"), (info({"at": [1, 4]}), "ends at byte 5"), (info({"at": "1"}), "at must"),
            (info({"at": [1, "2"]}), "at must"), (info({"t": "5B"}), "ends at byte 5"),
        ):  # fmt: skip
            with self.subTest(bad=bad):
                with self.assertRaises(ValueError) as caught:
                    check_info(bad)
                self.assertIn(what, str(caught.exception))

    def test_the_size_of_the_polls_is_that_of_resp_b(self):
        check_info(info(), 4)
        with self.assertRaisesRegex(ValueError, "resp.b is 4, but a poll and its constants read up to 5 bytes"):
            check_info(info(), 5)


if __name__ == "__main__":
    unittest.main()
