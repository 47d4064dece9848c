import unittest

from protocol.frame import MORE, QOS0
from protocol.limits import MAX_LINE, MIN_FRAGMENT, RECEIVE_BYTES, RECORD_CHARGE, ROOM_UNIT
from protocol.line_bytes import bytes_in
from protocol.lines import text_in
from protocol.receiver import MAX_ROOM, Receiver
from tests.protocol.noise import Noise


def body(*records):
    """The body of a frame: of (header bits, payload)."""
    data = b""
    for bits, payload in records:
        header = bits | len(payload)
        data += bytes((header >> 8, header & 0xFF)) + payload
    return memoryview(data)


class TestOrder(unittest.TestCase):
    def test_lines_of_both_kinds_are_taken_in_order(self):
        receiver = Receiver(line_in=bytes_in)
        fault = receiver.take_records(0, body((0, b"a"), (QOS0, b"q"), (0, b""), (QOS0, b"")))
        self.assertIsNone(fault)
        self.assertEqual(receiver.lines, [b"a", b"q", b"", b""])
        self.assertEqual((receiver.next, receiver.ack), (2, 0))

    def test_fragments_make_a_line(self):
        receiver = Receiver(line_in=bytes_in)
        self.assertIsNone(receiver.take_records(0, body((MORE, b"one "), (MORE, b"two "))))
        self.assertEqual((receiver.lines, receiver.next), ([], 0))
        self.assertIsNone(receiver.take_records(0, body((0, b"three"), (0, b"x"))))
        self.assertEqual(receiver.lines, [b"one two three", b"x"])

    def test_gap_is_a_fault(self):
        receiver = Receiver(line_in=bytes_in)
        self.assertIn("gap", receiver.take_records(1, body((0, b"b"))))
        self.assertEqual(receiver.lines, [])

    def test_line_that_was_received_is_dropped_and_counted(self):
        receiver = Receiver(line_in=bytes_in)
        receiver.take_records(0, body((0, b"a"), (0, b"b")))
        self.assertIsNone(receiver.take_records(0, body((0, b"a"), (0, b"b"), (0, b"c"))))
        self.assertEqual(receiver.lines, [b"a", b"b", b"c"])
        self.assertEqual(receiver.duplicates, 2)

    def test_fragments_of_a_received_line_are_dropped(self):
        receiver = Receiver(line_in=bytes_in)
        receiver.take_records(0, body((0, b"ab")))
        self.assertIsNone(receiver.take_records(0, body((MORE, b"a"), (0, b"b"), (0, b"c"))))
        self.assertEqual(receiver.lines, [b"ab", b"c"])

    def test_numbers_wrap(self):
        for before, after in ((0xFFFF, 0x10001), (0x3FFFFFFF, 1)):
            receiver = Receiver(line_in=bytes_in)
            receiver.start_at(before)
            self.assertIsNone(receiver.take_records(0xFFFF, body((0, b"a"), (0, b"b"))))
            receiver.accept(2)
            self.assertEqual((receiver.next, receiver.ack), (after, after))
            self.assertIsNone(receiver.take_records(0xFFFF, body((0, b"a"), (0, b"b"), (0, b"c"))))
            self.assertEqual((receiver.lines, receiver.next), ([b"c"], after + 1))


class TestFaults(unittest.TestCase):
    def fault(self, *records):
        return Receiver(line_in=bytes_in).take_records(0, body(*records))

    def test_record_cut_off_is_a_fault(self):
        whole = bytes(body((0, b"abc")))
        for end in range(1, len(whole)):
            self.assertIn("cut off", Receiver(line_in=bytes_in).take_records(0, memoryview(whole[:end])))

    def test_reserved_bits_are_a_fault(self):
        for bits in (0x0800, 0x1000, 0x2000):
            self.assertEqual("record header %04x" % (bits | 3), self.fault((bits, b"abc")))

    def test_kinds_mixed_in_one_line_are_a_fault(self):
        self.assertIn("mixed", self.fault((MORE, b"a"), (QOS0, b"b")))
        self.assertIn("mixed", self.fault((MORE | QOS0, b"a"), (0, b"b")))

    def test_line_over_the_limit_is_a_fault(self):
        for records in (((0, bytes(101)),), ((MORE, bytes(60)), (0, bytes(41)))):
            receiver = Receiver(max_line=100, line_in=bytes_in)
            self.assertIn("longer than 100", receiver.take_records(0, body(*records)))
            self.assertEqual(receiver.lines, [])
        self.assertIsNone(Receiver(max_line=100, line_in=bytes_in).take_records(0, body((0, bytes(100)))))

    def test_more_than_there_is_room_for_is_a_fault(self):
        receiver = Receiver(max_bytes=200, line_in=bytes_in)
        fault = receiver.take_records(0, body((0, bytes(100)), (0, bytes(100))))
        self.assertIn("room", fault)
        self.assertEqual(len(receiver.lines), 1)

    def test_flood_of_empty_fragments_is_bounded(self):
        receiver = Receiver(max_bytes=1000, line_in=bytes_in)
        fault = receiver.take_records(0, body(*[(MORE, b"")] * 100))
        self.assertIn("room", fault)

    def test_noise_gives_lines_or_a_fault(self):
        for seed in range(200):
            noise = Noise(seed)
            receiver = Receiver(line_in=bytes_in)
            fault = receiver.take_records(0, memoryview(noise.data(noise.number(900))))
            self.assertTrue(fault is None or isinstance(fault, str))
            self.assertLessEqual(sum(len(line) for line in receiver.lines), 900)


