"""Records of a bus: their order, programs, scan lists, and types that are added while it runs."""

import unittest

from sensor_bus.catalog import priorities, scan_lists
from sensor_bus.grammar import detection_program, steps_program
from sensor_bus.loader import table
from sensor_bus.records import CONSTANTS, DETECTION, INIT, MAX_RUNTIME, POLL, Records


def record(name, addresses, detection="", **others):
    return dict(
        {
            "deviceType": name, "addresses": addresses, "detectionValues": detection, "initValues": "0x01=",
            "pollInfo": {"c": "0x02=r2", "i": 200, "s": 3}, "scanPriority": "high",
            "devInfoJson": {"name": name, "resp": {"b": 2, "a": [{"n": "x", "t": ">H"}]}},
        },
        **others
    )  # fmt: skip


A = record("A", "0x10-0x12", "0x07=0x81")
B = record("B", "0x11,0x20", scanPriority="low", pollInfo={"c": "=r3", "k": "0x88=r26", "i": 1.5, "s": 1})
del B["devInfoJson"]
C = record("C", "0x12,0x30", scanPriority=2, pollInfo={})
C["devInfoJson"] = {}


def records(infos=None):
    return Records(table([A, B, C]), infos)


class TestRecords(unittest.TestCase):
    def test_each_field_of_a_type(self):
        found = records()
        self.assertEqual((len(found), found.number("B"), found.name(1)), (3, 1, "B"))
        self.assertEqual(bytes(found.field(0, DETECTION)), detection_program("0x07=0x81"))
        self.assertEqual(bytes(found.field(0, INIT)), steps_program("0x01="))
        self.assertEqual(bytes(found.field(0, POLL)), steps_program("0x02=r2"))
        self.assertEqual(bytes(found.field(1, CONSTANTS)), steps_program("0x88=r26"))
        for number, field in ((0, CONSTANTS), (1, DETECTION), (2, POLL)):
            self.assertEqual(len(found.field(number, field)), 0)
        self.assertEqual([found.interval_us(number) for number in range(3)], [200000, 1500, 0])
        self.assertEqual([found.samples(number) for number in range(3)], [3, 1, 1])
        self.assertEqual([found.size(number) for number in range(3)], [2, 3, 0])

    def test_candidates_are_in_order_and_without_regard_to_the_slot(self):
        found = records()
        self.assertEqual(list(found.candidates(0x11)), [0, 1])
        self.assertEqual(list(found.candidates(0x12 | 64 << 8)), [0, 2])
        self.assertEqual(list(found.candidates(0x77)), [])

    def test_a_type_that_was_added_is_tried_first(self):
        found = records()
        number = found.add(record("D", "0x11"))
        self.assertEqual((number, found.name(3), len(found)), (3, "D", 4))
        self.assertEqual(list(found.candidates(0x11)), [3, 0, 1])
        self.assertEqual(found.number("D"), 3)

    def test_adding_the_same_record_again_adds_nothing(self):
        found = records()
        self.assertEqual([found.add(record("D", "0x11")), found.add(record("D", "0x11"))], [3, 3])
        self.assertEqual(len(found), 4)

    def test_a_name_that_is_taken_is_refused(self):
        found = records()
        found.add(record("D", "0x11"))
        for name in ("A", "D"):
            with self.assertRaisesRegex(ValueError, "record %s: there is a type" % name):
                found.add(record(name, "0x22"))

    def test_no_more_types_are_added_than_may(self):
        found = records()
        for index in range(MAX_RUNTIME):
            found.add(record("D%d" % index, "0x22"))
        with self.assertRaisesRegex(ValueError, "20 types were added"):
            found.add(record("E", "0x22"))
        self.assertEqual(len(found), 3 + MAX_RUNTIME)

    def test_a_bad_record_is_refused_and_changes_nothing(self):
        found = records({})
        for bad in (None, [], {}, {"deviceType": ""}, record("D", "0x99"), record("D", "0x11", "0b1")):
            with self.assertRaises(ValueError):
                found.add(bad)
        self.assertEqual(len(found), 3)

    def test_an_unknown_name_says_what_there_is(self):
        with self.assertRaisesRegex(KeyError, "only A, B, C"):
            records().number("X")
        with self.assertRaisesRegex(KeyError, "only none"):
            Records().number("X")

    def test_an_unknown_number_is_refused(self):
        for number in (3, -1, 300):
            with self.assertRaises(IndexError):
                records().name(number)

    def test_a_table_of_another_release_is_refused(self):
        for table_bytes in (b"", b"\x01", b"\x02\x00"):
            with self.assertRaisesRegex(ValueError, "make it anew"):
                Records(table_bytes)

    def test_infos_are_kept_only_where_they_are_wanted(self):
        self.assertIsNone(records().info(0))
        found = records({"A": A["devInfoJson"]})
        self.assertEqual(found.info(0), A["devInfoJson"])
        self.assertIsNone(found.info(1))
        found.add(record("D", "0x11"))
        self.assertEqual(found.info_by_name("D")["name"], "D")
        with self.assertRaises(KeyError):
            found.info_by_name("X")
        board = records()
        board.add(record("D", "0x11"))
        self.assertIsNone(board.info_by_name("D"))

    def test_only_who_decodes_checks_what_decoding_needs(self):
        """A board would load the checks for nothing: the server makes them."""
        bad = record("D", "0x11", devInfoJson={"resp": {"b": 2, "a": 5}})
        self.assertEqual(records().add(bad), 3)
        with self.assertRaisesRegex(ValueError, "record D: resp.a"):
            records({}).add(bad)


class TestScanLists(unittest.TestCase):
    def test_only_the_first_address_of_a_high_type_is_in_the_first_list(self):
        found = records()
        priority = priorities(found)
        self.assertEqual([priority[address] for address in (0x10, 0x11, 0x12, 0x20, 0x30, 0x50)], [0, 1, 1, 2, 1, 2])

    def test_each_type_is_looked_at_once(self):
        """A board takes a while for each: it was once for each address."""
        looked = []

        class Counted(type(records())):
            def field(self, number, field):
                looked.append(number)
                return super().field(number, field)

        found = Counted(records()._table)
        scan_lists(found, (0x77,))
        self.assertEqual(looked, list(range(len(found))))

    def test_each_address_is_in_one_list(self):
        lists = scan_lists(records())
        self.assertEqual(lists[:2], [b"\x10", b"\x11\x12\x30"])
        self.assertEqual(sorted(b"".join(lists)), list(range(0x04, 0x78)))

    def test_boosted_and_added_addresses_are_in_the_first_list(self):
        found = records()
        found.add(record("D", "0x60-0x61", scanPriority="low"))
        self.assertEqual(scan_lists(found, (0x77, 0x11))[0], b"\x10\x11\x60\x61\x77")
        self.assertEqual(sorted(b"".join(scan_lists(found, (0x77, 0x11)))), list(range(0x04, 0x78)))

    def test_a_boost_that_is_no_address_is_refused(self):
        for boost in ((0x03,), (0x78,), ("0x6a",), (None,)):
            with self.assertRaisesRegex(ValueError, "scanBoost"):
                scan_lists(records(), boost)


if __name__ == "__main__":
    unittest.main()
