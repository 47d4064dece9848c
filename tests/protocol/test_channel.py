import unittest

from protocol.channel import (
    CREDIT,
    DROPPED,
    ENTRY_BYTES,
    EXPIRES,
    FRESH,
    MAX_TIMED,
    MAX_TTL_MS,
    REQUEST,
    Channel,
    ChannelReceiver,
    ChannelSender,
)
from protocol.frame import CHANNEL, LENGTH, MORE, QOS0
from protocol.limits import MAX_LINE, RECEIVE_BYTES
from protocol.sequence import get16
from tests.protocol.wire import ticks_diff


def a_channel(fresh=False):
    channel = Channel(20, ticks_diff, RECEIVE_BYTES, MAX_LINE, fresh)
    channel.take_entry((0, 0, 0, 0, 100, 0), False)
    return channel


def records(sender, space=1000):
    """(header bits, bytes behind it) of the records that fill a frame."""
    sender.grant(0, 8000)
    buf = bytearray(space)
    end, at, found = sender.fill(buf, 0, space), 0, []
    while at < end:
        header = get16(buf, at)
        n = header & LENGTH
        found.append((header & ~LENGTH, bytes(buf[at + 2 : at + 2 + n])))
        at += 2 + n
    return found


class TestSending(unittest.TestCase):
    def test_record_has_the_channel_and_costs_one_byte_more_than_a_line(self):
        sender = ChannelSender(20, ticks_diff)
        sender.append(b"data", True)
        sender.append(b"", False)
        self.assertEqual(records(sender), [(CHANNEL, b"\x14data"), (CHANNEL | QOS0, b"\x14")])

    def test_type_is_in_the_first_record_of_a_message_only(self):
        sender = ChannelSender(20, ticks_diff)
        sender.append(b"\0\0\0\x01" + bytes(600), True, REQUEST)
        first, = records(sender, 400)
        self.assertEqual((first[0], first[1][:6]), (CHANNEL | MORE, b"\x94\x02\0\0\0\x01"))
        second, = records(sender, 400)
        self.assertEqual((second[0], second[1][:2]), (CHANNEL, b"\x14\0"))
        self.assertEqual(len(first[1]) - 2 + len(second[1]) - 1, 604)

    def test_time_left_is_that_of_the_moment_of_sending(self):
        sender = ChannelSender(20, ticks_diff)
        sender.append(bytes(4) + b"x", True, EXPIRES, 5000)
        sender.now = 2000
        self.assertEqual(records(sender), [(CHANNEL, b"\x94\x01\0\0\x0b\xb8x")])

    def test_what_is_late_is_dropped_and_told_and_keeps_its_number(self):
        sender = ChannelSender(20, ticks_diff)
        counts = [sender.append(bytes(4) + b"x", True, EXPIRES, at) for at in (10, 30, 20)]
        for count in counts:
            sender.waiting[count] = False
        sender.append(bytes(4), False, EXPIRES, 10)
        sender.now = 20
        sender.expire()
        self.assertEqual(sender.waiting, dict(zip(counts, (True, False, True))))
        self.assertEqual([entry[2] for entry in sender.lines], [DROPPED, EXPIRES, DROPPED])
        self.assertEqual((sender.timed, sender.dropped), (1, 3))

    def test_sent_message_is_not_dropped_by_its_sender(self):
        sender = ChannelSender(20, ticks_diff)
        sender.append(bytes(4) + b"x", True, EXPIRES, 10)
        records(sender)
        sender.now = 20
        sender.expire()
        self.assertEqual((sender.dropped, len(sender.lines)), (0, 1))

    def test_peer_tells_which_of_those_that_it_accepted_had_expired(self):
        sender = ChannelSender(20, ticks_diff)
        for _ in range(3):
            sender.waiting[sender.append(bytes(4), True, EXPIRES, 10)] = False
        records(sender)
        self.assertIsNone(sender.acknowledge(3, 0b1010))
        self.assertEqual((sender.waiting, sender.timed), ({1: False, 2: True, 3: False}, 0))

    def test_so_many_can_wait_while_one_can_expire(self):
        sender = ChannelSender(20, ticks_diff)
        for _ in range(MAX_TIMED - 1):
            sender.append(b"", True)
        self.assertTrue(sender.room_for(4, True))
        sender.append(bytes(4), True, EXPIRES, 10)
        self.assertFalse(sender.room_for(4))


class TestReceiving(unittest.TestCase):
    def take(self, receiver, header, kind, data):
        return receiver.take(header | len(data), kind, memoryview(data), 0, 100)

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


