import unittest

from protocol.channel_records import LIST, NOTICE
from protocol.channel_session import TAKEN_IN
from protocol.frame import (
    DATA,
    DATA_MORE,
    MORE,
    PROBE,
    RESUME,
    FrameSeal,
    Resume,
    encode_data_header,
)
from protocol.limits import ACK_DELAY_MS, ACK_LATE_MS, HANDSHAKE_MS, MAC_BYTES, MAX_FRAME, STALL_MS
from protocol.sequence import get16
from protocol.session import ASKED, DETACHED, OPEN, RESUMING
from tests.protocol.noise import Noise, every_flip, flipped
from tests.protocol.pair import EPOCH, OTHER, RUN, Pair
from tests.protocol.wire import START, WRAP

DOCUMENT = __file__[: -len("tests/protocol/test_session.py")] + "docs/protocol.md"
STATES = {"DETACHED": DETACHED, "RESUMING": RESUMING, "ASKED": ASKED, "OPEN": OPEN}
KINDS = {"RESUME": RESUME, "DATA": DATA, "DATA_MORE": DATA_MORE, "NOTICE": NOTICE, "PROBE": PROBE, "LIST": LIST}
NEXT = {  # of the client, of the server
    "the client: OPEN; the server: ASKED": (OPEN, ASKED),
    "taken": (OPEN, OPEN),
    "taken, and answered with DATA": (OPEN, OPEN),
}


def documented():
    """The table of states in section 6 of docs/protocol.md: {(state, kind or event): what is written there}."""
    with open(DOCUMENT) as document:
        section = document.read().split("\n## 6 ")[1].split("\n## 7 ")[0]
    rows = [row[1:-1].split("|") for row in section.split("\n") if row.startswith("|")]
    at = [row[0].strip() for row in rows].index("state")
    states = [name.strip() for name in rows[at][1:]]
    found = {}
    for row in rows[at + 2 : at + 10]:
        event = row[0].strip()
        event = event[: -len(" received")] if event.endswith(" received") else event
        for state, text in zip(states, row[1:]):
            found[state, event] = text.strip()
    return found


def in_state(name, answers, channels=True):
    """A Pair whose session is in this state, or None if there is none at this end."""
    pair = Pair(answers, channels)
    if name == "DETACHED":
        pair.session.detach()
    elif name != "RESUMING":
        pair.heard()
        pair.resume()
        if name == "OPEN" and answers:
            pair.session.answer(pair.now, RUN)
            pair.heard()
    return pair if pair.session.state == STATES[name] else None


class TestStateTable(unittest.TestCase):
    """Document, table and session say the same."""

    def test_table_is_the_one_in_the_document(self):
        table = documented()
        self.assertEqual(sorted({state for state, _ in table}), sorted(STATES))
        self.assertEqual(sorted(TAKEN_IN), sorted(KINDS.values()))
        for state in STATES:
            for kind in KINDS:
                self.assertEqual(table[state, kind] != "fault", TAKEN_IN[KINDS[kind]] == STATES[state], (state, kind))

    def test_client_without_channels_takes_all_but_what_is_of_channels(self):
        for (state, kind), text in documented().items():
            pair = in_state(state, False, channels=False)
            if pair is None or kind not in KINDS:
                continue
            if kind == "LIST":
                fault = pair.list(20)
            else:
                fault = pair.resume(listed=True) if kind == "RESUME" else pair.data(kind=KINDS[kind])
            self.assertEqual(fault is not None, text == "fault" or KINDS[kind] in (LIST, NOTICE), (state, kind, fault))

    def test_session_takes_what_the_table_says_and_goes_on_as_it_says(self):
        for answers in (False, True):
            for (state, kind), text in documented().items():
                pair = in_state(state, answers)
                if pair is None or kind not in KINDS or kind == "LIST":  # test_channels.py has that
                    continue
                fault = pair.resume() if kind == "RESUME" else pair.data(kind=KINDS[kind])
                self.assertEqual(fault is not None, text == "fault", (state, kind, answers, fault))
                after = STATES[state] if fault else NEXT[text][answers]
                self.assertEqual(pair.session.state, after, (state, kind, answers))
                answered = pair.session.next_timeout(pair.now) == ACK_DELAY_MS
                self.assertEqual(answered, text.endswith("answered with DATA"), (state, kind, answers))

    def test_resume_that_does_not_come_and_an_answer_that_does_not_are_a_fault(self):
        for answers in (False, True):
            for state in STATES:
                pair = in_state(state, answers)
                if pair is None:
                    continue
                text = documented()[state, "HANDSHAKE_MS since attach"]
                pair.later(HANDSHAKE_MS - 1)
                self.assertIsNone(pair.session.fault(pair.now))
                self.assertEqual(pair.session.next_timeout(pair.now) == 1, text == "fault", state)
                pair.later(1)
                words = "no answer to RESUME in 10000 ms" if state == "ASKED" else "no RESUME in 10000 ms"
                self.assertEqual(pair.session.fault(pair.now), words if text == "fault" else None)


