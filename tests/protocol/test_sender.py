import unittest

from protocol.frame import LENGTH, MORE, QOS0
from protocol.limits import MAX_LINE, MIN_FIRST, MIN_FRAGMENT, RECEIVE_BYTES, RECORD_CHARGE, ROOM_UNIT
from protocol.lines import NUMBERS
from protocol.sender import Sender
from protocol.sequence import get16

MUCH = 16000


def sender_with(*lines, **limits):
    """An open connection with much credit, and these numbered lines."""
    sender = Sender(**limits)
    for line in lines:
        sender.append(line, True)
    sender.grant(0, MUCH)
    return sender


def records(sender, space=1000):
    """Records that it fills a frame with, as (header bits, payload)."""
    buf = bytearray(space)
    end, at, found = sender.fill(buf, 0, space), 0, []
    while at < end:
        header = get16(buf, at)
        n = header & LENGTH
        found.append((header & ~LENGTH, bytes(buf[at + 2 : at + 2 + n])))
        at += 2 + n
    assert at == end
    return found


class TestAsks(unittest.TestCase):
    def asks(self, sender, space=500):
        records(sender, space)
        return sender.asks()

    def test_frame_that_nothing_follows_asks(self):
        self.assertTrue(self.asks(sender_with(b"line")))
        self.assertFalse(self.asks(sender_with(b"x" * 1000)))

    def test_half_of_the_lines_ask(self):
        sender = sender_with(*[b"x" * 100] * 10, max_lines=10)
        self.assertEqual([self.asks(sender, 204) for _ in range(5)], [False, False, True, False, True])

    def test_half_of_the_room_asks(self):
        sender = sender_with(*[b"x" * 84] * 12)
        sender.grant(0, 800)
        self.assertEqual([self.asks(sender, 172) for _ in range(4)], [False, True, False, True])

    def test_counting_begins_anew_with_a_connection(self):
        sender = sender_with(*[b"x" * 100] * 10, max_lines=10)
        self.assertFalse(self.asks(sender, 408))
        sender.disconnect()
        sender.grant(0, MUCH)
        self.assertEqual([self.asks(sender, 204) for _ in range(3)], [False, False, True])


class TestLongestLine(unittest.TestCase):
    def test_line_longer_than_the_peer_takes_is_held_with_those_behind_it(self):
        sender = sender_with(b"first", b"x" * 300, b"last")
        sender.max_line = 299
        self.assertEqual(records(sender), [(0, b"first")])
        self.assertFalse(sender.can_fill())
        self.assertEqual(sender.longest_held(), 300)
        sender.max_line = 300
        self.assertEqual(sender.longest_held(), 0)
        self.assertEqual(records(sender), [(0, b"x" * 300), (0, b"last")])

    def test_line_that_was_sent_before_is_not_held(self):
        sender = sender_with(b"x" * 300)
        records(sender)
        sender.max_line = 299
        self.assertEqual(sender.longest_held(), 0)
        sender.disconnect()
        self.assertEqual(sender.longest_held(), 300)
        self.assertIsNone(sender.resume(0, 1))  # the peer has it already
        self.assertEqual(sender.longest_held(), 0)


class TestFill(unittest.TestCase):
    def test_lines_that_wait_share_a_frame_in_order(self):
        sender = sender_with(b"a", b"", b"ccc")
        sender.append(b"q", False)
        self.assertEqual(records(sender), [(0, b"a"), (0, b""), (0, b"ccc"), (QOS0, b"q")])
        self.assertFalse(sender.can_fill())

    def test_line_longer_than_the_space_goes_in_fragments(self):
        line = bytes(i % 250 for i in range(250))
        sender = sender_with(line, b"next")
        first, second = records(sender, 150), records(sender, 150)
        self.assertEqual(first, [(MORE, line[:148])])
        self.assertEqual(second, [(0, line[148:]), (0, b"next")])

    def test_number_is_that_of_the_line_that_goes_on(self):
        sender = sender_with(b"a", bytes(200))
        sender.start_at(NUMBERS)
        self.assertEqual(sender.number(), NUMBERS)
        records(sender, 120)
        self.assertEqual(sender.number(), 0)

    def test_fragment_is_not_smaller_than_the_least_useful(self):
        sender = sender_with(b"x" * 10, bytes(500))
        self.assertEqual(records(sender, 12 + 2 + MIN_FIRST - 1), [(0, b"x" * 10)])
        self.assertEqual(records(sender, 2 + MIN_FIRST), [(MORE, bytes(MIN_FIRST))])
        self.assertEqual(records(sender, 2 + MIN_FRAGMENT - 1), [])
        self.assertEqual(records(sender, 2 + MIN_FRAGMENT), [(MORE, bytes(MIN_FRAGMENT))])

    def test_smallest_fragments_of_the_longest_line_fit_the_receive_space(self):
        rest = MAX_LINE - MIN_FIRST
        fragments = 1 + (rest + MIN_FRAGMENT - 1) // MIN_FRAGMENT
        self.assertLessEqual(MAX_LINE + fragments * RECORD_CHARGE + ROOM_UNIT, RECEIVE_BYTES)

    def test_record_never_exceeds_its_length_field(self):
        line = bytes(5000)
        found = records(sender_with(line), 5100)
        self.assertEqual([len(payload) for _, payload in found], [LENGTH, LENGTH, 5000 - 2 * LENGTH])


