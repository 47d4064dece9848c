"""The server's time at the client: questions, late and strange answers, and when the board's clock is set.

The link's loop does not run, as in test_channels.py. The server here is the test: its clock is `UTC` when the test
begins, and it answers when it is told to. The clock jumps, so that no busy machine makes an answer late.
"""

import asyncio
import unittest

import pb_link.app_base  # noqa: F401 - by itself, since MicroPython's stack is short
from pb_link import utc
from primitives.platform import sleep_ms, ticks_diff, ticks_ms
from protocol.link_errors import LinkDown
from protocol.time_messages import TIME_CHANNEL, decode_question, encode_answer
from tests.pb_link.test_channels import App, turns

try:
    from tests.link.virtual import pass_ms, run
except ImportError:  # MicroPython
    from tests.micropython.jumping import pass_ms, run

UTC = 1_700_000_000_600  # a Tuesday, 2023-11-14 22:13:20.6
TOLERANCE_MS = 3  # how often the test looks for a question, and what is rounded


class RTC:
    """Takes whole seconds, as most boards' clocks do. `set` has (what was set, the true UTC in ms at that time)."""

    def __init__(self, clock):
        self.set = []
        self._clock = clock

    def __call__(self):
        return self

    def datetime(self, fields):
        self.set.append((fields, self._clock()))


class Case(unittest.TestCase):
    def setUp(self):
        self.found = utc.RTC, utc.ANSWER_MS
        self.began = ticks_ms()
        self.rtc = utc.RTC = RTC(self.now)
        self.asked = []

    def tearDown(self):
        utc.RTC, utc.ANSWER_MS = self.found

    def now(self):
        return UTC + ticks_diff(ticks_ms(), self.began)

    def play(self, main):
        """main: coroutine function (App)."""

        async def whole():
            self.began = ticks_ms()  # the loop has clocks of its own
            app = App()
            await main(app)

        run(whole())

    def questions(self, app):
        """Returns the numbers of the questions that have come since the last call."""
        app.exchange()
        return [decode_question(data) for data in app.read.pop(TIME_CHANNEL, ())]

    def answer(self, app, number, utc_ms=None, data=None):
        channel = app.server.channels.get(TIME_CHANNEL)
        channel.append(data or encode_answer(number, self.now() if utc_ms is None else utc_ms), False)
        app.exchange()

    async def asked_for(self, app):
        """Returns the number of the next question."""
        found = []
        while not found:
            await sleep_ms(2)
            found = self.questions(app)
        return found[0]

    async def serve(self, app, delay_ms=0):
        """Answer questions until cancelled. delay_ms: from the question to the answer, in which the clock is read at
        first."""
        while True:
            for number in self.questions(app):
                self.asked.append(number)
                read = self.now()
                await sleep_ms(delay_ms)
                self.answer(app, number, read)
            await sleep_ms(2)

    async def served(self, app, call, delay_ms=0):
        serving = asyncio.create_task(self.serve(app, delay_ms))
        try:
            return await call
        finally:
            serving.cancel()

    def near(self, found, wanted, ms=TOLERANCE_MS):
        self.assertTrue(abs(found - wanted) <= ms, "%d ms off" % (found - wanted))

    async def raises(self, kind, call):
        try:
            await call
        except kind as error:
            return str(error)
        self.fail("no " + kind.__name__)