class TestStates(unittest.TestCase):
    def test_resume_is_the_first_frame_and_opens(self):
        pair = Pair()
        self.assertEqual(pair.session.state, RESUMING)
        self.assertEqual(pair.heard()[0], 0x10)
        self.assertIsNone(pair.heard())
        self.assertIsNone(pair.resume())
        self.assertEqual((pair.session.state, pair.session.resumes), (OPEN, 1))

    def test_what_is_accepted_between_the_two_resumes_is_acknowledged(self):
        """Our RESUME has told the old number, and the peer has nothing to send that would ask for another."""
        pair = Pair().open()
        self.assertIsNone(pair.data(b"one", b"two"))
        pair.attach()
        self.assertEqual(Resume(pair.heard()).ack, 0)
        pair.session.accept(2, pair.now)
        self.assertIsNone(pair.resume(remembered=True))
        self.assertEqual(pair.session.next_timeout(pair.now), ACK_DELAY_MS)
        pair.later(ACK_DELAY_MS)
        self.assertEqual(get16(pair.heard(), 3), 2)

    def test_data_is_not_sent_before_the_peers_resume(self):
        pair = Pair()
        pair.session.append(b"line", True)
        pair.heard()
        self.assertIsNone(pair.heard())
        pair.resume()
        self.assertEqual(pair.heard()[8:], b"\x00\x04line")

    def test_data_before_resume_is_a_fault(self):
        self.assertIn("unexpected", Pair().data(b"line"))

    def test_second_resume_is_a_fault(self):
        self.assertIn("unexpected", Pair().open().resume())

    def test_other_kinds_are_a_fault(self):
        for kind in (0x00, 0x01, 0x03, 0x15, 0xFF):
            self.assertIn("unexpected frame kind %02x" % kind, Pair().open().say(bytes((kind,)) * 9))

    def test_detached_session_says_and_takes_nothing(self):
        pair = Pair().open()
        pair.session.detach()
        self.assertEqual(pair.session.state, DETACHED)
        self.assertIsNone(pair.heard())
        self.assertIn("without a connection", pair.session.receive(memoryview(b"x" * 20), 0))
        self.assertIsNone(pair.session.next_timeout(pair.now))
        self.assertIsNone(pair.session.fault(pair.now))

    def test_frame_of_an_older_connection_is_refused(self):
        pair = Pair().open()
        old = pair.peer
        pair.session.attach(FrameSeal(b"t" * 32, b"q" * 32), EPOCH, MAX_FRAME, pair.now)
        pair.peer = old
        self.assertIn("MAC", pair.data(b"late"))


