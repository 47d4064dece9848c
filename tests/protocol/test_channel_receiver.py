import unittest

from protocol.channel_receiver import ChannelReceiver, size_of_fields
from protocol.channel_records import ANSWER, EXPIRES, FAILURE, MAX_TTL_MS, REQUEST
from protocol.frame import MORE, QOS0
from protocol.limits import MAX_LINE, RECEIVE_BYTES


class TestReceiving(unittest.TestCase):
    def take(self, receiver, header, kind, data):
        return receiver.take(header | len(data), kind, memoryview(data), 0, 100)

    def test_fields_in_front_of_a_message(self):
        for kind, size in ((0, 0), (EXPIRES, 4), (REQUEST, 4), (ANSWER, 4), (FAILURE, 4), (REQUEST | EXPIRES, 8)):
            self.assertEqual(size_of_fields(kind), size)

    def test_plain_message_is_bytes_and_another_has_its_type_and_deadline(self):
        receiver = ChannelReceiver(RECEIVE_BYTES, MAX_LINE)
        self.take(receiver, 0, 0, b"\n\xff")
        self.take(receiver, 0, REQUEST, b"\0\0\0\x01x")
        self.take(receiver, 0, EXPIRES, b"\0\0\0\x05x")
        self.take(receiver, 0, EXPIRES, b"\xff\xff\xff\xffx")
        self.assertEqual(receiver.lines, [
            b"\n\xff", (b"\0\0\0\x01x", REQUEST, None), (b"\0\0\0\x05x", EXPIRES, 105),
            (b"\xff\xff\xff\xffx", EXPIRES, 100 + MAX_TTL_MS),
        ])  # fmt: skip

    def test_type_that_nobody_knows_or_whose_fields_are_missing_is_a_fault(self):
        for kind, data in ((0x10, b""), (0x40, b"xxxxxxxxx"), (EXPIRES, b"123"), (EXPIRES | REQUEST, b"1234567")):
            receiver = ChannelReceiver(RECEIVE_BYTES, MAX_LINE)
            self.assertEqual(self.take(receiver, 0, kind, data), "a message of type %02x" % kind)
            self.assertEqual(receiver.lines, [])

    def test_fragment_with_a_type_is_a_fault(self):
        receiver = ChannelReceiver(RECEIVE_BYTES, MAX_LINE)
        self.assertIsNone(self.take(receiver, MORE, REQUEST, b"\0\0\0\x01x"))
        self.assertEqual(self.take(receiver, 0, REQUEST, b"12345"), "a fragment with a type")

    def test_messages_without_qos_have_no_number(self):
        receiver = ChannelReceiver(RECEIVE_BYTES, MAX_LINE)
        for header in (0, QOS0, 0):
            self.take(receiver, header, 0, b"x")
        self.assertEqual(receiver.numbered(), [True, False, True])
