"""AppBase.run without a link: what is started, fed, cancelled and reset, and when. On a clock that jumps."""

import asyncio
import unittest

from pb_link import runner
from primitives.platform import sleep_ms, ticks_diff
from primitives.timeout import Timeout
from protocol.errors import LinkDown

try:
    import micropython
except ImportError:
    micropython = None
try:
    from tests.link.virtual import now_ms, run
except ImportError:  # MicroPython
    from tests.micropython.jumping import now_ms, run

LOOK_MS = 250


class Link:
    """A link that is synchronised from the start, and runs until it is closed or `error` is set."""

    def __init__(self):
        self.closed = False
        self.resetting = False
        self.beat = Timeout(500)
        self.beats = True
        self.error = None
        self.app = None

    def serve(self, app):
        self.app = app
        app.start()

    def raise_if_closed(self):
        if self.closed:
            raise LinkDown("closed")

    async def run(self):
        while not self.closed:
            if self.error:
                raise self.error
            if self.beats:
                self.beat.restart()
            await sleep_ms(50)

    def close(self):
        self.closed = True


class Watchdog:
    def __init__(self):
        self.fed = 0

    def feed(self):
        self.fed += 1


class App:
    """Its start() makes one task of each of `makes`, and raises `error` if there is one."""

    def __init__(self, link, makes=(), error=None):
        self._link = link
        self.makes = makes
        self.error = error
        self.starts = 0
        self.events = []
        self.over = False  # the test

    def start(self):
        self.starts += 1
        for make in self.makes:
            self._link.app.create_task(make(self))
        if self.error:
            raise self.error

    async def bad_wifi(self):
        raise OSError("No network: it is not in range")

    async def bad_server(self):
        raise OSError(5)

    def server_ok(self, up):
        pass

    async def report(self, data):
        if data is None:
            raise MemoryError
        self.events.append(data)
        raise OSError("No network.")


async def forever(app):
    app.events.append("begins")
    try:
        await sleep_ms(100000)
    finally:
        app.events.append("ends")


async def never_ends(app):
    while not app.over:
        try:
            await sleep_ms(100)
        except asyncio.CancelledError:
            app.events.append("ignored")


async def fails(app):
    app.events.append("fails")
    raise ValueError("of the application")


async def fails_once(app):
    if app.starts == 1:
        raise ValueError("of the application")
    app.events.append("goes on")


class Case(unittest.TestCase):
    def setUp(self):
        self.shown = []
        self.resets = []
        self.names = runner.print_exception, runner.reset
        runner.print_exception = self.shown.append
        runner.reset = None

    def tearDown(self):
        runner.print_exception, runner.reset = self.names

    def play(self, act, makes=(), error=None, watchdog=None, of=App):
        """Have it run while act(app, link) does. Returns what run() raised, or None."""

        async def main():
            self.link = Link()
            self.app = of(self.link, makes, error)
            self.runner = runner.Runner(self.app, self.link, watchdog)
            task = asyncio.create_task(self.run_it())
            await act(self.app, self.link)
            self.app.over = True
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass

        self.raised = self.returned = None
        run(main())
        return self.raised

    async def run_it(self):
        try:
            await self.runner.run()
            self.returned = True
        except Exception as error:
            self.raised = error

    async def until(self, condition, ms):
        limit = Timeout(ms)
        while not condition():
            if limit.expired():
                self.fail("it does not come")
            await sleep_ms(20)