class TestForgery(unittest.TestCase):
    def sealed(self, pair, body):
        buf = bytearray(body) + bytearray(MAC_BYTES)
        return bytes(buf[: pair.peer.seal(buf, 0, len(body))])

    def test_flipped_bit_anywhere_in_resume_is_refused(self):
        pair = Pair()
        for bad in every_flip(self.sealed(pair, b"\x10" + bytes(17) + b"\xa0\x00")):
            self.assertIn("MAC", pair.session.receive(memoryview(bad), 0))
        self.assertEqual(pair.session.state, RESUMING)

    def test_flipped_bit_anywhere_in_data_is_refused(self):
        pair = Pair().open()
        for bad in every_flip(self.sealed(pair, b"\x11" + bytes(6) + b"\xa0\x00\x04line")):
            self.assertIn("MAC", pair.session.receive(memoryview(bad), 0))
        self.assertEqual(pair.session.lines, [])

    def test_replayed_and_reflected_frames_are_refused(self):
        pair = Pair().open()
        good = memoryview(self.sealed(pair, b"\x11" + bytes(6) + b"\xa0\x00\x04line"))
        self.assertIsNone(pair.session.receive(good, 0))
        self.assertIn("MAC", pair.session.receive(good, 0))
        pair.session.append(b"own", True)
        buf = bytearray(MAX_FRAME)
        end = pair.session.encode_into(buf, 0, pair.now)
        self.assertIn("MAC", pair.session.receive(memoryview(buf)[2:end], 0))
        self.assertEqual(pair.session.lines, [b"line"])

    def test_noise_is_refused_in_every_state(self):
        noise = Noise(8)
        for pair in (Pair(), Pair().open()):
            for size in range(120):
                fault = pair.session.receive(memoryview(noise.data(size)), 0)
                self.assertIn("MAC", fault)

    def test_noise_under_a_true_mac_gives_lines_or_a_fault(self):
        noise = Noise(9)
        for _ in range(200):
            pair = Pair() if noise.number(2) else Pair().open()
            kind = (0x10, DATA, noise.number(256))[noise.number(3)]
            fault = pair.say(bytes((kind,)) + noise.data(noise.number(40)))
            self.assertTrue(fault is None or isinstance(fault, str))

    def test_flipped_bit_under_a_true_mac_gives_lines_or_a_fault(self):
        body = b"\x11" + bytes(6) + b"\xa0\x80\x04line\x00\x03end"
        for bit in range(8 * len(body)):
            fault = Pair().open().say(flipped(body, bit))
            self.assertTrue(fault is None or isinstance(fault, str))


class TestResume(unittest.TestCase):
    def test_new_peer_is_not_remembered_and_says_where_it_begins(self):
        pair = Pair()
        self.assertEqual(pair.heard()[1], 0)
        pair.resume(base=700)
        self.assertEqual((pair.session._receiver.next, pair.session.peer_epoch), (700, EPOCH))

    def test_known_peer_is_remembered_and_goes_on(self):
        pair = Pair().open()
        pair.data(b"one", b"two")
        pair.attach()
        told = Resume(pair.heard())
        self.assertEqual((told.remembered, told.base, told.ack, told.next, told.runs), (True, 0, 0, 2, RUN))
        pair.resume(base=0)
        self.assertEqual(pair.session._receiver.next, 2)

    def test_next_of_a_peer_that_forgot_us_means_nothing(self):
        pair = Pair().open()
        pair.session.append(b"one", True)
        pair.heard()
        pair.attach(b"peer-two")
        pair.heard()
        self.assertIsNone(pair.resume(remembered=False, next_number=999))
        self.assertEqual(pair.heard()[8:], b"\x00\x03one")

    def test_ack_of_a_peer_that_remembers_acknowledges(self):
        pair = Pair().open()
        pair.session.append(b"one", True)
        pair.session.append(b"two", True)
        pair.heard()
        pair.attach()
        pair.heard()
        pair.resume(remembered=True, ack=1, next_number=1)
        self.assertEqual(pair.heard()[8:], b"\x00\x03two")
        self.assertEqual(pair.session.acknowledged, 1)

    def test_resume_outside_of_what_is_held_is_a_fault(self):
        self.assertIn("resume at lines 5", Pair().resume(remembered=True, ack=5, next_number=5))

    def test_peer_that_knows_lines_that_we_never_sent_had_our_epoch_from_another(self):
        """Two boots with the same random numbers: a new epoch, and the line arrives."""
        pair = Pair()
        pair.session.append(b"mine", True)
        self.assertIn("resume at lines", pair.resume(remembered=True, ack=1, next_number=1))
        self.assertTrue(pair.session._impostor)
        pair.session.detach()
        self.assertTrue(pair.session.renumbered())
        self.assertFalse(pair.session.renumbered())
        pair.attach()
        pair.heard()
        self.assertIsNone(pair.resume())
        self.assertEqual((pair.session._impostor, pair.heard()[8:]), (False, b"\x00\x04mine"))

    def test_news_of_the_server_stay_until_they_are_taken_although_the_connection_that_had_them_fails(self):
        pair = Pair()
        self.assertIsNone(pair.session.news)
        pair.heard()
        pair.resume(remembered=True, ack=1, next_number=1)  # a fault: it is a new server, whose session never opens
        self.assertEqual(pair.session.news, "")
        for news in ("", None):
            pair.attach()
            pair.open()
            self.assertEqual((pair.session.state, pair.session.news), (OPEN, news))
            pair.session.news = None
        for changes in ({"lost": 3}, {"parted": True}):
            pair.attach()
            pair.heard()
            self.assertIsNone(pair.resume(**changes))
            self.assertIn("store", pair.session.news)
            pair.session.news = None

    def test_numbers_65536_lines_apart_are_told_apart(self):
        pair = Pair().open()
        pair.session._sender.start_at(65536)
        pair.session.append(b"one", True)
        pair.attach()
        self.assertEqual(Resume(pair.heard()).base, 65536)
        self.assertIsNone(pair.resume(remembered=True, ack=0, next_number=0))
        self.assertEqual(pair.heard()[8:], b"\x00\x03one")


