import unittest

from protocol.channel import Channel
from protocol.channel_records import CHANNEL, CREDIT, DROPPED, ENTRY_BYTES, EXPIRES, FRESH
from protocol.limits import MAX_LINE, RECEIVE_BYTES
from protocol.sequence import get16
from protocol.server_channel import ServerChannel
from tests.protocol.channel_halves import a_channel, heap_lock, heap_unlock, records
from tests.protocol.wire import WRAP, ticks_diff


class TestChannel(unittest.TestCase):
    def test_late_messages_and_dropped_ones_are_passed_over_and_acknowledged(self):
        channel = a_channel()
        receiver = channel.receiver
        for kind, data in ((DROPPED, b""), (EXPIRES, b"\0\x05x"), (0, b"good"), (EXPIRES, b"\0\x05y")):
            receiver.take(len(data), kind, memoryview(data), 0, 100)
        self.assertEqual(channel.front(105), b"good")
        self.assertEqual((receiver.ack, channel.expired), (2, 1))
        channel.accept()
        self.assertIsNone(channel.front(105))
        self.assertEqual((receiver.ack, channel.expired), (4, 5))

    def test_late_message_behind_others_stays_late_however_long_nobody_reads(self):
        channel = a_channel()
        channel.receiver.take(1, 0, memoryview(b"x"), 0, 100)
        channel.receiver.take(3, EXPIRES, memoryview(b"\0\x05y"), 0, 100)
        for now in range(110, WRAP, WRAP // 8):
            channel.expire_received(now)
        self.assertEqual(channel.front(0), b"x")
        channel.accept()
        self.assertIsNone(channel.front(0))
        self.assertEqual((channel.receiver.ack, channel.expired), (2, 1))

    def test_former_peer_that_comes_back_finds_what_was_known_of_it(self):
        channel = a_channel()
        for expired in (True, False):
            channel.receiver.take(1, 0, memoryview(b"x"), 0, 100)
            channel.accept(expired)
        channel.become(False)
        self.assertEqual((channel.fresh, channel.expired), (True, 0))
        self.assertIsNone(channel.take_entry((0, 70, 0, 0, 100, 0), False))
        self.assertEqual(channel.receiver.next, 70)
        channel.become(True)
        self.assertEqual((channel.fresh, channel.receiver.next, channel.expired), (False, 2, 2))

    def test_former_peer_whose_messages_were_never_known_is_still_unknown(self):
        channel = Channel(20, ticks_diff, RECEIVE_BYTES, MAX_LINE, True)
        channel.become(False)
        channel.become(True)
        self.assertTrue(channel.fresh)

    def test_accepting_allocates_nothing_however_many_have_expired(self):
        channel = a_channel()
        for _ in range(33):  # one by one: under heap_lock MicroPython cannot even make a list shorter
            channel.receiver.take(0, 0, memoryview(b""), 0, 0)
            heap_lock()
            try:
                channel.accept(True)
            finally:
                heap_unlock()
        self.assertEqual(channel.expired, 0x3FFFFFFF)
        channel.receiver.take(0, 0, memoryview(b""), 0, 0)
        channel.accept()
        self.assertEqual(channel.expired, 0x3FFFFFFE)

    def test_credit_of_one_end_is_taken_by_the_other(self):
        channel, peer, buf = a_channel(), a_channel(), bytearray(20)
        peer.append(b"four", True)
        records(peer)
        channel.receiver.take(4, 0, memoryview(b"four"), 0, 0)
        channel.accept()
        for expired, size in ((0, 9), (5, 13)):
            channel.expired = expired
            self.assertEqual(channel.credit_into(buf, 0), size)
            self.assertEqual((get16(buf, 0), buf[2], buf[3]), (CHANNEL | size - 2, 0x94, CREDIT))
            self.assertIsNone(peer.take_credit(buf, 4, size - 4))
            self.assertEqual((peer.base, peer.in_flight(20), peer.unseen()), (1, 0, 0))

    def test_bad_credit_is_a_fault(self):
        channel = a_channel()
        self.assertIn("CREDIT of 6", channel.take_credit(bytes(6), 0, 6))
        self.assertIn("seen more", channel.take_credit(b"\0\0\0\x14\0", 0, 5))
        self.assertIn("not sent", channel.take_credit(b"\0\x05\0\0\0", 0, 5))
        channel.disconnect()
        self.assertIn("channel 20", channel.take_credit(bytes(5), 0, 5))

    def entry(self, channel, known=True):
        buf = bytearray(40)
        self.assertEqual(channel.entry_into(buf, 0, known), 1 + ENTRY_BYTES)
        return bytes(buf[: 1 + ENTRY_BYTES])

    def test_entry_says_what_is_known(self):
        channel = ServerChannel(20, ticks_diff, RECEIVE_BYTES, MAX_LINE, False)
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
            channel = ServerChannel(20, ticks_diff, RECEIVE_BYTES, MAX_LINE, fresh)
            channel.restore(7, 0, [])
            self.assertIsNone(channel.take_entry((0, base, 0, 0, 100, 0), new))
            self.assertEqual((channel.receiver.next, channel.fresh, channel.ready), (expected, False, True))

    def test_fresh_peer_gets_all_from_base_on_and_another_what_it_has_not(self):
        for flags, sent in ((FRESH, [b"0", b"1", b"2"]), (0, [b"2"])):
            channel = ServerChannel(20, ticks_diff, RECEIVE_BYTES, MAX_LINE, False)
            channel.restore(0, 0, [(b"%d" % i, True) for i in range(3)])
            self.assertIsNone(channel.take_entry((flags, 0, 1, 2, 100, 0), False))
            self.assertEqual([payload[1:] for _, payload in records(channel)], sent)

    def test_entry_about_messages_that_were_not_sent_is_a_fault(self):
        channel = ServerChannel(20, ticks_diff, RECEIVE_BYTES, MAX_LINE, False)
        self.assertIn("resume at lines 3", channel.take_entry((0, 0, 3, 3, 100, 0), False))
        self.assertFalse(channel.ready)
