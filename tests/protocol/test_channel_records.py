import unittest
from struct import calcsize

from protocol import channel_records
from protocol.channel_records import ENTRY, ENTRY_BYTES


class TestRecords(unittest.TestCase):
    def test_entry_is_as_long_as_it_says(self):
        self.assertEqual(calcsize(ENTRY), ENTRY_BYTES)

    def test_it_has_nothing_but_constants(self):
        """So frame_log.py needs none of the modules of channels."""
        for name in dir(channel_records):
            self.assertTrue(name.startswith("__") or isinstance(getattr(channel_records, name), (int, str)), name)
