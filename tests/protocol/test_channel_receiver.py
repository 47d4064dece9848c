import unittest

from primitives.platform import ticks_diff
from protocol.channel_receiver import ChannelReceiver, size_of_fields
from protocol.channel_records import ANSWER, DROPPED, EXPIRES, FAILURE, MAX_TTL_MS, REQUEST, TYPED, TYPED_CHARGE
from protocol.channel_sender import ChannelSender
from protocol.frame import MORE, QOS0
from protocol.limits import MAX_LINE, RECEIVE_BYTES, ROOM_UNIT
from protocol.receiver import Receiver
from protocol.sequence import get16


class TestReceiving(unittest.TestCase):
    def test_it_has_what_each_receiver_begins_with(self):
        receiver, begun = ChannelReceiver(RECEIVE_BYTES - TYPED_CHARGE, MAX_LINE), Receiver()
        for name in begun.__dict__:
            if name != "_line_in":
                self.assertEqual(getattr(receiver, name), getattr(begun, name), name)

    def take(self, receiver, header, kind, data):
        return receiver.take(header | len(data), kind, memoryview(data), 0, 100)

    def test_fields_in_front_of_a_message(self):
        for kind, size in ((0, 0), (EXPIRES, 2), (REQUEST, 4), (ANSWER, 4), (FAILURE, 4), (REQUEST | EXPIRES, 6)):
            self.assertEqual(size_of_fields(kind), size)

    def test_plain_message_is_bytes_and_another_has_its_type_and_deadline(self):
        receiver = ChannelReceiver(RECEIVE_BYTES, MAX_LINE)
        self.take(receiver, 0, 0, b"\n\xff")
        self.take(receiver, 0, REQUEST, b"\0\0\0\x01x")
        self.take(receiver, 0, EXPIRES, b"\0\x05x")
        self.take(receiver, 0, EXPIRES, b"\xff\xffx")
        self.assertEqual(receiver.lines, [
            b"\n\xff", (b"\0\0\0\x01x", REQUEST, None), (b"\0\x05x", EXPIRES, 105),
            (b"\xff\xffx", EXPIRES, 100 + MAX_TTL_MS),
        ])  # fmt: skip

    def test_type_that_nobody_knows_or_whose_fields_are_missing_is_a_fault(self):
        for kind, data in ((0x10, b""), (0x40, b"xxxxxxxxx"), (EXPIRES, b"1"), (EXPIRES | REQUEST, b"12345")):
            receiver = ChannelReceiver(RECEIVE_BYTES, MAX_LINE)
            self.assertEqual(self.take(receiver, 0, kind, data), "a message of type %02x" % kind)
            self.assertEqual(receiver.lines, [])

    def test_fragment_with_a_type_is_a_fault(self):
        receiver = ChannelReceiver(RECEIVE_BYTES, MAX_LINE)
        self.assertIsNone(self.take(receiver, MORE, REQUEST, b"\0\0\0\x01x"))
        self.assertEqual(self.take(receiver, 0, REQUEST, b"12345"), "a fragment with a type")

    def test_flood_of_empty_messages_with_a_type_is_bounded_by_what_they_take_on_a_board(self):
        """There a tuple takes 32 bytes, bytes of four 32, and the two lists 8: it was 3.6 times the room."""
        for kind, data in ((EXPIRES, b"\0\x01"), (DROPPED, b"")):
            receiver = ChannelReceiver(RECEIVE_BYTES, MAX_LINE)
            sender = ChannelSender(20, ticks_diff)
            sender.max_lines = 10000
            sender.grant(0, receiver.room() * ROOM_UNIT)
            while len(receiver.lines) < 10000:
                sender.append(data, True, kind, 1000)
                buf = bytearray(50)
                end = sender.put(buf, 0, 50)
                if not end:
                    break
                self.assertIsNone(self.take(receiver, 0, kind, bytes(buf[4:end])))
                self.assertEqual(receiver.seen, sender.sent)
            self.assertFalse(sender.can_fill())
            self.assertGreater(len(receiver.lines), 150)
            self.assertLess(len(receiver.lines) * (72 if data else 40), 1.5 * RECEIVE_BYTES)
            self.assertLess(receiver.room(), 2)
            receiver.accept(len(receiver.lines))
            self.assertEqual(receiver.room(), (RECEIVE_BYTES + TYPED_CHARGE) // ROOM_UNIT)

    def test_longest_message_with_a_type_has_room_in_its_smallest_fragments(self):
        receiver = ChannelReceiver(RECEIVE_BYTES, MAX_LINE)
        sender = ChannelSender(20, ticks_diff)
        sender.append(bytes(MAX_LINE), True, EXPIRES | FAILURE, 1000)
        sender.grant(0, receiver.room() * ROOM_UNIT)
        buf = bytearray(200)
        end = sender.put(buf, 0, 4 + 16)
        while end:
            header, typed = get16(buf, 0), buf[2] & TYPED
            data = bytes(buf[4 if typed else 3 : end])
            self.assertIsNone(self.take(receiver, header & MORE, buf[3] if typed else 0, data))
            self.assertEqual(receiver.seen, sender.sent)
            end = sender.put(buf, 0, 3 + 64) if sender.can_fill() else 0
        self.assertEqual((len(receiver.lines), len(sender.lines[0][0])), (1, MAX_LINE))
        receiver.accept(1)
        self.assertEqual(receiver._held, 0)

    def test_connection_that_ends_in_a_message_with_a_type_gives_back_its_room(self):
        receiver = ChannelReceiver(RECEIVE_BYTES, MAX_LINE)
        for kind in (REQUEST, 0):
            self.assertIsNone(self.take(receiver, MORE, kind, bytes(100)))
            receiver.disconnect()
            self.assertEqual(receiver._held, 0)

    def test_messages_without_qos_have_no_number(self):
        receiver = ChannelReceiver(RECEIVE_BYTES, MAX_LINE)
        for header in (0, QOS0, 0):
            self.take(receiver, header, 0, b"x")
        self.assertEqual(receiver.numbered(), [True, False, True])