class TestOtherPast(unittest.TestCase):
    """The client's end, when the server's store is not what it was."""

    def heard_lines(self, epoch=EPOCH, count=3, runs=RUN):
        """A client that has received so many lines of this epoch."""
        pair = Pair()
        pair.attach(epoch)
        pair.heard()
        pair.resume(runs=runs)
        pair.data(*[b"x"] * count)
        pair.session.accept(count, pair.now)
        return pair

    def test_client_of_another_past_counts_from_the_servers_base(self):
        pair = self.heard_lines()
        pair.attach()
        self.assertTrue(Resume(pair.heard()).remembered)
        pair.resume(base=2, runs=OTHER, parted=True)
        self.assertEqual((pair.session._receiver.next, pair.session.peer_epoch), (2, EPOCH))
        self.assertIsNone(pair.data(b"another", number=2))
        pair.attach()
        said = Resume(pair.heard())
        self.assertEqual((said.remembered, said.next, said.runs), (True, 3, OTHER))

    def test_lines_held_of_the_other_past_are_handed_over_and_acknowledge_nothing(self):
        pair = Pair().open()
        pair.data(b"one", b"two")
        pair.attach()
        pair.resume(base=1, runs=OTHER, parted=True)
        pair.session.accept(2, pair.now)
        self.assertEqual(pair.session._receiver.ack, 1)

    def test_server_that_comes_back_is_told_what_came_from_it(self):
        """An address that moves to a spare machine and back."""
        pair = self.heard_lines()
        pair.attach(b"spare...")
        self.assertFalse(Resume(pair.heard()).remembered)
        pair.resume(base=9, runs=OTHER)
        pair.attach()
        said = Resume(pair.heard())
        self.assertEqual((said.remembered, said.ack, said.next, said.runs), (True, 3, 3, RUN))
        pair.resume(base=2, runs=OTHER + RUN)
        self.assertEqual(pair.session._receiver.next, 3)
        pair.attach(b"spare...")
        said = Resume(pair.heard())
        self.assertEqual((said.remembered, said.next, said.runs), (True, 9, OTHER))

    def test_connection_that_breaks_before_resume_changes_no_memory(self):
        pair = self.heard_lines()
        pair.attach(b"spare...")
        pair.session.detach()
        pair.attach()
        self.assertEqual(Resume(pair.heard()).next, 3)

    def test_new_run_of_the_same_past_goes_on(self):
        pair = self.heard_lines()
        pair.attach()
        pair.heard()
        pair.resume(base=1, runs=OTHER + RUN)
        self.assertEqual(pair.session._receiver.next, 3)
        pair.attach()
        self.assertEqual(Resume(pair.heard()).runs, OTHER + RUN)


class TestFaultsOfThePeer(unittest.TestCase):
    def test_acknowledgement_of_what_was_not_sent_is_a_fault(self):
        self.assertIn("not sent", Pair().open().data(ack=1))

    def test_seeing_more_than_was_sent_is_a_fault(self):
        self.assertIn("seen more", Pair().open().data(seen=1))

    def test_more_than_the_room_is_a_fault(self):
        pair = Pair().open()
        big = b"x" * 1900
        faults = [pair.data(big, number=number) for number in range(6)]
        self.assertEqual(faults[:5], [None] * 5)
        self.assertIn("room", faults[5])

    def test_gap_is_a_fault(self):
        self.assertIn("gap", Pair().open().data(b"x", number=1))