class TestChannel(unittest.TestCase):
    def test_late_messages_and_dropped_ones_are_passed_over_and_acknowledged(self):
        channel = a_channel()
        receiver = channel.receiver
        for kind, data in ((DROPPED, b""), (EXPIRES, b"\0\0\0\x05x"), (0, b"good"), (EXPIRES, b"\0\0\0\x05y")):
            receiver.take(len(data), kind, memoryview(data), 0, 100)
        self.assertEqual(channel.front(105), b"good")
        self.assertEqual((receiver.ack, channel.expired, channel.expirations), (2, 1, 1))
        channel.accept()
        self.assertIsNone(channel.front(105))
        self.assertEqual((receiver.ack, channel.expired, channel.expirations), (4, 5, 2))

    def test_credit_of_one_end_is_taken_by_the_other(self):
        channel, peer, buf = a_channel(), a_channel(), bytearray(20)
        peer.sender.append(b"four", True)
        records(peer.sender)
        channel.receiver.take(4, 0, memoryview(b"four"), 0, 0)
        channel.accept()
        for expired, size in ((0, 9), (5, 13)):
            channel.expired = expired
            self.assertEqual(channel.credit_into(buf, 0), size)
            self.assertEqual((get16(buf, 0), buf[2], buf[3]), (CHANNEL | size - 2, 0x94, CREDIT))
            self.assertIsNone(peer.take_credit(buf, 4, size - 4))
            self.assertEqual((peer.sender.base, peer.peer_seen), (1, 20))

    def test_bad_credit_is_a_fault(self):
        channel = a_channel()
        self.assertIn("CREDIT of 6", channel.take_credit(bytes(6), 0, 6))
        self.assertIn("seen more", channel.take_credit(b"\0\0\0\x14\0", 0, 5))
        self.assertIn("not sent", channel.take_credit(b"\0\x05\0\0\0", 0, 5))
        channel.detach()
        self.assertIn("channel 20", channel.take_credit(bytes(5), 0, 5))

    def entry(self, channel, known=True):
        buf = bytearray(40)
        self.assertEqual(channel.entry_into(buf, 0, known), 1 + ENTRY_BYTES)
        return bytes(buf[: 1 + ENTRY_BYTES])

    def test_entry_says_what_is_known(self):
        channel = Channel(20, ticks_diff, RECEIVE_BYTES, MAX_LINE, False)
        channel.restore(7, 5, [(b"x", True)])
        known = b"\x14" + b"\0" + b"\0\0\0\x05" + b"\0\0\0\x07" * 2 + b"\xa1" + bytes(4)
        self.assertEqual(self.entry(channel), known)
        fresh = b"\x14" + b"\x01" + b"\0\0\0\x05" + bytes(8) + b"\xa1" + bytes(4)
        self.assertEqual(self.entry(channel, False), fresh)
        channel.fresh = True
        self.assertEqual(self.entry(channel), fresh)

    def test_what_follows_from_an_entry(self):
        """fresh, new, base of the peer -> number that is expected from it; 7 was."""
        for fresh, new, base, expected in (
            (False, False, 3, 7), (False, False, 9, 9), (True, False, 3, 3), (False, True, 3, 3),
        ):  # fmt: skip
            channel = Channel(20, ticks_diff, RECEIVE_BYTES, MAX_LINE, fresh)
            channel.restore(7, 0, [])
            self.assertIsNone(channel.take_entry((0, base, 0, 0, 100, 0), new))
            self.assertEqual((channel.receiver.next, channel.fresh, channel.ready), (expected, False, True))

    def test_fresh_peer_gets_all_from_base_on_and_another_what_it_has_not(self):
        for flags, sent in ((FRESH, [b"0", b"1", b"2"]), (0, [b"2"])):
            channel = Channel(20, ticks_diff, RECEIVE_BYTES, MAX_LINE, False)
            channel.restore(0, 0, [(b"%d" % i, True) for i in range(3)])
            self.assertIsNone(channel.take_entry((flags, 0, 1, 2, 100, 0), False))
            self.assertEqual([payload[1:] for _, payload in records(channel.sender)], sent)

    def test_entry_about_messages_that_were_not_sent_is_a_fault(self):
        channel = Channel(20, ticks_diff, RECEIVE_BYTES, MAX_LINE, False)
        self.assertIn("resume at lines 3", channel.take_entry((0, 0, 3, 3, 100, 0), False))
        self.assertFalse(channel.ready)
