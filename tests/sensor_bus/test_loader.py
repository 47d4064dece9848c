"""Records in JSON: what is taken, and what is refused with the record and the item named."""

import json
import sys
import unittest

from sensor_bus.catalog import scan_lists
from sensor_bus.loader import MAX_FILE, entry, load, table, types
from sensor_bus.records import POLL, standard_records
from tests.sensor_bus.programs import listed

CPYTHON = sys.implementation.name == "cpython"
PUBLISHED = "tests/sensor_bus/DeviceTypeRecords.json"


def published():
    with open(PUBLISHED, "rb") as file:
        return file.read()


def record(**changes):
    found = {
        "deviceType": "T", "addresses": "0x10", "detectionValues": "", "initValues": "",
        "pollInfo": {"c": "=r2", "i": 100, "s": 1}, "scanPriority": "high",
        "devInfoJson": {"name": "T", "resp": {"b": 2, "a": [{"n": "x", "t": ">H"}]}},
    }  # fmt: skip
    found.update(changes)
    return {key: value for key, value in found.items() if value is not None}


@unittest.skipUnless(CPYTHON, "MicroPython's dicts have no order")
class TestPublished(unittest.TestCase):
    def test_all_34_published_records_load(self):
        found = load(published())
        self.assertEqual(len(found), 34)
        self.assertEqual([found.name(0), found.name(33)], ["RoboticalLightSensor", "TrillFlex"])

    def test_the_scan_lists_of_the_published_records_are_upstreams(self):
        self.assertEqual([len(one) for one in scan_lists(load(published()))], [19, 52, 45])

    def test_the_poll_of_the_published_fifo(self):
        found = load(published())
        program = found.field(found.number("LSM6DS"), POLL)
        self.assertEqual(listed(program, b"\x1e\x50\0\0"), [("3a", 4, 0), ("3e", 60, 0)])
        self.assertEqual(listed(program, b"\xff\x0f\0\0")[1], ("3e", 240, 0))


@unittest.skipUnless(CPYTHON, "MicroPython's dicts have no order")
class TestStandard(unittest.TestCase):
    def test_our_own_types_load(self):
        found = standard_records()
        self.assertEqual(len(found), 16)
        self.assertEqual(found.info(found.number("AHT20"))["name"], "AHT20")


class TestRefused(unittest.TestCase):
    def test_what_is_no_file_of_records_is_refused(self):
        for source in (
            None, b"", b"[]", b"{}", b'{"devTypes": []}', b'{"devTypes": {"A": 1}}', b"\xff", b'{"devTypes": ',
            b'{"devTypes": {"A": {"deviceType": "B"}}}',
        ):  # fmt: skip
            with self.subTest(source=source and source[:20]), self.assertRaises(ValueError):
                types(source)

    @unittest.skipUnless(CPYTHON, "a board has not so much memory")
    def test_a_file_that_is_too_large_or_too_deep_is_refused(self):
        with self.assertRaisesRegex(ValueError, "too many lists"):
            types(b"[" * 100000)
        with self.assertRaisesRegex(ValueError, "at most"):
            types(bytes(MAX_FILE + 1))

    def test_each_fault_names_the_record_and_the_item(self):
        poll = {"c": "=r2", "i": 100, "s": 1}
        for changes, item in (
            ({"addresses": "0x03"}, "addresses"), ({"addresses": "0x78"}, "addresses"),
            ({"addresses": "10"}, "addresses"),
            ({"addresses": "0x10-"}, "addresses"), ({"addresses": "0x12-0x10"}, "addresses"),
            ({"addresses": 16}, "addresses"),
            ({"keptValues": "0x20=r1"}, "keptValues"), ({"keptValues": 1}, "keptValues"),
            ({"keptValues": "0x20=0x01p10"}, "keptValues"), ({"keptValues": "=0x01"}, "keptValues"),
            ({"keptValues": "0x20=0x01&0x2001="}, "keptValues"), ({"keptValues": "0x112233=0x01"}, "keptValues"),
            ({"initValues": "=r200", "keptValues": "0x20=0x" + "00" * 54}, "keptValues"),
            ({"addresses": "0x10,,0x11"}, "addresses"), ({"detectionValues": "0x0"}, "detectionValues"),
            ({"detectionValues": 5}, "detectionValues"), ({"initValues": "zz"}, "initValues"),
            ({"pollInfo": []}, "pollInfo"), ({"pollInfo": dict(poll, c="q")}, "pollInfo.c"),
            ({"pollInfo": dict(poll, k="q")}, "pollInfo.k"), ({"pollInfo": dict(poll, i=0)}, "pollInfo.i"),
            ({"pollInfo": dict(poll, i="100")}, "pollInfo.i"), ({"pollInfo": dict(poll, i=True)}, "pollInfo.i"),
            ({"pollInfo": dict(poll, i=3600001)}, "pollInfo.i"), ({"pollInfo": dict(poll, s=0)}, "pollInfo.s"),
            ({"pollInfo": dict(poll, s=256)}, "pollInfo.s"), ({"pollInfo": {"c": "=r2", "s": 1}}, "pollInfo.i"),
            ({"pollInfo": dict(poll, x=1)}, "pollInfo has no item 'x'"), ({"scanPriority": "urgent"}, "scanPriority"),
            ({"scanPriority": 0}, "scanPriority"), ({"scanPriority": True}, "scanPriority"),
            ({"colour": 1}, "no item 'colour'"),
            ({"pollInfo": dict(poll, k="=r252")}, "at most 253"), ({"devInfoJson": 1}, "devInfoJson"),
            ({"pollInfo": dict(poll, c="=r3")}, "resp.b"), ({"pollInfo": dict(poll, k="=r1")}, "resp.b"),
        ):  # fmt: skip
            with self.subTest(changes=changes):
                with self.assertRaises(ValueError) as caught:
                    entry(record(**changes))
                self.assertIn("record T: ", str(caught.exception))
                self.assertIn(item, str(caught.exception))

    def test_a_record_without_a_name_is_refused(self):
        for bad in (None, 5, [], {}, {"deviceType": 5}, {"deviceType": "x" * 65}):
            with self.assertRaisesRegex(ValueError, "deviceType"):
                entry(bad)

    def test_a_name_comes_once(self):
        with self.assertRaisesRegex(ValueError, "record T: it comes twice"):
            table([record(), record()])

    def test_too_many_types_are_refused(self):
        with self.assertRaisesRegex(ValueError, "at most 255"):
            table([record()] * 256)


class TestTaken(unittest.TestCase):
    def test_a_record_has_only_what_it_needs(self):
        found = load({"devTypes": {"T": {"deviceType": "T"}}})
        self.assertEqual((len(found.field(0, POLL)), found.interval_us(0), list(found.candidates(0x10))), (0, 0, []))

    def test_addresses_are_kept_in_their_order_and_once(self):
        made = load({"devTypes": {"T": record(addresses="0x20, 0x10-0x12 ,0x11")}})
        self.assertEqual(scan_lists(made)[0], b"\x20")
        self.assertEqual(scan_lists(made)[1], b"\x10\x11\x12")

    def test_bytes_and_what_they_become_give_the_same(self):
        whole = {"devTypes": {"T": record()}}
        self.assertEqual(
            bytes(load(whole).field(0, POLL)), bytes(load(json.dumps(whole).encode()).field(0, POLL))
        )


if __name__ == "__main__":
    unittest.main()