class TestText(unittest.TestCase):
    def test_line_that_is_no_text_is_a_fault_and_holds_nothing(self):
        for bad, reason in ((b"\xff", "not UTF-8"), (b"\xed\xa0\xbd", "not UTF-8"), (b"a\nb", "newline")):
            for bits in (0, QOS0):
                for records in (((bits, bad),), ((bits | MORE, bad[:1]), (bits, bad[1:]))):
                    receiver = Receiver(line_in=bytes_in)
                    room = receiver.room()
                    self.assertIn(reason, receiver.take_records(0, body(*records, (0, b"after"))))
                    receiver.disconnect()
                    self.assertEqual((receiver.lines, receiver.next, receiver.room()), ([], 0, room))

    def test_lines_before_the_one_that_is_no_text_stay(self):
        receiver = Receiver(line_in=bytes_in)
        self.assertIn("UTF-8", receiver.take_records(0, body((0, b"good"), (0, b"\xff"), (0, b"after"))))
        self.assertEqual((receiver.lines, receiver.next), ([b"good"], 1))

    def test_character_may_be_divided_between_fragments(self):
        receiver = Receiver(line_in=bytes_in)
        data = "\U0001f600".encode()
        self.assertIsNone(receiver.take_records(0, body(*[(MORE, data[i : i + 1]) for i in range(4)], (0, b""))))
        self.assertEqual(receiver.lines, [data])


class TestAccept(unittest.TestCase):
    def test_only_accept_moves_the_acknowledgement(self):
        receiver = Receiver(line_in=bytes_in)
        receiver.take_records(0, body((0, b"a"), (QOS0, b"q"), (0, b"b")))
        for ack in (1, 1, 2):
            receiver.accept()
            self.assertEqual(receiver.ack, ack)
        self.assertEqual(receiver.lines, [])

    def test_lines_of_an_older_life_acknowledge_nothing(self):
        receiver = Receiver(line_in=bytes_in)
        receiver.take_records(0, body((0, b"old"), (0, b"older")))
        receiver.disconnect()
        receiver.start_at(40)
        receiver.take_records(40, body((0, b"new")))
        receiver.accept(2)
        self.assertEqual(receiver.ack, 40)
        receiver.accept()
        self.assertEqual(receiver.ack, 41)


class TestRoom(unittest.TestCase):
    def test_longest_line_has_room_in_its_smallest_fragments(self):
        fragments = MAX_LINE // MIN_FRAGMENT
        needed = MAX_LINE + fragments * RECORD_CHARGE
        self.assertLessEqual(needed, Receiver(line_in=bytes_in).room() * ROOM_UNIT)
        self.assertLessEqual(RECEIVE_BYTES, MAX_ROOM * ROOM_UNIT)

    def test_room_shrinks_with_what_is_held_and_comes_back(self):
        receiver = Receiver(max_bytes=640, line_in=bytes_in)
        receiver.take_records(0, body((0, bytes(64 - RECORD_CHARGE)), (MORE, bytes(64 - RECORD_CHARGE))))
        self.assertEqual((receiver.room(), receiver.seen), (8, 128))
        receiver.accept()
        self.assertEqual(receiver.room(), 9)
        receiver.disconnect()
        self.assertEqual((receiver.room(), receiver.seen), (10, 0))

    def test_room_fits_its_byte(self):
        self.assertEqual(Receiver(max_bytes=100000, line_in=bytes_in).room(), MAX_ROOM)

    def test_duplicates_are_seen_but_hold_nothing(self):
        receiver = Receiver(line_in=bytes_in)
        receiver.take_records(0, body((0, b"abcd")))
        room = receiver.room()
        receiver.take_records(0, body((0, b"abcd")))
        self.assertEqual((receiver.room(), receiver.seen), (room, 2 * (4 + RECORD_CHARGE)))

    def test_line_cut_off_by_a_disconnect_comes_again_whole(self):
        receiver = Receiver(line_in=bytes_in)
        receiver.take_records(0, body((MORE, b"half ")))
        receiver.disconnect()
        receiver.take_records(0, body((MORE, b"half "), (0, b"line")))
        self.assertEqual(receiver.lines, [b"half line"])


