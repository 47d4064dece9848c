"""Channels over a wire that breaks: on each, every message once and in order, whatever fault comes at whatever step."""

import unittest

from protocol.channel_records import (
    ANSWER,
    BRIEF,
    BRIEF_ANSWER,
    BRIEF_REQUEST,
    CHANNEL,
    DROPPED,
    EXPIRES,
    LISTED,
    REQUEST,
)
from protocol.channel_records import OPEN as OPEN_RECORD
from protocol.channel_session import ChannelSession
from protocol.frame import DATA, MORE
from protocol.limits import HANDSHAKE_MS, MAX_LINE, MIN_FRAME, PROBE_MS, RECEIVE_BYTES, STALL_MS
from protocol.session import OPEN, RESUMING
from tests.protocol.channel_wire import ChannelEnd, channel_wire
from tests.protocol.pair import RUN, Pair
from tests.protocol.wire import FAULTS, End, Wire, numbered, ticks_diff
from tests.sample import all_or

# Of 24 sizes of a frame `make test-cases` tries each, in CPython. MicroPython takes a minute for them.
SIZE_STEP = all_or(5, 1)
UP = {20: numbered("u", 5, 300), 21: numbered("v", 7, 30)}
DOWN = {20: numbered("d", 6, 700), 21: numbered("e", 3)}
LINES_UP = numbered("c", 4, 100)
LINES_DOWN = numbered("s", 4, 100)


def loaded(faults=None, durable=True):
    wire = channel_wire(faults, durable)
    for line in LINES_UP:
        wire.client.write(line)
    for line in LINES_DOWN:
        wire.server.write(line)
    for end, all_messages in ((wire.client, UP), (wire.server, DOWN)):
        for number, messages in all_messages.items():
            for data in messages:
                end.send(number, data)
    return wire


def steps():
    wire = loaded()
    wire.run()
    return wire.step


class TestFaults(unittest.TestCase):
    def check(self, wire):
        self.assertEqual(wire.server.delivered, LINES_UP)
        self.assertEqual(wire.client.delivered, LINES_DOWN)
        self.assertEqual(wire.server.got, UP)
        self.assertEqual(wire.client.got, DOWN)

    def test_all_messages_arrive_once_and_in_order(self):
        wire = loaded()
        wire.run()
        self.check(wire)
        self.assertEqual(wire.connections, 1)

    def test_one_fault_at_any_step_loses_and_repeats_nothing(self):
        for fault in FAULTS:
            for step in range(steps()):
                with self.subTest(fault=fault, step=step):
                    wire = loaded({step: fault})
                    wire.run()
                    self.check(wire)

    def test_two_faults_at_any_steps_lose_and_repeat_nothing(self):
        last = steps()
        for fault in FAULTS:
            for first in range(last):
                wire = loaded({first: fault, first + 1 + first % 4: "cut", first + 6: "lose"})
                wire.run()
                self.check(wire)

    def test_restart_of_a_server_with_a_store_is_not_seen_at_all(self):
        for step in range(steps()):
            with self.subTest(step=step):
                wire = loaded({step: lambda wire: wire.reboot(wire.server)})
                wire.run()
                self.check(wire)

    def test_restart_of_the_client_repeats_nothing_at_the_server(self):
        for step in range(steps()):
            with self.subTest(step=step):
                wire = loaded({step: lambda wire: wire.reboot(wire.client)})
                while len(wire.client.lives) == 1:
                    wire.turn()
                wire.client.send(20, b"after")
                wire.run()
                for number in (20, 21):
                    got = wire.server.got.get(number, [])
                    before = [data for data in got if data != b"after"]
                    self.assertEqual(before, UP[number][: len(before)])
                self.assertEqual(wire.server.got[20][-1], b"after")
                for number in (20, 21):  # those accepted just before may come again
                    got = wire.client.got[number]
                    self.assertEqual(got[len(got) - len(DOWN[number]) :][-1], DOWN[number][-1])
                    self.assertEqual([data for data in DOWN[number] if data not in got], [])

    def test_restart_of_a_server_without_a_store_repeats_nothing_at_the_client(self):
        for step in range(steps()):
            with self.subTest(step=step):
                wire = loaded({step: lambda wire: wire.reboot(wire.server)}, durable=False)
                while len(wire.server.lives) == 1:
                    wire.turn()
                wire.server.send(20, b"after")
                wire.run()
                got = wire.client.got[20]
                self.assertEqual(got[-1], b"after")
                self.assertEqual(got[:-1], DOWN[20][: len(got) - 1])
                self.check_numbers(wire)
                self.assertEqual([data for data in UP[20] if data not in wire.server.got[20]], [])


    def check_numbers(self, wire):
        """Both ends count alike, so the next connection repeats nothing."""
        for number in (20, 21):
            client, server = wire.client.session.channels.get(number), wire.server.session.channels.get(number)
            self.assertEqual(client.receiver.next, server.end)
            self.assertEqual(server.receiver.next, client.base + len([line for line in client.lines if line[1]]))

    def test_another_store_numbers_its_messages_otherwise(self):
        wire = loaded()
        wire.run()
        old = wire.server
        other = ChannelEnd("other", False, (20, 21), durable=True)
        other.epoch = b"\x00other  "
        other.kept[20].base = 700
        other.begin_life()
        other.epoch = b"\x00other  "
        wire.cut()
        wire.server = other
        other.send(20, b"from the other")
        wire.client.send(20, b"to the other")
        wire.run()
        self.assertEqual(wire.client.session.channels.get(20).receiver.next, 701)
        self.assertEqual(other.got, {20: [b"to the other"]})
        wire.cut()
        wire.server = old
        old.send(20, b"back")
        wire.run()
        self.assertEqual(wire.client.got[20], DOWN[20] + [b"from the other", b"back"])
        self.check_numbers(wire)


