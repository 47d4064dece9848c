"""The CREDIT of requests and answers follows later, but soon enough for whoever waits for it."""

import unittest

from protocol.channel_records import ANSWER, CREDIT, EXPIRES, LATE_CREDIT, REQUEST, TYPED
from protocol.channel_session import ChannelSession
from protocol.frame import DATA_HEADER, LENGTH, FrameSeal
from protocol.limits import ACK_LATE_MS, MAC_BYTES
from protocol.sequence import get16
from protocol.server_session import ServerSession
from protocol.session import Session
from tests.protocol.test_recorded_bytes import CLIENT_EPOCH, RUN, SERVER_EPOCH, next_frame
from tests.protocol.wire import ticks_diff

CLIENT, SERVER = 0, 1
TIMED = bytes(2) + b"name"


class Ends:
    """Both ends of a connection with channel 20. They send what is due after 5 ms, as adapters do."""

    def __init__(self):
        self.now = 0
        self.sessions = [ChannelSession(Session(ticks_diff)), ServerSession(ticks_diff)]
        self.sessions[CLIENT].channels.open(20)
        keys = (b"c" * 32, b"s" * 32)
        self.sessions[CLIENT].attach(FrameSeal(*keys), SERVER_EPOCH, 1024, 0)
        self.sessions[SERVER].attach(FrameSeal(keys[1], keys[0]), CLIENT_EPOCH, 1024, 0)
        self.say(CLIENT)
        self.say(CLIENT)
        self.sessions[SERVER].answer(0, RUN)
        self.say(SERVER)
        self.say(SERVER)
        self.later(5)

    def channel(self, who):
        return self.sessions[who].channels.get(20)

    def say(self, who):
        """Have an end send a frame if it has one. Returns its records of channels, [type or 0]; None: no frame."""
        frame = next_frame(self.sessions[who], self.now)
        if not frame:
            return None
        kinds, at = [], DATA_HEADER
        plain = frame[: -MAC_BYTES]
        while at < len(plain) and plain[0] not in (0x10, 0x15):
            kinds.append(plain[at + 3] if plain[at + 2] & TYPED else 0)
            at += 2 + (get16(plain, at) & LENGTH)
        fault = self.sessions[1 - who].receive(memoryview(bytearray(frame)), self.now)
        assert fault is None, fault
        return kinds

    def later(self, ms):
        """Let so many ms pass, and both send what is due then. Returns the types of records, of each."""
        self.now += ms
        found = ([], [])
        for who in (CLIENT, SERVER):
            kinds = self.say(who)
            while kinds is not None:
                found[who].extend(kinds)
                kinds = self.say(who)
        return found

    def accept(self, who):
        self.sessions[who].channels.accept(self.channel(who), self.now)

    def ask(self, asks, data=b"", answer=True):
        """One end asks, the other accepts and answers. Returns the types of records in the answer's frame."""
        other = 1 - asks
        self.channel(asks).append(TIMED + data, True, REQUEST | EXPIRES, self.now + 5000)
        while self.say(asks) is not None:
            pass
        self.accept(other)
        if not answer:
            return None
        self.channel(other).append(b"name" + data, True, ANSWER)
        kinds = self.say(other)
        while self.say(other) is not None:
            pass
        if self.channel(asks).received:
            self.accept(asks)
        return kinds


class TestLateCredit(unittest.TestCase):
    def test_answer_of_the_server_goes_without_it(self):
        ends = Ends()
        self.assertEqual(ends.ask(CLIENT), [0])
        self.assertEqual(ends.channel(CLIENT).unacknowledged(), 1)

    def test_it_follows_without_being_asked_for(self):
        ends = Ends()
        ends.ask(CLIENT)
        timeout = ends.sessions[SERVER].next_timeout(ends.now)
        self.assertTrue(0 < timeout <= ACK_LATE_MS)
        self.assertEqual(ends.later(timeout)[SERVER], [CREDIT])
        self.assertEqual((ends.channel(CLIENT).unacknowledged(), ends.channel(CLIENT).unseen()), (0, 0))

    def test_an_acknowledgement_that_goes_alone_has_it(self):
        ends = Ends()
        ends.ask(CLIENT, answer=False)
        self.assertEqual(ends.later(5)[SERVER], [CREDIT])

    def test_client_tells_at_once_that_it_has_accepted_a_request(self):
        """It would get it again in its next life."""
        ends = Ends()
        self.assertEqual(ends.ask(SERVER), [CREDIT, 0])
        self.assertEqual(ends.channel(SERVER).unacknowledged(), 0)

    def test_next_request_goes_without_that_of_the_answer(self):
        ends = Ends()
        ends.ask(CLIENT)
        ends.channel(CLIENT).append(TIMED, True, REQUEST | EXPIRES, 5000)
        self.assertEqual(ends.say(CLIENT), [0])

    def test_plain_messages_have_it_in_front(self):
        ends = Ends()
        ends.channel(CLIENT).append(b"x", True)
        ends.say(CLIENT)
        ends.accept(SERVER)
        ends.channel(SERVER).append(b"x", True)
        self.assertEqual(ends.say(SERVER), [CREDIT, 0])

    def test_steady_requests_are_acknowledged_in_time(self):
        ends = Ends()
        longest = 0
        for _ in range(100):
            ends.ask(CLIENT)
            longest = max(longest, ends.channel(CLIENT).unacknowledged())
            ends.later(ACK_LATE_MS // 5)
        self.assertTrue(1 < longest <= 7)

    def test_many_bytes_are_acknowledged_at_once(self):
        ends = Ends()
        self.assertEqual(ends.ask(CLIENT, bytes(LATE_CREDIT)), [CREDIT, 0])
        charged = 0
        while CREDIT not in ends.ask(CLIENT, bytes(100)):
            charged += 100
        self.assertTrue(LATE_CREDIT // 2 < charged < LATE_CREDIT)

    def test_little_room_is_told_at_once(self):
        ends = Ends()
        channel = ends.channel(SERVER)
        channel.receiver.max_bytes = 2 * LATE_CREDIT
        ends.ask(CLIENT, bytes(LATE_CREDIT))
        self.assertEqual(ends.ask(CLIENT), [CREDIT, 0])

    def test_next_connection_tells_it_anew(self):
        ends = Ends()
        ends.ask(CLIENT)
        channels = ends.sessions[SERVER].channels
        self.assertIsNotNone(channels._credit_since)
        ends.sessions[SERVER].detach()
        self.assertIsNone(channels._credit_since)


if __name__ == "__main__":
    unittest.main()
