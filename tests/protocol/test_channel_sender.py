import unittest

from protocol.channel_records import (
    ANSWER,
    BRIEF_ANSWER,
    BRIEF_REQUEST,
    CHANNEL,
    DROPPED,
    EXPIRES,
    FAILURE,
    MAX_TIMED,
    REQUEST,
)
from protocol.channel_sender import ChannelSender, is_over
from protocol.frame import MORE, QOS0
from protocol.limits import MAX_LINE, RECEIVE_BYTES
from protocol.sender import Sender
from protocol.server_channel import ServerChannel
from tests.protocol.channel_halves import a_channel, heap_lock, heap_unlock, records
from tests.protocol.wire import WRAP, ticks_diff


class TestSending(unittest.TestCase):
    def test_it_has_what_each_sender_begins_with(self):
        sender, begun = ChannelSender(20, ticks_diff), Sender()
        for name in begun.__dict__:
            self.assertEqual(getattr(sender, name), getattr(begun, name), name)

    def test_record_has_the_channel_and_costs_one_byte_more_than_a_line(self):
        sender = ChannelSender(20, ticks_diff)
        sender.append(b"data", True)
        sender.append(b"", False)
        self.assertEqual(records(sender), [(CHANNEL, b"\x14data"), (CHANNEL | QOS0, b"\x14")])

    def test_entries_with_a_deadline_can_be_late(self):
        for entry, late in (
            ((b"", True), False), ((b"", True, REQUEST, None), False), ((b"", True, EXPIRES, 10), True),
            ((b"", EXPIRES, 11), False), ((b"", EXPIRES, 10), True),
        ):  # fmt: skip
            self.assertEqual(is_over(entry, 10, ticks_diff), late)

    def test_type_is_in_the_first_record_of_a_message_only(self):
        sender = ChannelSender(20, ticks_diff)
        sender.append(b"\0\0\0\x01" + bytes(600), True, REQUEST)
        first, = records(sender, 400)
        self.assertEqual((first[0], first[1][:6]), (CHANNEL | MORE, b"\x94\x02\0\0\0\x01"))
        second, = records(sender, 400)
        self.assertEqual((second[0], second[1][:2]), (CHANNEL, b"\x14\0"))
        self.assertEqual(len(first[1]) - 2 + len(second[1]) - 1, 604)

    def test_the_most_frequent_types_are_bits_of_the_header(self):
        for kind, header, first in (
            (REQUEST | EXPIRES, CHANNEL | BRIEF_REQUEST, b"\x14"), (ANSWER, CHANNEL | BRIEF_ANSWER, b"\x14"),
            (FAILURE, CHANNEL, b"\x94\x06"),
        ):  # fmt: skip
            sender = ChannelSender(20, ticks_diff)
            sender.append(bytes(600), True, kind, 0)
            (bits, data), = records(sender, 400)
            self.assertEqual((bits, data[: len(first)]), (header | MORE, first))
            (bits, data), = records(sender, 400)
            self.assertEqual((bits, data[:2]), (CHANNEL, b"\x14\0"))

    def test_time_left_is_that_of_the_moment_of_sending(self):
        sender = ChannelSender(20, ticks_diff)
        sender.append(bytes(2) + b"x", True, EXPIRES, 5000)
        sender.now = 2000
        self.assertEqual(records(sender), [(CHANNEL, b"\x94\x01\x0d\xdcx")])

    def test_what_is_late_is_dropped_and_told_and_keeps_its_number(self):
        sender = ChannelSender(20, ticks_diff)
        counts = [sender.append(bytes(2) + b"x", True, EXPIRES, at, True) for at in (10, 30, 20)]
        sender.append(bytes(2), False, EXPIRES, 10)
        sender.expire(20)
        self.assertEqual(sender.waiting, dict(zip(counts, (True, False, True))))
        self.assertEqual([entry[2] for entry in sender.lines], [DROPPED, EXPIRES, DROPPED])
        self.assertEqual((sender.timed, sender._held), (1, 3))

    def test_sent_message_is_not_dropped_by_its_sender(self):
        sender = ChannelSender(20, ticks_diff)
        sender.append(bytes(2) + b"x", True, EXPIRES, 10)
        records(sender)
        sender.expire(20)
        self.assertEqual([entry[2] for entry in sender.lines], [EXPIRES])

    def test_message_that_the_peer_may_have_accepted_is_not_called_late_before_the_peer_has_told(self):
        for ack, received, late in ((1, 1, False), (0, 1, False), (0, 0, True)):
            channel = a_channel()
            count = channel.append(bytes(2) + b"x", True, EXPIRES, 10, True)
            new = channel.append(bytes(2) + b"y", True, EXPIRES, 10, True)
            records(channel, 10)
            channel.disconnect()
            channel.expire(20)
            self.assertEqual(channel.waiting, {count: False, new: True})
            self.assertIsNone(channel.take_entry((0, 0, ack, received, 100, 0), False))
            channel.expire(20)
            self.assertEqual(channel.waiting, {count: late, new: True})
            self.assertEqual(channel.timed, 1 if received > ack else 0)

    def test_message_that_the_peer_may_have_accepted_is_dropped_if_nobody_waits_to_know(self):
        for accepted, received in ((1, 2), (0, 2), (0, 1), (0, 0)):
            channel = ServerChannel(20, ticks_diff, RECEIVE_BYTES, MAX_LINE, False)
            channel.restore(7, 0, [(bytes(2) + b"x", True, EXPIRES, 10), (b"y", True)], 5)
            self.assertEqual(channel.expire(20), [0])
            self.assertEqual(channel.lines, [(b"", True, DROPPED, None), (b"y", True)])
            self.assertEqual((channel.timed, channel.expire(20), channel.expired), (0, (), 5))
            self.assertIsNone(channel.take_entry((0, 7, accepted, received, 100, 0), False))
            self.assertEqual((channel.unacknowledged(), channel.expired), (2 - accepted, 5))
            channel.now = 20
            self.assertEqual(len(records(channel)), 2 - received)
            self.assertIsNone(channel.acknowledge(2))

    def test_late_message_stays_late_however_long_the_outage_is(self):
        sender = ChannelSender(20, ticks_diff)
        sender.append(bytes(2) + b"x", True, EXPIRES, 10, True)
        records(sender)
        sender.disconnect()
        for now in range(0, WRAP, WRAP // 8):
            sender.expire(now + 10)
        sender.now = WRAP - 20
        self.assertEqual(records(sender), [(CHANNEL, b"\x94\x01\0\0x")])

    def test_message_is_admitted_whole_or_not_at_all(self):
        """Nothing is allocated once it is in `lines`: here its length is asked for."""

        class Data:
            def __len__(self):
                heap_lock()
                return 4

        sender = ChannelSender(20, ticks_diff)
        try:
            sender.append(Data(), True, REQUEST)
        finally:
            heap_unlock()
        self.assertEqual(len(sender.lines[0]), 4)

    def test_message_that_finds_no_memory_leaves_nothing_behind(self):
        class Full(list):
            def append(self, entry):
                raise MemoryError

        sender = ChannelSender(20, ticks_diff)
        sender.lines = Full()
        with self.assertRaises(MemoryError):
            sender.append(bytes(2), True, EXPIRES, 10, True)
        self.assertEqual((sender.waiting, sender.timed, len(sender.lines)), ({}, 0, 0))

    def test_expiry_that_finds_no_memory_is_repeated_whole(self):
        """Of a message that was half dropped the server's store was never told."""

        class Short(ChannelSender):
            short = True

            def _count_of(self, at):
                if self.short:
                    raise MemoryError
                return ChannelSender._count_of(self, at)

        sender = Short(20, ticks_diff)
        count = sender.append(bytes(2) + b"x", True, EXPIRES, 10, True)
        with self.assertRaises(MemoryError):
            sender.expire(20)
        self.assertEqual((sender.waiting, sender.timed, sender._held), ({count: False}, 1, 3))
        sender.short = False
        self.assertEqual(sender.expire(20), [0])
        self.assertEqual((sender.waiting, sender.timed, sender._held), ({count: True}, 0, 0))

    def test_peer_tells_which_of_those_that_it_accepted_had_expired(self):
        sender = ChannelSender(20, ticks_diff)
        for _ in range(3):
            sender.append(bytes(2), True, EXPIRES, 10, True)
        records(sender)
        self.assertIsNone(sender.acknowledge(3, 0b1010))
        self.assertEqual((sender.waiting, sender.timed), ({1: False, 2: True, 3: False}, 0))

    def test_so_many_can_wait_while_one_can_expire(self):
        sender = ChannelSender(20, ticks_diff)
        for _ in range(MAX_TIMED - 1):
            sender.append(b"", True)
        self.assertTrue(sender.room_for(4, True))
        sender.append(bytes(2), True, EXPIRES, 10)
        self.assertFalse(sender.room_for(4))