class LateUser(End):
    """A client whose application opens its first channel just before RESUME goes out, or just after it."""

    def __init__(self, before):
        End.__init__(self, "client", True)
        self._before = before

    def frames(self, now):
        late = self.session.state == RESUMING and not isinstance(self.session, ChannelSession)
        if late and self._before:
            self._open()
        found = End.frames(self, now)
        if late and not self._before:
            self._open()
        return found

    def _open(self):
        self.session = ChannelSession(self.session)
        self.session.channels.open(30)


class TestOpening(unittest.TestCase):
    def test_message_waits_until_the_client_has_opened_the_channel(self):
        wire = Wire(ChannelEnd("client", True, ()), ChannelEnd("server", False, (30,), durable=True))
        wire.server.send(30, b"early")
        for _ in range(10):
            wire.turn()
        self.assertEqual(wire.client.got, {})
        wire.client.session.channels.open(30)
        wire.run()
        self.assertEqual(wire.client.got, {30: [b"early"]})
        self.assertEqual(wire.connections, 1)

    def test_channel_opened_late_survives_faults_at_any_step(self):
        for fault in FAULTS:
            for step in range(24):
                with self.subTest(fault=fault, step=step):
                    wire = Wire(
                        ChannelEnd("client", True, ()), ChannelEnd("server", False, (30,), durable=True), {step: fault}
                    )
                    wire.server.send(30, b"early")
                    for _ in range(3):
                        wire.turn()
                    wire.client.session.channels.open(30)
                    wire.client.hand_over(wire.now)
                    wire.client.send(30, b"up")
                    wire.run()
                    self.assertEqual((wire.client.got, wire.server.got), ({30: [b"early"]}, {30: [b"up"]}))

    def test_channel_opened_while_the_session_resumes_is_announced_with_open(self):
        for before in (True, False):  # RESUME
            wire = Wire(LateUser(before), ChannelEnd("server", False, (30,), durable=True))
            for _ in range(20):
                wire.turn()
            self.assertTrue(wire.server.session.channels.get(30).ready)
            self.assertEqual(wire.connections, 1)

    def test_server_that_knows_messages_that_were_never_sent_had_the_epoch_from_another(self):
        wire = channel_wire()
        wire.server.kept[20].next = 5
        wire.server.store.peer_epoch = wire.client.epoch
        wire.reboot(wire.server)
        wire.client.send(20, b"first")
        while not wire.why[1:]:
            wire.turn()
        self.assertIn("resume at lines 5", wire.why[1])
        self.assertTrue(wire.client.session.renumbered())
        wire.client.epoch = b"\x01another"
        wire.run()
        self.assertEqual(wire.server.got, {20: [b"first"]})

    def test_many_channels_need_several_frames_of_the_list(self):
        numbers = list(range(1, 128))
        wire = Wire(ChannelEnd("client", True, numbers), ChannelEnd("server", False, numbers, durable=True))
        for number in numbers:
            wire.client.send(number, b"%d" % number)
        wire.run()
        self.assertEqual(wire.server.got, dict([(number, [b"%d" % number]) for number in numbers]))

    def test_only_1_to_127_are_channels(self):
        channels = ChannelEnd("client", True, ()).session.channels
        for number in (0, 128, -1, "20", None, 1.5):
            with self.assertRaises(ValueError):
                channels.open(number)