class TestAcknowledgements(unittest.TestCase):
    def test_nothing_to_tell_is_not_told(self):
        pair = Pair().open()
        pair.later(100000)
        self.assertIsNone(pair.heard())
        self.assertIsNone(pair.session.next_timeout(pair.now))

    def test_acknowledgement_waits_for_company_but_not_for_long(self):
        pair = Pair().open()
        pair.data(b"line")
        self.assertIsNone(pair.heard())
        self.assertEqual(pair.session.next_timeout(pair.now), ACK_DELAY_MS)
        pair.later(ACK_DELAY_MS - 1)
        self.assertIsNone(pair.heard())
        pair.later(1)
        self.assertEqual(pair.session.next_timeout(pair.now), 0)
        self.assertEqual(len(pair.heard()), 8)
        self.assertIsNone(pair.heard())

    def test_acknowledgement_leaves_only_after_accept(self):
        pair = Pair().open()
        pair.data(b"line")
        pair.later(ACK_DELAY_MS)
        self.assertEqual(get16(pair.heard(), 3), 0)
        pair.session.accept(1, pair.now)
        pair.later(ACK_DELAY_MS)
        self.assertEqual(get16(pair.heard(), 3), 1)

    def test_acknowledgement_rides_with_data_at_once(self):
        pair = Pair().open()
        pair.data(b"line")
        pair.session.accept(1, pair.now)
        pair.session.append(b"answer", True)
        frame = pair.heard()
        self.assertEqual((get16(frame, 3), frame[8:]), (1, b"\x00\x06answer"))
        pair.later(1000)
        self.assertIsNone(pair.heard())

    def test_acknowledgements_alone_are_not_acknowledged(self):
        pair = Pair().open()
        pair.data()
        pair.later(1000)
        self.assertIsNone(pair.heard())

    def test_accept_before_anything_was_told_is_harmless(self):
        pair = Pair()
        pair.resume()
        pair.data(b"line")
        pair.session.accept(1, pair.now)
        self.assertEqual(pair.heard()[0], 0x10)

    def test_much_room_that_came_back_is_told(self):
        pair = Pair().open()
        buf = bytearray(8)
        for _ in range(3):
            encode_data_header(buf, 0, 0, 0, 0, 160)
            pair.say(bytes(buf) + b"\x44\x00" + bytes(1024))  # qos 0
        pair.later(ACK_DELAY_MS)
        pair.heard()
        pair.session.accept(2, pair.now)
        pair.later(ACK_DELAY_MS)
        self.assertIsNone(pair.heard())
        pair.session.accept(1, pair.now)
        pair.later(ACK_DELAY_MS)
        self.assertEqual(pair.heard()[7], 161)


class TestHurry(unittest.TestCase):
    """DATA_MORE: more follows at once."""

    def test_peer_with_more_to_come_is_acknowledged_late(self):
        pair = Pair().open()
        pair.data(b"line", kind=DATA_MORE)
        pair.session.accept(1, pair.now)
        self.assertEqual(pair.session.next_timeout(pair.now), ACK_LATE_MS)
        pair.later(ACK_LATE_MS - 1)
        self.assertIsNone(pair.heard())
        pair.later(1)
        self.assertEqual(get16(pair.heard(), 3), 1)

    def test_peer_with_nothing_more_to_come_is_acknowledged_soon(self):
        pair = Pair().open()
        pair.data(b"one", kind=DATA_MORE)
        pair.later(ACK_DELAY_MS + 1)
        pair.data(b"two", number=1)
        self.assertEqual(pair.session.next_timeout(pair.now), ACK_DELAY_MS)
        pair.data(b"three", number=2, kind=DATA_MORE)  # that of the two before is still due
        self.assertEqual(pair.session.next_timeout(pair.now), ACK_DELAY_MS)

    def test_what_is_accepted_while_more_comes_is_acknowledged_late(self):
        pair = Pair().open()
        pair.data(b"line", kind=DATA_MORE)
        pair.later(ACK_LATE_MS)
        pair.heard()
        pair.session.accept(1, pair.now)
        self.assertEqual(pair.session.next_timeout(pair.now), ACK_LATE_MS)

    def test_peer_without_room_hears_of_room_soon(self):
        pair = Pair().open()
        pair.data(*[b"x" * 1000] * 10, kind=DATA_MORE)
        pair.later(ACK_LATE_MS)
        self.assertLess(pair.heard()[7], 3)
        pair.data(b"x" * 60, number=10, kind=DATA_MORE)
        pair.later(ACK_LATE_MS)
        self.assertLess(pair.heard()[7], 2)
        pair.session.accept(1, pair.now)
        self.assertEqual(pair.session.next_timeout(pair.now), ACK_DELAY_MS)

    def test_frame_says_if_more_follows(self):
        pair = Pair().open()
        pair.session.append(b"x" * 1500, True)
        self.assertEqual([pair.heard()[0] for _ in range(2)], [DATA_MORE, DATA])

    def test_half_of_the_window_asks_for_an_acknowledgement(self):
        pair = Pair().open()
        pair.session.append(b"x" * 8000, True)
        kinds = [pair.heard()[0] for _ in range(8)]
        self.assertEqual(kinds, [DATA_MORE] * 3 + [DATA] + [DATA_MORE] * 3 + [DATA])