class TestCredit(unittest.TestCase):
    def test_nothing_is_sent_without_credit(self):
        sender = Sender()
        sender.append(b"", True)
        self.assertFalse(sender.can_fill())
        sender.grant(0, RECORD_CHARGE)
        self.assertEqual(records(sender), [(0, b"")])

    def test_record_is_charged_for_payload_and_overhead(self):
        sender = sender_with(b"abc")
        records(sender)
        self.assertEqual(sender.sent, 3 + RECORD_CHARGE)
        self.assertEqual(sender.in_flight(0), 3 + RECORD_CHARGE)
        self.assertEqual(sender.in_flight(sender.sent), 0)

    def test_credit_bounds_what_is_sent(self):
        sender = Sender()
        sender.append(bytes(1000), True)
        sender.grant(0, 100 + RECORD_CHARGE)
        self.assertEqual(records(sender), [(MORE, bytes(100))])
        self.assertFalse(sender.can_fill())
        sender.grant(100 + RECORD_CHARGE, 2000)
        self.assertEqual(records(sender), [(0, bytes(900))])

    def test_room_counts_beyond_what_was_seen(self):
        sender = sender_with(bytes(100), bytes(100))
        records(sender, 102)
        sender.grant(0, 128)  # the peer has not seen the first line yet
        self.assertFalse(sender.can_fill())

    def test_charged_bytes_wrap(self):
        sender = sender_with(b"x" * 84)
        sender.sent = 0xFFF0
        sender.grant(0xFFF0, 1000)
        records(sender)
        self.assertEqual(sender.sent, 0x54)
        self.assertEqual(sender.in_flight(0xFFF0), 100)


class TestAcknowledgement(unittest.TestCase):
    def test_acknowledged_lines_are_forgotten(self):
        sender = sender_with(b"a", b"b", b"c")
        records(sender)
        self.assertIsNone(sender.acknowledge(2))
        self.assertEqual((sender.base, sender.acknowledged), (2, 2))
        self.assertTrue(sender.lines)
        self.assertIsNone(sender.acknowledge(3))
        self.assertEqual(sender.lines, [])

    def test_old_acknowledgement_changes_nothing(self):
        sender = sender_with(b"a", b"b")
        records(sender)
        sender.acknowledge(2)
        self.assertIsNone(sender.acknowledge(1))
        self.assertEqual((sender.base, sender.acknowledged), (2, 2))

    def test_acknowledgement_of_what_was_not_sent_is_a_fault(self):
        sender = sender_with(b"a")
        self.assertIn("not sent", sender.acknowledge(1))
        records(sender)
        self.assertIn("not sent", sender.acknowledge(2))

    def test_numbers_wrap(self):
        for before, after in ((0xFFFE, 0x10001), (NUMBERS - 1, 1)):
            sender = sender_with(b"a", b"b", b"c")
            sender.start_at(before)
            records(sender)
            self.assertIsNone(sender.acknowledge(1))
            self.assertEqual((sender.base, sender.acknowledged, sender.lines), (after, 3, []))
            sender.disconnect()
            self.assertEqual(sender.reached, after)

    def test_append_tells_what_to_wait_for(self):
        sender = sender_with(b"a")
        self.assertEqual(sender.append(b"b", True), 2)
        self.assertEqual(sender.append(b"q", False), 0)
        self.assertEqual(sender.append(b"c", True), 3)