class TestList(unittest.TestCase):
    def test_list_is_taken_behind_a_resume_that_announces_it_and_nowhere_else(self):
        for answers in (False, True):
            pair = Pair(answers)
            self.assertIn("unexpected frame kind 15", pair.list(20))
            pair = Pair(answers).open()
            self.assertIn("unexpected frame kind 15", pair.list(20))
        pair = Pair(True)
        self.assertIsNone(pair.resume())
        self.assertIn("unexpected frame kind 15", pair.list(20))

    def test_server_answers_when_the_list_is_whole(self):
        pair = Pair(True)
        self.assertIsNone(pair.resume(listed=True))
        self.assertIsNone(pair.list(20, last=False))
        self.assertFalse(pair.session.asked)
        self.assertIsNone(pair.list(21))
        self.assertTrue(pair.session.asked)
        self.assertEqual(sorted(pair.session.heard.channels), [20, 21])

    def test_client_follows_a_resume_when_the_list_is_whole(self):
        pair = Pair(channels=True)
        pair.session.channels.open(20)
        pair.session.detach()
        pair.attach()
        self.assertEqual((pair.heard()[1], pair.heard()[:3]), (LISTED, b"\x15\x01\x14"))
        self.assertIsNone(pair.resume(listed=True))
        self.assertEqual(pair.session.state, RESUMING)
        self.assertIsNone(pair.list(20))
        self.assertEqual(pair.session.state, OPEN)

    def test_second_resume_and_anything_else_before_the_end_of_the_list_are_a_fault(self):
        for say in (lambda pair: pair.resume(listed=True), lambda pair: pair.data(b"line")):
            pair = Pair(True)
            pair.resume(listed=True)
            self.assertIn("unexpected frame kind", say(pair))

    def test_bad_lists_are_a_fault(self):
        for bad in (
            b"", b"\x15", b"\x15\x01\x14", b"\x15\x02", b"\x15\x01\x00" + bytes(18), b"\x15\x01\x80" + bytes(18),
            b"\x15\x01" + 2 * (b"\x14" + bytes(18)),
        ):  # fmt: skip
            pair = Pair(True)
            pair.resume(listed=True)
            self.assertIsNotNone(pair.say(bad) if bad else pair.list(20, 20))

    def test_client_is_told_of_a_channel_that_nobody_has_opened(self):
        pair = Pair(channels=True)
        self.assertIsNone(pair.resume(listed=True))
        self.assertIn("nobody has opened", pair.list(20))


