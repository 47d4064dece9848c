import unittest

from protocol.channel_records import EXPIRES
from protocol.limits import MAX_LINE, RECEIVE_BYTES
from protocol.server_channel import ServerChannel
from tests.protocol.channel_halves import records
from tests.protocol.wire import ticks_diff


class TestServerChannel(unittest.TestCase):
    def setUp(self):
        self.channel = ServerChannel(20, ticks_diff, RECEIVE_BYTES, MAX_LINE, False)

    def take(self, header, kind=0, data=b""):
        self.assertIsNone(self.channel.receiver.take(header | len(data), kind, memoryview(data), 0, 100))

    def test_messages_without_a_number_have_no_place_among_the_numbers(self):
        for numbered in (True, False, True):
            self.channel.append(b"", numbered)
        self.assertEqual(self.channel.end, 2)

    def test_it_goes_on_with_what_a_store_has(self):
        channel = self.channel
        channel.restore(7, 4, [(b"x", True), (bytes(2) + b"y", True, EXPIRES, 10)], 5)
        self.assertEqual((channel.ack(), channel.expected(), channel.base, channel.end), (7, 7, 4, 6))
        self.assertEqual((channel.expired, channel.reached, channel.timed, channel.unacknowledged()), (5, 6, 1, 2))
        self.assertIsNone(channel.take_entry((0, 7, 5, 5, 100, 0), False))
        self.assertEqual(len(records(channel)), 1)

    def test_after_is_what_accepting_leads_to(self):
        channel = self.channel
        for _ in range(3):
            self.take(0)
        after = channel.after([False, True, True])
        for expired in (False, True, True):
            channel.accept(expired)
        self.assertEqual((channel.ack(), channel.expired), after)
        self.assertEqual(after, (3, 0b011))

    def test_late_messages_are_counted(self):
        self.take(0, EXPIRES, b"\0\x05x")
        self.take(0, EXPIRES, b"\0\x05x")
        self.take(0, 0, b"y")
        self.assertEqual(self.channel.front(105), b"y")
        self.channel.accept()
        self.assertEqual((self.channel.expirations, self.channel.ack()), (2, 3))
