"""What is printed at a client with a console goes to the server, and costs the application nothing.

A session of the server is at the other end, as in test_channels.py: frames go when the test says so.
"""

import asyncio
import os
import sys
import unittest
from struct import unpack_from

from pb_link import app_base, console, frame_log
from pb_link.console import CHANNEL, HEADER, PIECE_BYTES, RING_BYTES, TAKES_INPUT, Console, Ring
from primitives.platform import sleep_ms
from tests.pb_link.test_channels import App as ChannelsApp


class App(ChannelsApp):
    """Its link does not run: `_run_link` of the console is this one."""

    def __init__(self, **how):
        self.how = how
        super().__init__()

    def begin(self):
        self.console._run_link = self.until_closed
        return asyncio.create_task(self._link.run())

    async def until_closed(self):
        while not self._link.closed:
            await sleep_ms(5)

    def shown(self):
        """Returns [(flags, offset, text)] of what has come."""
        found = []
        for message in self.read.get(CHANNEL, ()):
            found.append(unpack_from(">BI", message, 0) + (message[HEADER:],))
        return found

    def text(self):
        return b"".join([one[2] for one in self.shown()]).replace(b"\r", b"")


def app(**how):
    made = App(**how)
    if how.get("verbose") == 2:
        made._link.frame_log = frame_log.FrameLog()
    made.console = Console(made._link, how.get("repl", False))
    return made


async def looks(one, count=3):
    """The console looks, and what it sends goes."""
    for _ in range(count):
        await sleep_ms(60)
        one.exchange()


class TestRing(unittest.TestCase):
    def test_keeps_the_newest_and_counts_all(self):
        ring = Ring(8)
        self.assertEqual(ring.message(0, 1), b"\x01\0\0\0\0")
        ring.write(b"abcdef")
        self.assertEqual(ring.message(3, 0), b"\0\0\0\0\0abc")
        ring.drop(3)
        ring.write(memoryview(b"ghijkl"))
        self.assertEqual((ring.count, ring.end), (8, 12))
        self.assertEqual(ring.message(ring.count, 0), b"\0\0\0\0\x04efghijkl")
        ring.write(b"." * 30 + b"12345678")
        self.assertEqual(ring.message(ring.count, 0), b"\0\0\0\0\x2a12345678")
        ring.drop(8)
        self.assertEqual(ring.count, 0)

    def test_offset_wraps(self):
        ring = Ring(8)
        ring.end = (1 << 30) - 2
        ring.write(b"abc")
        self.assertEqual(ring.end, 1)
        self.assertEqual(ring.message(3, 0), b"\0\x3f\xff\xff\xfeabc")