class TestRecords(unittest.TestCase):
    def said(self, *payloads, bits=0):
        """What a server says to records of channel 20, which is open, or of others."""
        pair = Pair(True)
        pair.resume(listed=True)
        pair.list(20)
        pair.session.answer(pair.now, RUN)
        while pair.heard():
            pass
        body = bytes((DATA, 0, 0, 0, 0, 0, 0, 160))
        for payload in payloads:
            header = CHANNEL | bits | len(payload)
            body += bytes((header >> 8, header & 0xFF)) + payload
        return pair.say(body), pair.session.channels

    def test_message_is_taken(self):
        fault, channels = self.said(b"\x14data", b"\x14")
        self.assertIsNone(fault)
        self.assertEqual(channels.get(20).received, [b"data", b""])

    def test_type_in_the_header_is_as_good_as_its_byte(self):
        for payload, bits, kind in (
            (b"\x94\x03" + bytes(8), 0, REQUEST | EXPIRES), (b"\x14" + bytes(8), BRIEF_REQUEST, REQUEST | EXPIRES),
            (b"\x94\x04" + bytes(4), 0, ANSWER), (b"\x14" + bytes(4), BRIEF_ANSWER, ANSWER),
        ):  # fmt: skip
            fault, channels = self.said(payload, bits=bits)
            self.assertIsNone(fault)
            self.assertEqual([entry[1] for entry in channels.get(20).received], [kind])
        for payload, bits, words in (
            (b"\x94\x04" + bytes(4), BRIEF_ANSWER, "two types"), (b"\x14", BRIEF, "record header 3801"),
            (b"\x14" + bytes(3), BRIEF_ANSWER, "type 04"), (b"", BRIEF_REQUEST, "cut off"),
        ):  # fmt: skip
            fault, channels = self.said(payload, bits=bits)
            self.assertIn(words, fault)
            self.assertEqual(channels.get(20).received, [])

    def test_bad_records_are_a_fault_and_open_nothing(self):
        for payload, words in (
            (b"", "cut off"), (b"\x94", "cut off"), (b"\x15data", "channel 21, which is not open"),
            (b"\x00data", "channel 0, which is not open"), (b"\x94\x82", "control record 82"),
            (b"\x95\x80" + bytes(5), "control record 80 on channel 21"), (b"\x94\x81" + bytes(17), "control record 81"),
            (b"\x80\x81" + bytes(18), "control record 81 on channel 0"), (b"\x94\x81" + bytes(18), "a second OPEN"),
            (b"\x94\x10", "type 10"),
        ):  # fmt: skip
            fault, channels = self.said(payload)
            self.assertIn(words, fault)
            self.assertEqual([one.number for one in channels.used], [20])

    def test_flood_of_opens_is_bounded_by_the_number_of_channels(self):
        pair = Pair(True)
        pair.resume()
        pair.session.answer(pair.now, RUN)
        body = bytes((DATA, 0, 0, 0, 0, 0, 0, 160))
        for number in range(1, 40):
            body += bytes((0x20, 20, 0x80 | number, OPEN_RECORD)) + bytes(18)
        self.assertIsNone(pair.say(body))
        self.assertEqual(len(pair.session.channels.used), 39)


    def test_flood_of_empty_lists_ends_with_the_time_for_resume(self):
        pair = Pair(True)
        pair.resume(listed=True)
        for _ in range(HANDSHAKE_MS // 100):
            self.assertIsNone(pair.session.fault(pair.now))
            self.assertIsNone(pair.list(last=False))
            pair.later(100)
        self.assertIn("no RESUME", pair.session.fault(pair.now))
        self.assertEqual(pair.session.heard.channels, {})

    def test_list_of_all_channels_is_the_longest(self):
        pair = Pair(True)
        pair.resume(listed=True)
        for number in range(1, 128):
            self.assertIsNone(pair.list(number, last=False))
        for number in (0, 1, 127, 128, 255):
            again = Pair(True)
            again.resume(listed=True)
            again.list(*range(1, 65), last=False)
            again.list(*range(65, 128), last=False)
            self.assertIn("unexpected frame kind", again.list(number))

    def test_messages_beyond_the_room_of_a_channel_are_a_fault_and_are_not_kept(self):
        size = 1000
        fits = RECEIVE_BYTES // (size + 17)  # a record's charge, and the byte of the channel
        message = b"\x14" + bytes(size)
        fault, channels = self.said(*[message] * fits)
        self.assertIsNone(fault)
        fault, channels = self.said(*[message] * (fits + 1))
        self.assertIn("more data than there was room for", fault)
        self.assertEqual(len(channels.get(20).received), fits)

    def test_fragments_without_end_are_a_fault_and_bounded(self):
        pair = Pair(True)
        pair.resume(listed=True)
        pair.list(20)
        pair.session.answer(pair.now, RUN)
        fault, said = None, 0
        while fault is None and said < 2 * RECEIVE_BYTES:
            header = CHANNEL | MORE | 501
            body = bytes((DATA, 0, 0, 0, 0, 0, 0, 160, header >> 8, header & 0xFF, 20)) + bytes(500)
            fault = pair.say(body)
            said += 500
        self.assertEqual(fault, "line longer than %d bytes" % MAX_LINE)
        self.assertEqual(pair.session.channels.get(20).received, [])

    def test_credit_for_what_was_never_sent_is_a_fault(self):
        fault, _ = self.said(b"\x94\x80\0\0\0\x14\xff")
        self.assertIn("seen more than was sent", fault)
        fault, _ = self.said(b"\x94\x80\0\1\0\0\xff")
        self.assertIn("acknowledgement of a line that was not sent", fault)


class TestManyChannels(unittest.TestCase):
    """What there is to tell of all of them does not fit into one frame."""

    def wire(self, count, max_frame, down):
        numbers = list(range(1, count + 1))
        wire = Wire(ChannelEnd("client", True, numbers), ChannelEnd("server", False, numbers, durable=True))
        wire.client.max_frame = wire.server.max_frame = max_frame
        for number in numbers:
            (wire.server if down else wire.client).send(number, b"%d" % number)
        return wire, dict([(number, [b"%d" % number]) for number in numbers])

    def test_no_message_goes_before_the_open_of_its_channel(self):
        for count in (8, 30, 127):
            for max_frame in list(range(MIN_FRAME, MIN_FRAME + 24, SIZE_STEP)) + [1068]:
                wire, sent = self.wire(count, max_frame, True)
                wire.run(100)
                self.assertEqual((wire.client.got, wire.connections), (sent, 1))

    def test_each_channel_is_told_what_was_accepted_before_its_sender_gives_up(self):
        for down in (False, True):
            for max_frame in (MIN_FRAME, 1068):
                wire, sent = self.wire(127, max_frame, down)
                begun = wire.now
                wire.run(200)
                self.assertEqual((wire.client if down else wire.server).got, sent)
                self.assertEqual(wire.connections, 1)
                self.assertLess(ticks_diff(wire.now, begun), STALL_MS // 4)


class TestRoom(unittest.TestCase):
    def test_channel_that_is_not_read_stops_its_writer_and_nobody_else(self):
        wire = channel_wire()
        wire.client.mute = [20]
        wire.server.quiet = (20,)
        for i in range(40):
            wire.server.send(20, b"%d" % i + bytes(1000))
        wire.run()
        held = len(wire.client.session.channels.get(20).receiver.lines)
        self.assertTrue(5 < held < 12, held)
        wire.server.send(21, b"other")
        wire.server.write(b"line")
        wire.run()
        self.assertEqual(wire.client.got, {21: [b"other"]})
        self.assertEqual(wire.client.delivered, [b"line"])
        wire.client.mute = []
        wire.server.quiet = ()
        wire.client.hand_over(wire.now)
        wire.run()
        self.assertEqual(len(wire.client.got[20]), 40)
        self.assertEqual(wire.connections, 1)

    def test_room_that_was_made_while_the_session_resumed_is_told_at_once(self):
        for step in range(7):
            wire = channel_wire()
            wire.client.mute = [20]
            for i in range(40):
                wire.server.send(20, b"%d" % i + bytes(1000))
            for _ in range(100):
                wire.turn()
            wire.cut()
            begun = wire.now

            def read(wire):
                wire.client.mute = []
                wire.client.hand_over(wire.now)

            wire.faults = {wire.step + step: read}
            wire.run()
            self.assertEqual(len(wire.client.got[20]), 40)
            self.assertLess(ticks_diff(wire.now, begun), PROBE_MS // 2)

    def test_long_transfer_on_one_channel_lets_the_others_pass(self):
        wire = channel_wire()
        for i in range(30):
            wire.client.send(20, b"%d" % i + bytes(1000))
        wire.turn()
        wire.client.send(21, b"short")
        while 21 not in wire.server.got:
            wire.turn()
        self.assertLess(len(wire.server.got[20]), 29)
        wire.run()
        self.assertEqual(len(wire.server.got[20]), 30)

    def test_message_without_qos_is_lost_with_the_connection_or_arrives_in_order(self):
        wire = channel_wire()
        wire.run()
        for i in range(10):
            wire.client.send(20, b"%d" % i, i % 2 == 0)
        wire.run()
        self.assertEqual(wire.server.got, {20: [b"%d" % i for i in range(10)]})


class TestExpiry(unittest.TestCase):
    def test_message_in_time_arrives_and_one_that_is_late_does_not(self):
        wire = channel_wire()
        wire.run()
        sender = wire.client.session.channels.get(20)
        good = wire.client.send_timed(20, b"good", wire.now, 5000)
        late = wire.client.send_timed(20, b"late", wire.now, 0)
        wire.client.send(20, b"next")
        wire.run()
        got = [message if isinstance(message, bytes) else message[0][2:] for message in wire.server.got[20]]
        self.assertEqual(got, [b"good", b"next"])
        self.assertEqual(sender.waiting, {good: False, late: True})
        self.assertEqual(sender.acknowledged, 3)

    def test_message_that_expires_where_it_is_not_read_is_told_to_its_sender(self):
        for faults in ({}, {12: "cut"}, {14: "cut"}, {16: "lose"}, {18: "cut"}):
            wire = channel_wire()
            wire.run()
            first = wire.step
            wire.faults = dict([(first + step - 12, fault) for step, fault in faults.items()])
            wire.client.mute = [20]
            wire.server.quiet = (20,)
            late = wire.server.send_timed(20, b"late", wire.now, 200)
            wire.server.send(20, b"next")
            sender = wire.server.session.channels.get(20)
            for _ in range(300):
                wire.turn()
                wire.now += 1
            wire.client.mute = []
            wire.server.quiet = ()
            wire.client.hand_over(wire.now)
            wire.run()
            self.assertEqual(wire.client.got, {20: [b"next"]})
            self.assertEqual(sender.waiting, {late: True})

    def test_late_message_that_a_reader_passes_over_is_told_soon(self):
        wire = channel_wire()
        wire.run()
        wire.client.mute = [20]
        late = wire.server.send_timed(20, b"late", wire.now, 200)
        channel = wire.client.session.channels.get(20)
        while not channel.receiver.lines:
            wire.turn()
        for _ in range(10):  # until its frame has been answered
            wire.turn()
            if ticks_diff(wire.now, channel.receiver.lines[0][2]) > -100:
                break
        begun = wire.now = channel.receiver.lines[0][2]
        self.assertIsNone(channel.front(wire.now))  # the application looks before the next tick
        sender = wire.server.session.channels.get(20)
        while not sender.waiting[late]:
            wire.turn()
        self.assertLess(ticks_diff(wire.now, begun), PROBE_MS // 2)

    def test_late_message_keeps_its_number(self):
        wire = channel_wire()
        wire.client.send_timed(20, b"late", wire.now, 0)
        wire.client.send(20, b"next")
        wire.run()
        self.assertEqual(wire.server.session.channels.get(20).receiver.next, 2)
        self.assertEqual(wire.server.got, {20: [b"next"]})

    def test_at_most_so_many_wait_while_one_can_expire(self):
        sender = ChannelEnd("client", True, (20,)).session.channels.get(20)
        for _ in range(29):
            sender.append(b"x", True)
        self.assertTrue(sender.room_for(1, True))
        sender.append(b"12345", True, 1, 10)
        self.assertFalse(sender.room_for(1, True))
        self.assertFalse(sender.room_for(1))
        self.assertEqual(DROPPED & 1, 0)
