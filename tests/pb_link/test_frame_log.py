"""`verbose=2` of the client: the life of a connection, one line a frame."""

import asyncio  # noqa: F401 - first: each import inside of another takes C stack
import sys
import unittest

from i2c_devices.ports import TargetPort
from pb_link import frame_log
from pb_link.app_base import AppBase
from pb_link.connection import Opening
from protocol.limits import ACK_DELAY_MS, MAX_FRAME, MAX_LINE
from protocol.responder import Responder
from protocol.server_session import ServerSession
from protocol.session import Session
from tests.pb_link.idle_pin import Pin
from tests.protocol.wire import KEY, RUN, START, ticks_diff


def app(verbose):
    config = [8123, "server", 1500, 0, "", "", KEY]
    return AppBase("a", config, [TargetPort(None), Pin(), Pin(), None], verbose)


class Link:
    """What an Opening needs of it. `connection`: as the link with verbose=2 has it."""

    def __init__(self):
        self.session = Session(ticks_diff)
        self.connection = log = frame_log.FrameLog()
        log.connection = Opening(self, log, MAX_FRAME, MAX_LINE, "a", KEY, b"e" * 8, b"n" * 16)


class TestFrameLog(unittest.TestCase):
    def setUp(self):
        self.shown = []
        frame_log.print = lambda *words: self.shown.append(" ".join(words))

    def tearDown(self):
        del frame_log.print

    def test_line_for_which_there_is_no_memory_costs_nothing(self):
        def fail(*words):
            raise MemoryError

        frame_log.print = fail
        frame_log.FrameLog()._print("<", bytearray(20), 0, 20)
        frame_log.memoryview = fail
        try:
            frame_log.FrameLog()._print(">", bytearray(20), 2, 20)
        finally:
            del frame_log.memoryview

    def sent(self, end, now):
        """The next frame of this end, without its prefix."""
        buf = bytearray(MAX_FRAME)
        return memoryview(buf)[2 : end.encode_into(buf, 0, now)]

    def test_life_of_a_line_is_shown_frame_by_frame(self):
        link, server, responder = Link(), ServerSession(ticks_diff), Responder()
        session, client = link.session, link.connection
        responder.hello(self.sent(client, START))
        client.receive(responder.challenge(KEY, b"s" * 8, b"m" * 16), START)
        responder.proof(self.sent(client, START))
        server.attach(responder.seal, b"e" * 8, MAX_FRAME, START)
        server.receive(self.sent(client, START), START)
        server.answer(START, RUN)
        client.receive(self.sent(server, START), START)
        session.append(b"hello", True)
        server.receive(self.sent(client, START), START)
        server.accept(1, START)
        client.receive(self.sent(server, START + ACK_DELAY_MS), START)
        self.assertIs(client.connection, session)
        self.assertIsNone(client.fault(START))
        self.assertEqual(session.acknowledged, 1)
        self.assertEqual(
            [line.split("=")[0] for line in self.shown],
            [
                "pb_link: > HELLO version",
                "pb_link: < WELCOME version",
                "pb_link: > PROOF",
                "pb_link: > RESUME base",
                "pb_link: < RESUME base",
                "pb_link: > DATA seq",
                "pb_link: < ACK 1 seen",
            ],
        )
        self.assertEqual(self.shown[5], "pb_link: > DATA seq=0 ack=0 seen=0 room=161 records=1 bytes=5")

    def test_line_of_log_that_there_is_no_memory_for_costs_no_connection(self):
        def fail(*words):
            raise MemoryError

        frame_log.print = fail
        self.assertEqual(self.sent(Link().connection, START)[0], 1)

    def test_frames_are_logged_with_2_and_the_modules_loaded_then_only(self):
        modules = ("pb_link.frame_log", "protocol.frame_log")
        kept = [sys.modules.pop(name) for name in modules]
        try:
            for verbose in (False, True, 1):
                self.assertIsNone(app(verbose)._link.frame_log)
            self.assertEqual([name for name in modules if name in sys.modules], [])
            logged = app(2)._link.frame_log
            self.assertIsInstance(logged, sys.modules[modules[0]].FrameLog)
        finally:
            sys.modules.update(zip(modules, kept))


if __name__ == "__main__":
    unittest.main()