class TestConsole(unittest.TestCase):
    def test_what_is_printed_comes_in_order_and_from_the_beginning(self):
        async def main():
            one = app()
            task = one.begin()
            await sleep_ms(0)
            print("before there is a link")
            one.connect()
            await looks(one)
            print("w\u00f6rds", 12)
            await looks(one)
            self.assertEqual(one.text(), "before there is a link\nw\u00f6rds 12\n".encode())
            self.assertEqual([entry[:2] for entry in one.shown()][0], (0, 0))
            one.close()
            await task

        asyncio.run(main())

    def test_outage_keeps_the_newest_in_the_ring_and_tells_what_is_lost(self):
        async def main():
            one = app()
            task = one.begin()
            one.connect()
            await looks(one)
            one.cut()
            await looks(one)
            for i in range(300):
                print("%09d" % i)
            one.connect()
            await looks(one, 8)
            found = one.shown()
            end = found[-1][1] + len(found[-1][2])
            self.assertTrue(end in (3000, 3300))  # with \r on a board
            text = one.text()
            self.assertEqual(text[-20:], b"000000298\n000000299\n")
            self.assertTrue(RING_BYTES - 200 < len(text) <= RING_BYTES)
            first = [entry for entry in found if entry[2]][0]
            self.assertEqual(first[1], end - RING_BYTES)
            self.assertTrue(max([len(entry[2]) for entry in found]) <= PIECE_BYTES)
            one.close()
            await task

        asyncio.run(main())

    def test_server_is_told_on_each_connection_whether_input_is_taken(self):
        async def main():
            one = app()
            one.console._input = Silent()
            task = one.begin()
            for count in (1, 2):
                one.connect()
                await looks(one)
                self.assertEqual(one.shown(), [(TAKES_INPUT, 0, b"")] * count)
                one.cut()
                await looks(one)
            one.close()
            await task

        asyncio.run(main())

    def test_lack_of_memory_is_not_the_applications(self):
        async def main():
            one = app()
            good, failures = one.console.ring.message, []

            def fail(*args):
                failures.append(args)
                raise MemoryError

            one.console.ring.message = fail
            task = one.begin()
            await sleep_ms(0)
            print("kept")
            one.connect()
            await looks(one)
            self.assertEqual(len(failures), 1)  # and then a pause: else it would print about it for ever
            self.assertFalse(task.done())
            one.console.ring.message = good
            one.console._look()  # the frame of its OPEN has been answered meanwhile
            one.exchange()
            self.assertEqual(one.text()[-5:], b"kept\n")
            one.close()
            await task

        asyncio.run(main())

    def test_frames_that_are_printed_do_not_go_to_it(self):
        class Connection:
            def receive(self, data, now):
                return "fault"

            def encode_into(self, buf, at, now):
                return at + now

        one = app(verbose=2)
        self.assertIsNone(app().console.link.frame_log)
        log = one._link.frame_log
        log.connection = Connection()
        frame_log.print = lambda *words: one.console.write(" ".join(words).encode())
        try:
            self.assertEqual(log.receive(bytes(9), 5), "fault")
            self.assertEqual(log.encode_into(bytes(20), 3, 9), 12)
            self.assertEqual((one.console.ring.count, one.console.muted), (0, False))
            log.console = None
            log.receive(bytes(9), 5)
        finally:
            del frame_log.print
        self.assertTrue(one.console.ring.count)

    def test_stream_is_what_dupterm_calls(self):
        one = app()
        stream = one.console
        self.assertEqual(stream.write(b"abc"), 3)
        self.assertEqual(stream.ring.message(3, 0)[HEADER:], b"abc")
        self.assertTrue(stream.readinto(bytearray(1)) is None)
        self.assertEqual(stream.ioctl(3, 5), 4)
        self.assertEqual(stream.ioctl(4, 0), 0)
        stream._input = Silent()
        self.assertEqual(stream.ioctl(3, 5), 5)
        self.assertEqual(stream.readinto(bytearray(1)), 1)

    def test_prints_are_the_interpreters_again_when_the_link_has_ended(self):
        async def main():
            one = app()
            before = sys.stdout, print
            task = one.begin()
            await sleep_ms(0)
            one.close()
            await task
            count = one.console.ring.count
            print("not seen")
            self.assertEqual(one.console.ring.count, count)
            self.assertTrue(before[0] is sys.stdout and before[1] is print)

        asyncio.run(main())


class Silent:
    """In place of Input."""

    def waits(self):
        return True

    def readinto(self, buf):
        return 1

    def look(self):
        pass


class TestStart(unittest.TestCase):
    def test_class_is_loaded_only_if_it_is_asked_for(self):
        self.assertTrue(app_base._load_start().console_class(True, False) is Console)
        with self.assertRaises(ValueError):
            app_base._load_start().console_class(False, True)

    def test_repl_without_dupterm_is_refused_in_words(self):
        if hasattr(os, "dupterm"):
            return
        try:
            app_base._load_start().console_class(True, True)
            self.fail("no error")
        except ValueError as error:
            self.assertTrue("os.dupterm" in str(error))

    def test_all_modules_of_the_console_are_known_to_be_half_loaded(self):
        self.assertTrue({"pb_link." + name for name in ("console", "console_input", "console_print")}
                        <= set(app_base._load_start()._CONSOLE.split()))
        self.assertTrue(console.load(False)[0] is None)


if __name__ == "__main__":
    unittest.main()
