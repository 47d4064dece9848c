"""readline with a limit: a line is returned, or left where it is, whatever comes at the same moment.

The link's loop does not run: lines are put where the session puts them, and announced as the loop does.
"""

import asyncio
import unittest

from i2c_devices.ports import TargetPort
from pb_link.app_base import AppBase
from primitives.platform import sleep_ms, ticks_diff, ticks_ms
from protocol.errors import LinkDown
from tests.pb_link.idle_pin import Pin

LIMIT_MS = 20
ROUNDS = 60


class App(AppBase):
    def __init__(self):
        config = [8123, "server", 1500, 0, "", "", bytes(range(32))]
        super().__init__("a", config, [TargetPort(None), Pin(), Pin(), None])
        self.accepted = 0
        self._link.session.accept = self._accept_slowly

    def _accept_slowly(self, count, now):
        """The time may be up while a line is being taken."""
        for _ in range(count):
            self._link.session.lines.pop(0)
        self.accepted += count
        compute(4)

    def deliver(self, line):
        self._link.session.lines.append(line + "\n")
        self._link.changed.pulse()


def compute(ms):
    """No other task runs meanwhile."""
    start = ticks_ms()
    while ticks_diff(ticks_ms(), start) < ms:
        pass


class TestReadline(unittest.TestCase):
    def test_no_line_is_lost_when_it_comes_as_the_time_is_up(self):
        async def feed(app, number):
            await sleep_ms(LIMIT_MS - 3 + number % 5)
            app.deliver(str(number))

        async def main():
            app, got = App(), []
            for number in range(ROUNDS):
                feeder = asyncio.create_task(feed(app, number))
                while len(got) == number:
                    try:
                        got.append(await app.readline(LIMIT_MS))
                    except asyncio.TimeoutError:
                        if app.accepted > number:
                            self.fail("line %d was acknowledged and not returned" % number)
                await feeder
            return got

        self.assertEqual(asyncio.run(main()), ["%d\n" % number for number in range(ROUNDS)])

    def test_line_that_is_there_is_returned_without_a_wait(self):
        async def main():
            app = App()
            app.deliver("a")
            self.assertEqual(await app.readline(timeout_ms=0), "a\n")
            with self.assertRaises(asyncio.TimeoutError):
                await app.readline(timeout_ms=0)
            app.deliver("b")
            self.assertEqual(await app.readline(), "b\n")

        asyncio.run(main())

    def test_other_news_do_not_prolong_the_wait(self):
        async def news(app):
            for _ in range(40):
                await sleep_ms(5)
                app._link.changed.pulse()

        async def main():
            app = App()
            task = asyncio.create_task(news(app))
            start = ticks_ms()
            with self.assertRaises(asyncio.TimeoutError):
                await app.readline(50)
            self.assertTrue(49 <= ticks_diff(ticks_ms(), start) < 180)
            task.cancel()

        asyncio.run(main())

    def test_of_two_readers_one_gets_the_line_and_the_other_waits_on(self):
        async def read(app, got):
            try:
                got.append(await app.readline(60))
            except asyncio.TimeoutError:
                got.append(None)

        async def main():
            app, got = App(), []
            tasks = [asyncio.create_task(read(app, got)) for _ in range(2)]
            await sleep_ms(5)
            app.deliver("a")
            for task in tasks:
                await task
            return got

        self.assertEqual(asyncio.run(main()), ["a\n", None])

    def test_close_ends_the_wait(self):
        async def close(app):
            await sleep_ms(5)
            app.close()

        async def main():
            app = App()
            asyncio.create_task(close(app))
            with self.assertRaises(LinkDown):
                await app.readline(5000)

        asyncio.run(main())

    def test_limit_that_cannot_be_kept_is_an_error(self):
        async def main():
            for timeout_ms in (-1, 1 << 29):
                with self.assertRaises(ValueError):
                    await App().readline(timeout_ms)

        asyncio.run(main())


if __name__ == "__main__":
    unittest.main()