class Full(list):
    """A list that cannot grow."""

    def append(self, item):
        raise MemoryError


def no_memory(data, at, end):
    raise MemoryError


class TestMemoryThatRunsOut(unittest.TestCase):
    def fails(self, receiver, *records):
        with self.assertRaises(MemoryError):
            receiver.take_records(receiver.next, body(*records))

    def test_line_that_there_is_no_room_for_leaves_nothing_behind(self):
        receiver = Receiver(line_in=bytes_in)
        before, whole = receiver.room(), receiver._line_in
        for records in (((0, bytes(700)),), ((MORE, bytes(70)), (0, bytes(70))), ((QOS0, bytes(700)),)):
            receiver._line_in = no_memory
            self.fails(receiver, *records)
            receiver._line_in = whole
            receiver.disconnect()
            self.assertEqual((receiver.room(), receiver.next, receiver.lines), (before, 0, []))
        self.assertIsNone(receiver.take_records(0, body((0, b"line"))))
        self.assertEqual(receiver.lines, [b"line"])

    def test_lines_before_the_one_that_there_is_no_room_for_are_taken(self):
        receiver = Receiver(line_in=bytes_in)
        before, whole = receiver.room(), receiver._line_in
        receiver._line_in = lambda data, at, end: whole(data, at, end) if end - at < 64 else no_memory(data, at, end)
        self.fails(receiver, (0, b"a"), (QOS0, b"b"), (0, bytes(64)), (0, b"c"))
        receiver.disconnect()
        self.assertEqual((receiver.next, receiver.lines, receiver.room()), (1, [b"a", b"b"], before - 1))
        receiver.accept(2)
        self.assertEqual((receiver.ack, receiver.room()), (1, before))

    def test_line_that_the_list_has_no_room_for_leaves_nothing_behind(self):
        receiver = Receiver(line_in=bytes_in)
        before = receiver.room()
        for full in ("lines", "_charges"):
            kept = getattr(receiver, full)
            setattr(receiver, full, Full())
            self.fails(receiver, (0, b"line"))
            setattr(receiver, full, kept)
            receiver.disconnect()
            self.assertEqual((receiver.room(), receiver.next, receiver.lines, receiver._charges), (before, 0, [], []))

    def test_line_whose_last_fragment_fails_comes_again(self):
        receiver = Receiver(line_in=bytes_in)
        before, whole = receiver.room(), receiver._line_in
        self.assertIsNone(receiver.take_records(0, body((MORE, bytes(64)))))
        receiver._line_in = no_memory
        self.fails(receiver, (0, bytes(10)))
        receiver._line_in = whole
        receiver.disconnect()
        self.assertEqual(receiver.room(), before)
        self.assertIsNone(receiver.take_records(0, body((MORE, bytes(64)), (0, b"end"))))
        self.assertEqual(receiver.lines, [bytes(64) + b"end"])


class TestLinesAsText(unittest.TestCase):
    def receiver_with(self, *records):
        receiver = Receiver(line_in=text_in)
        frame = bytearray(bytes(3) + bytes(body(*records)) + b"M")
        return receiver, receiver.take_records(0, memoryview(frame), 3, len(frame) - 1)

    def test_lines_are_texts_with_their_newline(self):
        two = "\u00e9".encode()
        receiver, fault = self.receiver_with((0, b"one"), (MORE, two[:1]), (0, two[1:]), (QOS0, b""))
        self.assertIsNone(fault)
        self.assertEqual(receiver.lines, ["one\n", "\u00e9\n", "\n"])

    def test_line_that_is_no_text_is_a_fault(self):
        for bad, reason in ((b"\xff", "not UTF-8"), (b"\xed\xa0\xbd", "not UTF-8"), (b"a\nb", "newline")):
            receiver, fault = self.receiver_with((0, b"good"), (0, bad), (0, b"after"))
            self.assertIn(reason, fault)
            self.assertEqual((receiver.lines, receiver.next), (["good\n"], 1))


if __name__ == "__main__":
    unittest.main()