class TestRestart(Case):
    def test_application_that_fails_in_start_is_shown_and_started_again(self):
        async def act(app, link):
            await self.until(lambda: app.starts == 2, 10000)
            self.assertFalse(link.closed)

        error = ValueError("in start")
        self.play(act, error=error)
        self.assertEqual(self.shown[:1], [error])

    def test_pause_is_doubled_until_the_application_has_run_for_a_minute(self):
        begun = []

        async def works_later(app):
            begun.append(now_ms())
            await asyncio.sleep(70 if len(begun) == 9 else 0)
            raise ValueError

        async def act(app, link):
            await self.until(lambda: app.starts == 11, 1000000)

        self.play(act, [works_later])
        pauses = [round(ticks_diff(later, earlier) / 1000) for earlier, later in zip(begun, begun[1:])]
        self.assertEqual(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 71, 2])

    def test_its_other_tasks_are_cancelled_before_it_is_started_again(self):
        async def act(app, link):
            await self.until(lambda: app.starts == 2 and len(app.events) == 4, 10000)

        self.play(act, [forever, fails_once])
        self.assertEqual(self.app.events[:4], ["begins", "ends", "begins", "goes on"])
        self.assertEqual(self.app.events[-1], "ends")  # when `run` was cancelled
        self.assertEqual(len(self.shown), 1)

    def test_task_that_a_cancelled_one_makes_is_cancelled_too(self):
        async def makes_another(app):
            try:
                await sleep_ms(100000)
            finally:
                self.link.app.create_task(forever(app))

        async def act(app, link):
            await self.until(lambda: app.starts == 2, 10000)
            self.assertEqual(app.events[:2], ["begins", "ends"])

        self.play(act, [makes_another, fails_once])

    def test_task_that_had_not_begun_never_does(self):
        async def act(app, link):
            await self.until(lambda: self.shown, 10000)
            app.makes = ()
            await self.until(lambda: app.starts == 2, 10000)
            self.assertEqual(app.events, [])

        async def never(app):
            app.events.append("begins")

        class Cancels(App):
            def start(self):
                super().start()
                for _, task in self._link.app._tasks:
                    task.cancel()

        self.play(act, [never, never], ValueError(), of=Cancels)

    def test_each_exception_is_shown(self):
        async def act(app, link):
            await sleep_ms(LOOK_MS // 2)
            self.assertEqual(len(self.shown), 2)

        self.play(act, [fails, fails])

    def test_task_that_has_ended_is_forgotten(self):
        async def short(app):
            return "result"

        async def act(app, link):
            await sleep_ms(2 * LOOK_MS)
            for _ in range(50):
                self.assertEqual(await self.runner.create_task(short(app)), "result")
            self.assertEqual(len(self.runner._tasks), 1)

        self.play(act)

    def test_function_in_place_of_a_coroutine_is_named_and_the_application_started_again(self):
        async def act(app, link):
            await self.until(lambda: app.starts == 2, 10000)

        class Forgetful(App):
            def start(self):
                super().start()
                self._link.app.create_task(self.report)

        self.assertEqual(self.play(act, of=Forgetful), None)
        self.assertTrue("call the function" in str(self.shown[0]))

    def test_who_awaits_a_task_that_fails_is_cancelled(self):
        async def awaits(app):
            app.events.append(await self.runner.create_task(fails(app)))

        async def act(app, link):
            await sleep_ms(LOOK_MS // 2)
            self.assertEqual(app.events, ["fails"])

        self.play(act, [awaits])
        self.assertEqual(len(self.shown), 1)

    def test_application_that_ends_is_not_started_again(self):
        async def act(app, link):
            await sleep_ms(3 * LOOK_MS)

        async def ends(app):
            pass

        self.play(act, [ends])
        self.assertEqual((self.app.starts, self.shown), (1, []))


class TestHooks(Case):
    def test_initial_failure_is_said_and_ends_nothing(self):
        said = []

        async def act(app, link):
            await sleep_ms(2 * LOOK_MS)
            runner.print = lambda *words: said.append(" ".join(words))
            try:
                await link.app.bad_wifi()
            finally:
                del runner.print

        self.play(act)
        self.assertEqual(said, ["pb_link: No network: the link keeps trying"])
        self.assertEqual((self.app.starts, self.shown, self.raised), (1, [], None))

    def test_other_exception_of_a_hook_is_a_failure_of_the_application(self):
        async def act(app, link):
            await sleep_ms(2 * LOOK_MS)
            await link.app.bad_server()
            self.assertEqual(self.shown[-1].args, (5,))
            await link.app.report(7)
            self.assertEqual(self.shown[-1].args, ("No network.",))
            await link.app.server_ok(True)  # it is no coroutine
            self.assertEqual(self.shown[-1].args, ("server_ok() must be async def",))
            await self.until(lambda: app.starts == 2, 10000)

        self.play(act)
        self.assertEqual(self.app.events, [7])

    def test_exception_of_a_hook_that_is_a_function_is_shown(self):
        class Plain(App):
            def server_ok(self, up):
                raise ValueError("in a function")

        async def act(app, link):
            await sleep_ms(2 * LOOK_MS)
            await link.app.server_ok(True)
            self.assertEqual(self.shown[-1].args, ("in a function",))
            await self.until(lambda: app.starts == 2, 10000)

        self.assertEqual(self.play(act, of=Plain), None)

    def test_hook_that_the_application_does_not_have_is_not_there(self):
        class Resumed(App):
            async def resumed(self, kept):
                raise ValueError(kept)

        async def act(app, link):
            await sleep_ms(2 * LOOK_MS)
            self.assertEqual(hasattr(link.app, "resumed"), type(app) is Resumed)
            if type(app) is Resumed:
                await link.app.resumed(False)
                self.assertEqual(self.shown[-1].args, (False,))

        self.play(act)
        self.assertEqual(self.play(act, of=Resumed), None)

    def test_hook_without_memory_is_the_notifiers_affair(self):
        async def act(app, link):
            await sleep_ms(LOOK_MS)
            try:
                await link.app.report(None)
            except MemoryError:
                return
            self.fail("no MemoryError")

        self.play(act)
        self.assertEqual(self.shown, [])


class TestEnd(Case):
    def test_closed_link_ends_it_and_its_calls_are_no_failure(self):
        async def waits(app):
            await self.until(lambda: self.link.closed, 10000)
            raise LinkDown("closed")

        async def act(app, link):
            await sleep_ms(2 * LOOK_MS)
            link.close()
            await self.until(lambda: self.returned, 10000)

        self.assertEqual(self.play(act, [waits, forever]), None)
        self.assertEqual((self.app.starts, self.shown), (1, []))
        self.assertEqual(self.app.events, ["begins", "ends"])

    def test_run_returns_when_the_tasks_have_ended(self):
        async def ends_slowly(app):
            try:
                await sleep_ms(100000)
            finally:
                await sleep_ms(2 * LOOK_MS)
                app.events.append("ended")

        async def act(app, link):
            await sleep_ms(2 * LOOK_MS)
            link.close()
            await self.until(lambda: self.returned, 10000)
            self.assertEqual(app.events, ["ended"])

        self.assertEqual(self.play(act, [ends_slowly]), None)

    def test_closed_link_is_not_run_again(self):
        async def act(app, link):
            link.close()
            await self.until(lambda: self.raised, 10000)

        self.assertTrue(isinstance(self.play(act), LinkDown))
        self.assertEqual(self.app.starts, 0)

    def test_cancelled_run_closes_the_link(self):
        async def act(app, link):
            await sleep_ms(2 * LOOK_MS)

        self.assertEqual(self.play(act), None)
        self.assertTrue(self.link.closed and self.runner._running.done())

    def test_fault_of_the_link_comes_out(self):
        async def act(app, link):
            await sleep_ms(2 * LOOK_MS)
            link.error = RuntimeError("of the link")
            await self.until(lambda: self.raised, 10000)

        self.assertEqual(self.play(act).args, ("of the link",))

    def test_fault_of_the_link_resets_a_board(self):
        runner.reset = lambda: self.resets.append(1)

        async def act(app, link):
            link.error = RuntimeError("of the link")
            await self.until(lambda: self.resets, 20000)

        self.assertEqual(self.play(act), None)
        self.assertEqual((self.shown[-1].args, self.resets), (("of the link",), [1]))

    def test_task_that_goes_on_when_it_is_cancelled_comes_out(self):
        async def act(app, link):
            await self.until(lambda: self.raised, 20000)

        error = self.play(act, [never_ends, fails])
        self.assertTrue("goes on after it was cancelled" in str(error))
        self.assertEqual(self.app.starts, 1)
        self.assertTrue("ignored" in self.app.events)

    def test_reset_is_announced_without_memory(self):
        if not hasattr(micropython, "heap_lock"):
            self.skipTest("CPython cannot forbid to allocate")
        runner.reset = lambda: self.resets.append(1)
        runner.print_exception = lambda error: micropython.heap_lock()
        pauses = []

        def pause(ms):
            if ms == 5000:
                pauses.append(micropython.heap_unlock())
                return sleep_ms(2000)
            return sleep_ms(ms)

        async def act(app, link):
            link.error = MemoryError()
            runner.sleep_ms = pause
            try:
                await self.until(lambda: self.resets, 20000)
            finally:
                runner.sleep_ms = sleep_ms

        self.assertEqual(self.play(act), None)
        self.assertEqual((pauses, self.resets), ([0], [1]))

    def test_board_is_reset_after_five_failures_in_a_row(self):
        runner.reset = lambda: self.resets.append(1)

        async def act(app, link):
            await self.until(lambda: self.resets, 60000)

        self.assertEqual(self.play(act, [fails]), None)
        self.assertEqual((self.app.starts, self.resets, len(self.shown)), (5, [1], 6))
        self.assertEqual(str(self.shown[5]), "the application has failed 5 times")


class TestWatchdog(Case):
    def test_what_cannot_be_fed_is_named_at_once(self):
        link = Link()
        try:
            runner.Runner(App(link), link, 8000)
        except TypeError as error:
            self.assertTrue("feed()" in str(error))
        else:
            self.fail("taken")

    def fed_in(self, ms, act=None, **how):
        watchdog = Watchdog()

        async def whole(app, link):
            if act:
                await act(app, link)
            before = watchdog.fed
            await sleep_ms(ms)
            self.fed = watchdog.fed - before

        self.play(whole, watchdog=watchdog, **how)
        return self.fed

    def assert_fed_in(self, ms, *args, **how):
        """At each look."""
        self.fed_in(ms, *args, **how)
        self.assertTrue(ms // LOOK_MS - 1 <= self.fed <= ms // LOOK_MS + 1)

    def test_watchdog_is_fed_four_times_a_second(self):
        self.assert_fed_in(2000)

    def test_watchdog_is_fed_while_the_application_pauses(self):
        async def act(app, link):
            await self.until(lambda: self.shown, 10000)

        self.assert_fed_in(1000, act, error=ValueError())

    def test_watchdog_starves_when_the_link_shows_no_beat(self):
        async def act(app, link):
            link.beats = False
            await sleep_ms(2500)

        self.assertEqual(self.fed_in(1000, act), 0)

    def test_watchdog_is_fed_while_the_esp8266_is_reset(self):
        async def act(app, link):
            link.beats = False
            link.resetting = True
            await sleep_ms(2500)

        self.assert_fed_in(1000, act)

    def test_watchdog_starves_when_the_link_has_failed(self):
        async def act(app, link):
            link.error = RuntimeError("of the link")
            await self.until(lambda: self.raised, 10000)

        self.assertEqual(self.fed_in(1000, act), 0)


if __name__ == "__main__":
    unittest.main()
