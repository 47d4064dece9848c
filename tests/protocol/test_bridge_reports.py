"""The bytes of the message on channel 5."""

import unittest

from protocol.bridge_reports import decode_bridge_report, encode_bridge_report

REPORT = (2, 5, 24000, 1, (0, 2, 0), -67)
BYTES = b"\1" b"\0\0\0\2" b"\0\0\0\5" b"\0\0\x5d\xc0" b"\0\0\0\1" b"\0\2\0" b"\xbd"


class TestBridgeReports(unittest.TestCase):
    def test_bytes_are_those_of_the_document(self):
        self.assertEqual(encode_bridge_report(*REPORT), BYTES)

    def test_what_was_encoded_is_decoded(self):
        self.assertEqual(decode_bridge_report(BYTES), REPORT)
        most = (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, (255, 255, 255), -127)
        self.assertEqual(decode_bridge_report(encode_bridge_report(*most)), most)

    def test_a_later_release_may_add_bytes(self):
        self.assertEqual(decode_bridge_report(BYTES + b"more"), REPORT)

    def test_anything_else_is_none(self):
        for size in range(len(BYTES)):
            self.assertIsNone(decode_bridge_report(BYTES[:size]))
        self.assertIsNone(decode_bridge_report(b"\2" + BYTES[1:]))


if __name__ == "__main__":
    unittest.main()
