import unittest
from struct import calcsize

from protocol.channel_records import (
    ANSWER,
    ENTRY,
    ENTRY_BYTES,
    EXPIRES,
    FAILURE,
    REQUEST,
    is_over,
    size_of_fields,
)
from tests.protocol.wire import ticks_diff


class TestRecords(unittest.TestCase):
    def test_fields_in_front_of_a_message(self):
        for kind, size in ((0, 0), (EXPIRES, 4), (REQUEST, 4), (ANSWER, 4), (FAILURE, 4), (REQUEST | EXPIRES, 8)):
            self.assertEqual(size_of_fields(kind), size)

    def test_entry_is_as_long_as_it_says(self):
        self.assertEqual(calcsize(ENTRY), ENTRY_BYTES)

    def test_entries_with_a_deadline_can_be_late(self):
        for entry, late in (
            ((b"", True), False), ((b"", True, REQUEST, None), False), ((b"", True, EXPIRES, 10), True),
            ((b"", EXPIRES, 11), False), ((b"", EXPIRES, 10), True),
        ):  # fmt: skip
            self.assertEqual(is_over(entry, 10, ticks_diff), late)