class TestUTC(Case):
    def test_time_of_the_server_is_returned_and_the_clock_set_when_a_second_begins(self):
        async def main(app):
            call = app.utc()
            app.connect()
            self.near(await self.served(app, call), self.now())
            self.assertEqual(len(self.rtc.set), 1)
            fields, true = self.rtc.set[0]
            self.assertEqual(fields, (2023, 11, 14, 2, 22, 13, 21, 0))
            self.near(1_700_000_001_000, true, utc.LATE_MS + TOLERANCE_MS)

        self.play(main)

    def test_clock_is_left_alone_if_asked_for_and_where_there_is_none(self):
        async def main(app):
            app.connect()
            self.near(await self.served(app, app.utc(set_rtc=False)), self.now())
            utc.RTC = None
            self.near(await self.served(app, app.utc()), self.now())
            self.assertEqual(self.rtc.set, [])

        self.play(main)

    def test_time_that_no_clock_has_is_refused_and_nothing_is_set(self):
        async def main(app):
            app.connect()
            for wrong in (0, 946_684_799_999, 4_102_444_800_000, (1 << 64) - 1):
                task = asyncio.create_task(app.utc())
                self.answer(app, await self.asked_for(app), wrong)
                text = await self.raises(RuntimeError, task)
                self.assertIn("the server's clock tells %d s since 1970" % (wrong // 1000), text)
            self.assertEqual(self.rtc.set, [])
            for good in (946_684_800_000, 4_102_444_799_000):
                task = asyncio.create_task(app.utc(set_rtc=False))
                self.answer(app, await self.asked_for(app), good)
                self.near(await task, good, 1000)

        self.play(main)

    def test_error_is_half_of_the_round_trip_at_most(self):
        async def main(app):
            app.connect()
            found = await self.served(app, app.utc(set_rtc=False), 200)
            self.near(found, self.now() - 100)  # it has read its clock at once, and the client expects that halfway

        self.play(main)

    def test_call_waits_for_the_link_and_asks_again_if_a_connection_has_swallowed_the_question(self):
        async def main(app):
            utc.ANSWER_MS = 50
            task = asyncio.create_task(app.utc(set_rtc=False))
            await turns()
            app.connect()
            await turns()
            self.assertEqual(len(self.questions(app)), 1)
            app.cut()
            await sleep_ms(120)
            self.assertFalse(task.done())
            app.connect()
            self.near(await self.served(app, task), self.now())

        self.play(main)

    def test_server_that_does_not_answer_is_asked_some_times_only(self):
        async def main(app):
            utc.ANSWER_MS = 20
            app.connect()
            task = asyncio.create_task(app.utc())
            numbers = []
            while not task.done():
                numbers += self.questions(app)
                await sleep_ms(2)
            await self.raises(asyncio.TimeoutError, task)
            self.assertEqual((len(numbers), len(set(numbers))), (utc.QUESTIONS, utc.QUESTIONS))
            self.assertEqual(self.rtc.set, [])
            self.near(await self.served(app, app.utc(set_rtc=False)), self.now())  # and it can be called again

        self.play(main)

    def test_time_limit_holds_while_the_link_is_down_and_while_no_answer_comes(self):
        async def main(app):
            begun = ticks_ms()
            await self.raises(asyncio.TimeoutError, app.utc(30))
            app.connect()
            await self.raises(asyncio.TimeoutError, app.utc(30))
            self.assertTrue(60 <= ticks_diff(ticks_ms(), begun) <= 60 + TOLERANCE_MS)
            await self.raises(ValueError, app.utc(-1))
            await self.raises(TypeError, app.utc("1"))

        self.play(main)

    def test_late_and_strange_answers_are_ignored(self):
        async def main(app):
            utc.ANSWER_MS = 60
            app.connect()
            task = asyncio.create_task(app.utc(100))
            late = []
            while not late:
                await turns()
                late = self.questions(app)
            await self.raises(asyncio.TimeoutError, task)
            self.answer(app, late[0], 5)
            task = asyncio.create_task(app.utc(set_rtc=False))
            await turns()
            number = self.questions(app)[-1]
            for data in (b"", b"x", encode_answer(number, 1) + b"x", encode_answer(number ^ 1, 2), bytes(9)):
                self.answer(app, 0, data=data or b"y")
            await turns()
            self.assertFalse(task.done())
            self.answer(app, number)
            self.near(await task, self.now())

        self.play(main)

    def test_two_calls_at_once_both_get_the_time(self):
        async def main(app):
            app.connect()
            tasks = [asyncio.create_task(app.utc(set_rtc=False)) for _ in range(3)]
            serving = asyncio.create_task(self.serve(app))
            for task in tasks:
                self.near(await task, self.now())
            serving.cancel()
            self.assertEqual(len(self.asked), 3)

        self.play(main)

    def test_cancelled_call_lets_the_next_one_ask(self):
        async def main(app):
            app.connect()
            task = asyncio.create_task(app.utc())
            await turns()
            task.cancel()
            await turns()
            self.near(await self.served(app, app.utc(set_rtc=False)), self.now())

        self.play(main)

    def test_program_that_holds_the_loop_whenever_a_second_begins_is_told(self):
        async def hold():
            while True:
                while not 2 * utc.LATE_MS < self.now() % 1000 < 900:
                    pass_ms(1)
                await sleep_ms(1)

        async def main(app):
            app.connect()
            call = self.served(app, app.utc())
            holding = asyncio.create_task(hold())
            error = await self.raises(RuntimeError, call)
            holding.cancel()
            self.assertIn("RTC", error)
            self.assertEqual(self.rtc.set, [])

        self.play(main)

    def test_call_ends_with_the_link(self):
        async def main(app):
            task = asyncio.create_task(app.utc())
            await turns()
            app._link.closed = True
            app._link.changed.pulse()
            await self.raises(LinkDown, task)

        self.play(main)

    def test_fields_are_those_of_machine_rtc(self):
        for seconds, wanted in (
            (946684800, (2000, 1, 1, 6, 0, 0, 0, 0)),
            (1_709_251_199, (2024, 2, 29, 4, 23, 59, 59, 0)),
            (1_767_225_600 - 4 * 86400, (2025, 12, 28, 7, 0, 0, 0, 0)),
            (2_145_916_800, (2038, 1, 1, 5, 0, 0, 0, 0)),
        ):
            self.assertEqual(utc.fields(seconds), wanted)


if __name__ == "__main__":
    unittest.main()
