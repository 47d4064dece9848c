"""A connection as the client begins it: the handshake, and then the session in its place."""

import unittest

from pb_link import connection as module
from pb_link.connection import Opening
from protocol.frame import HELLO, PROOF, RESUME
from protocol.limits import HANDSHAKE_MS, MAX_FRAME, MAX_LINE
from protocol.responder import Responder
from protocol.session import DETACHED, RESUMING, Session
from tests.protocol.wire import KEY, START, WRAP, ticks_diff


class Clock:
    """Stands for ticks_ms and ticks_diff in the module under test."""

    def __init__(self):
        self.now = START

    def later(self, ms):
        self.now = (self.now + ms) % WRAP

    def ticks_ms(self):
        return self.now


class Link:
    """What an Opening needs of it."""

    def __init__(self):
        self.session = Session(ticks_diff)
        self.connection = Opening(self, self, 500, MAX_LINE, "meter", KEY, b"e" * 8, b"n" * 16)


class TestOpening(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        self._kept = module.ticks_ms, module.ticks_diff
        module.ticks_ms, module.ticks_diff = self.clock.ticks_ms, ticks_diff
        self.link = Link()
        self.responder = Responder()

    def tearDown(self):
        module.ticks_ms, module.ticks_diff = self._kept

    def frame(self):
        """The next frame that it sends, without its prefix, or None."""
        buf = bytearray(MAX_FRAME + 5)
        end = self.link.connection.encode_into(buf, 5, self.clock.now)
        return bytes(buf[7:end]) if end > 5 else None

    def receive(self, data):
        return self.link.connection.receive(data, self.clock.now)

    def welcome(self, key=KEY):
        self.responder.hello(self.frame())
        return self.responder.challenge(key, b"s" * 8, b"m" * 16, 400)

    def test_handshake_comes_before_the_frames_of_the_session(self):
        self.link.session.append(b"line", True)
        welcome = self.welcome()
        self.assertEqual(self.responder.client_id, "meter")
        self.assertIsNone(self.frame())
        self.assertIsNone(self.receive(welcome))
        self.assertIsNone(self.responder.proof(self.frame()))
        self.assertEqual((self.frame()[0], self.frame(), self.link.session.state), (RESUME, None, RESUMING))

    def test_session_takes_its_place_with_the_last_frame_of_the_handshake_and_not_before(self):
        opening = self.link.connection
        self.assertIsNone(self.receive(self.welcome()))
        self.assertIs(self.link.connection, opening)
        other = self.link.session = Session(ticks_diff)  # as when the first channel is opened now
        self.frame()
        self.assertIs(self.link.connection, other)

    def test_hello_is_the_first_frame_and_proof_the_second(self):
        hello = self.frame()
        self.responder.hello(hello)
        self.receive(self.responder.challenge(KEY, b"s" * 8, b"m" * 16))
        self.assertEqual((hello[0], self.frame()[0]), (HELLO, PROOF))

    def test_server_with_another_key_leaves_the_session_as_it_is(self):
        self.assertIn("another key", self.receive(self.welcome(b"k" * 32)))
        self.assertEqual((self.link.session.state, self.frame()), (DETACHED, None))

    def test_frames_are_no_longer_than_mailbox_and_server_take(self):
        self.receive(self.welcome())
        self.assertEqual(self.link.session._attached.max_frame, 400)

    def test_handshake_and_resume_have_their_time_together(self):
        welcome = self.welcome()
        self.clock.later(HANDSHAKE_MS - 1)
        self.assertIsNone(self.link.connection.fault(self.clock.now))
        self.clock.later(1)
        self.assertEqual(self.link.connection.fault(self.clock.now), "the server does not answer")
        self.clock.later(-1)  # WELCOME comes just in time
        self.assertIsNone(self.receive(welcome))
        self.assertIsNone(self.link.connection.fault(self.clock.now))
        self.clock.later(1)
        self.assertEqual(self.link.connection.fault(self.clock.now), "no RESUME in 10000 ms")


if __name__ == "__main__":
    unittest.main()