class TestTime(unittest.TestCase):
    def sent(self):
        pair = Pair().open()
        pair.session.append(b"line", True)
        pair.heard()
        return pair

    def test_frames_that_are_not_seen_are_a_stall(self):
        pair = self.sent()
        self.assertEqual(pair.session.next_timeout(pair.now), STALL_MS)
        pair.later(STALL_MS - 1)
        self.assertIsNone(pair.session.fault(pair.now))
        pair.later(1)
        self.assertIn("does not see", pair.session.fault(pair.now))
        self.assertEqual(pair.session.next_timeout(pair.now), 0)

    def test_seen_is_enough_however_long_accept_takes(self):
        pair = self.sent()
        pair.data(seen=4 + 16)
        pair.later(1 << 28)
        self.assertIsNone(pair.session.fault(pair.now))
        self.assertIsNone(pair.session.next_timeout(pair.now))

    def test_progress_of_some_frames_starts_the_time_again(self):
        pair = self.sent()
        pair.session.append(b"more", True)
        pair.later(STALL_MS - 1)
        pair.heard()
        pair.data(seen=20)
        pair.later(STALL_MS - 1)
        self.assertIsNone(pair.session.fault(pair.now))
        pair.later(1)
        self.assertIsNotNone(pair.session.fault(pair.now))

    def test_stall_is_found_across_the_wrap_of_the_clock(self):
        pair = self.sent()
        self.assertGreater(START + STALL_MS, WRAP)
        pair.later(STALL_MS)
        self.assertIsNotNone(pair.session.fault(pair.now))

    def test_idle_time_before_is_no_stall(self):
        pair = Pair().open()
        pair.later(1 << 28)
        pair.session.append(b"line", True)
        pair.heard()
        self.assertIsNone(pair.session.fault(pair.now))

    def test_earlier_of_two_timeouts_counts(self):
        pair = self.sent()
        pair.data(b"line")
        self.assertEqual(pair.session.next_timeout(pair.now), ACK_DELAY_MS)


class TestFrames(unittest.TestCase):
    def test_no_frame_is_longer_than_agreed(self):
        for max_frame in (128, 500, MAX_FRAME, 5000):
            pair = Pair()
            pair.attach(max_frame=max_frame)
            pair.open()
            for _ in range(8):
                pair.session.append(bytes(300), True)
            frame = pair.heard()
            while frame:
                self.assertLessEqual(len(frame) + MAC_BYTES + 2, min(max_frame, MAX_FRAME))
                frame = pair.heard()

    def test_long_line_fills_its_frames(self):
        pair = Pair().open()
        pair.session.append(bytes(3000), True)
        first = pair.heard()
        self.assertEqual(len(first) + MAC_BYTES + 2, MAX_FRAME)
        self.assertTrue(get16(first, 8) & MORE)

    def test_counter_that_is_used_up_ends_the_connection(self):
        for name in ("_sent", "_received"):
            pair = Pair().open()
            seal = pair.session._attached.seal
            setattr(seal, name, FrameSeal.LAST - 1)
            if name == "_sent":
                seal.seal(bytearray(16), 0, 8)
            else:
                pair.peer._sent = FrameSeal.LAST - 1
                self.assertIsNone(pair.data(b"line"))
            pair.session.append(b"line", True)
            self.assertIn("counter", pair.session.fault(pair.now))
            self.assertIsNone(pair.heard())

    def test_frame_beyond_the_last_counter_is_refused(self):
        pair = Pair().open()
        pair.session._attached.seal._received = pair.peer._sent = FrameSeal.LAST
        self.assertIn("MAC", pair.data(b"line"))


if __name__ == "__main__":
    unittest.main()