class TestWindow(unittest.TestCase):
    def test_lines_are_bounded(self):
        sender = sender_with(b"", b"", max_lines=2)
        self.assertFalse(sender.room_for(0))
        records(sender)
        self.assertFalse(sender.room_for(0))
        sender.acknowledge(1)
        self.assertTrue(sender.room_for(0))

    def test_bytes_are_bounded(self):
        sender = sender_with(bytes(60), max_bytes=100)
        self.assertTrue(sender.room_for(40))
        self.assertFalse(sender.room_for(41))

    def test_any_line_has_room_when_nothing_is_held(self):
        self.assertTrue(Sender(max_bytes=100).room_for(8192))

    def test_unnumbered_line_frees_its_bytes_when_it_has_been_sent(self):
        sender = Sender(max_bytes=100)
        sender.append(bytes(100), False)
        sender.grant(0, MUCH)
        self.assertFalse(sender.room_for(1))
        records(sender)
        self.assertTrue(sender.room_for(100))
        self.assertEqual(sender.lines, [])


class TestResume(unittest.TestCase):
    def test_lines_not_acknowledged_are_sent_again(self):
        sender = sender_with(b"a", b"b", b"c")
        records(sender, 6)
        sender.disconnect()
        self.assertFalse(sender.can_fill())
        self.assertIsNone(sender.resume(0, 0))
        sender.grant(0, MUCH)
        self.assertEqual(records(sender), [(0, b"a"), (0, b"b"), (0, b"c")])

    def test_lines_that_had_arrived_are_not(self):
        sender = sender_with(b"a", b"b", b"c")
        records(sender)
        sender.disconnect()
        self.assertIsNone(sender.resume(2, 2))
        sender.grant(0, MUCH)
        self.assertEqual((sender.number(), sender.acknowledged), (2, 2))
        self.assertEqual(records(sender), [(0, b"c")])

    def test_line_received_and_not_accepted_is_kept_and_not_sent(self):
        sender = sender_with(b"a", b"b", b"c")
        records(sender)
        sender.disconnect()
        self.assertIsNone(sender.resume(1, 2))
        sender.grant(0, MUCH)
        self.assertEqual((sender.number(), sender.acknowledged), (2, 1))
        self.assertEqual(records(sender), [(0, b"c")])
        sender.disconnect()
        self.assertIsNone(sender.resume(1, 1))
        sender.grant(0, MUCH)
        self.assertEqual(records(sender), [(0, b"b"), (0, b"c")])

    def test_line_sent_in_part_begins_anew(self):
        sender = sender_with(bytes(300))
        records(sender, 100)
        sender.disconnect()
        sender.resume(0, 0)
        sender.grant(0, MUCH)
        self.assertEqual(records(sender), [(0, bytes(300))])

    def test_unnumbered_lines_are_forgotten_sent_in_part_or_not(self):
        sender = Sender()
        for line, numbered in ((bytes(300), False), (b"n", True), (b"q", False)):
            sender.append(line, numbered)
        sender.grant(0, MUCH)
        records(sender, 100)
        sender.disconnect()
        sender.resume(0, 0)
        sender.grant(0, MUCH)
        self.assertEqual(records(sender), [(0, b"n")])
        self.assertTrue(sender.room_for(8191))

    def test_resume_outside_of_what_is_held_is_a_fault(self):
        sender = sender_with(b"a", b"b")
        sender.start_at(5)
        records(sender)
        sender.disconnect()
        for ack, peer_next in ((6, 5), (8, 8), (7, 8), (5, 5 + (1 << 29) - 1)):
            self.assertIn("resume at line", sender.resume(ack, peer_next))
        self.assertIsNone(sender.resume(7, 7))
        self.assertEqual(sender.lines, [])

    def test_resume_behind_a_line_that_no_connection_carried_is_a_fault(self):
        """Our epoch is not ours alone, or the peer has seen another past: the line would be lost without a word."""
        sender = sender_with(b"a", b"b", bytes(300))
        records(sender, 100)
        sender.disconnect()
        self.assertIn("sent to 2", sender.resume(3, 3))
        self.assertIn("sent to 0", sender_with(b"a").resume(1, 1))
        self.assertIsNone(sender.resume(2, 2))

    def test_peer_that_lost_acknowledged_lines_gets_those_from_base_on(self):
        sender = sender_with(b"a", b"b", b"c")
        records(sender)
        sender.acknowledge(2)
        sender.disconnect()
        self.assertIsNone(sender.resume(1, 1))
        sender.grant(0, MUCH)
        self.assertEqual((sender.number(), records(sender)), (2, [(0, b"c")]))


if __name__ == "__main__":
    unittest.main()
