"""An application that fails, on a board without a program for the bridge: by await_msg, and by run."""

import asyncio
import subprocess
import sys

import pytest

from pb_link import runner
from protocol import control
from protocol.errors import LinkDown
from tests.link.virtual import run
from tests.pb_link.board import App, Board

MICROPYTHON = False
MICROPYTHON_REASON = "uses pytest and the virtual clock"


class Running(Board):
    """A board whose program is `run`. Args: those of Board; watchdog: the argument of `run`."""

    def __init__(self, app=App, watchdog=None, **how):
        super().__init__(app, **how)
        self.app.await_msg = lambda: self.app.run(watchdog)


class Watchdog:
    fed = 0

    def feed(self):
        self.fed += 1


@pytest.fixture(autouse=True)
def no_board(monkeypatch):
    monkeypatch.setattr(runner, "reset", None)


@pytest.fixture
def shown(monkeypatch):
    """The exceptions of the application that have been shown."""
    errors = []
    monkeypatch.setattr(runner, "print_exception", errors.append)
    return errors


async def report(board, number=7):
    record = bytearray(control.REPORT_BYTES)
    control.encode_report_into(record, 0, 3, number, 25000, 2)
    await board.tell(record)


# await_msg


class Async(App):
    """start() is a coroutine; it fails as soon as it has read a line, which the test puts there."""

    async def start(self):
        self.starts += 1
        await asyncio.sleep(1)
        self.calls.append("started")
        raise ValueError("in start")


class Making(App):
    def start(self):
        self.starts += 1
        self.create_task(self.fail())

    async def fail(self):
        await asyncio.sleep(1)
        self.calls.append("failing")
        raise ValueError("in a task")


@pytest.mark.parametrize(("app", "said"), [(Async, "in start"), (Making, "in a task")])
def test_exception_of_a_task_comes_out_of_await_msg_with_its_traceback(app, said):
    async def main():
        async with Board(app) as board:
            await board.synchronise()
            await asyncio.wait([board.link], timeout=5)
            error = board.link.exception()
            assert str(error) == said and board.app.starts == 1
            places = []
            trace = error.__traceback__
            while trace:
                places.append(trace.tb_frame.f_code.co_filename)
                trace = trace.tb_next
            assert __file__ in places
            assert board.bus.target is None and board.ack.handler is None

    run(main())


def test_async_start_runs_beside_the_link():
    class Talking(App):
        async def start(self):
            while True:
                self.calls.append(await self.readline(timeout_ms=10000))

    async def main():
        async with Board(Talking) as board:
            await board.synchronise()
            await board.fetch()
            await report(board)
            await board.pause()
            assert board.app.calls == [[3, 7, 25000]] and not board.link.done()

    run(main())


def test_closed_link_is_no_failure_of_tasks_that_wait_for_it():
    class Closing(App):
        def start(self):
            self.create_task(self.readline())
            self.create_task(self.end())

        async def end(self):
            await asyncio.sleep(1)
            self.close()

    async def main():
        for kind in (Board, Running):
            async with kind(Closing) as board:
                await board.synchronise()
                await asyncio.wait([board.link], timeout=5)
                assert board.link.done() and board.link.exception() is None

    run(main())


def test_exception_of_a_task_that_has_closed_the_link_comes_out_of_await_msg():
    class Closing(App):
        def start(self):
            self.create_task(self.readline())
            self.create_task(self.end())

        async def end(self):
            try:
                await asyncio.sleep(1)
                raise ValueError("first")
            finally:
                self.close()

    async def main():
        async with Board(Closing) as board:
            await board.synchronise()
            await asyncio.wait([board.link], timeout=5)
            assert str(board.link.exception()) == "first"

    run(main())


def test_verbose_is_an_attribute_of_the_application():
    async def main():
        for verbose in (False, True, 2):
            assert Board(verbose=verbose).app.verbose == verbose

    run(main())


# run


@pytest.mark.parametrize(("app", "said"), [(Async, "in start"), (Making, "in a task")])
def test_link_stays_when_the_application_is_started_again(app, said, shown):
    async def main():
        async with Running(app) as board:
            await board.synchronise()
            target, session = board.bus.target, board.app._link.session
            await board.beat(10000)
            assert board.app.starts == 3 and [str(error) for error in shown[:2]] == [said] * 2
            assert not board.link.done() and not board.resets
            assert (board.bus.target, board.app._link.session) == (target, session)

    run(main())


def test_line_that_a_cancelled_task_waited_for_goes_to_the_next_one(shown):
    class Reading(App):
        def start(self):
            self.starts += 1
            self.create_task(self.read())
            if self.starts == 1:
                self.create_task(self.fail())

        async def read(self):
            self.calls.append(await self.readline())

        async def fail(self):
            raise ValueError

    async def main():
        async with Running(Reading) as board:
            await board.synchronise()
            await board.pause(500)
            link = board.app._link
            link.session.accept = lambda count, now: link.session.lines.pop(0) and None
            link.session.lines.append("a line\n")  # while the application is not running
            link.changed.pulse()
            await board.pause(500)
            assert board.app.calls == [] and board.app.starts == 1
            await board.beat(2000)
            assert board.app.calls == ["a line\n"] and board.app.starts == 2

    run(main())


def test_initial_failures_are_said_once_and_run_goes_on(capsys):
    class Default(App):
        ends = ("bad_wifi", "bad_server")

        def start(self):
            self.starts += 1

    async def main():
        async with Running(Default) as board:
            await board.synchronise()
            await board.fetch()
            for kind in (control.BAD_WIFI, control.BAD_SERVER) * 3:
                await board.tell(bytes((kind,)))
            await board.beat(5000)
            assert not board.link.done() and board.app.starts == 1
            await report(board)
            await board.pause()
            assert board.app.calls == ["bad_wifi", "bad_server", [3, 7, 25000]]

    run(main())
    printed = capsys.readouterr()
    said = [line for line in printed.out.splitlines() if "initial" in line]
    assert said == [
        "pb_link: No initial WiFi connection: the link keeps trying",
        "pb_link: No initial server connection: the link keeps trying",
    ]
    assert "Traceback" not in printed.out + printed.err


def test_exception_of_a_hook_starts_the_application_again_and_later_hooks_are_called(shown):
    class Broken(App):
        async def report(self, data):
            await super().report(data)
            if len(self.calls) == 1:
                raise RuntimeError("in the hook")

    async def main():
        async with Running(Broken) as board:
            await board.synchronise()
            await board.fetch()
            await board.pause(500)
            await report(board, 1)
            await board.beat(3000)
            assert board.app.starts == 2 and [str(error) for error in shown] == ["in the hook"]
            await report(board, 2)
            await board.beat(2000)
            assert board.app.calls == [[3, 1, 25000], [3, 2, 25000]] and board.app.starts == 2

    run(main())


def test_memory_that_runs_out_in_a_hook_starts_nothing_again(shown, capsys):
    class Short(App):
        async def report(self, data):
            raise MemoryError

    async def main():
        async with Running(Short) as board:
            await board.synchronise()
            await board.fetch()
            await report(board)
            await board.beat(3000)
            assert board.app.starts == 1 and not shown

    run(main())
    assert "out of memory in a hook" in capsys.readouterr().out


def test_watchdog_is_fed_without_a_bridge_and_while_the_esp8266_is_reset():
    async def main():
        watchdog = Watchdog()
        async with Running(watchdog=watchdog) as board:
            for _ in range(120):
                fed = watchdog.fed
                await board.pause(1000)
                assert watchdog.fed - fed >= 3
            assert board.resets and board.app.starts == 0

    run(main())


def test_watchdog_starves_when_the_link_stands_still(monkeypatch):
    async def main():
        watchdog = Watchdog()
        async with Running(watchdog=watchdog) as board:
            await board.synchronise()
            await board.pause(1000)
            link = board.app._link
            link._look = lambda: (_ for _ in ()).throw(MemoryError)  # at each step, for ever
            await board.pause(2500)
            fed = watchdog.fed
            await board.pause(5000)
            assert fed and watchdog.fed == fed

    run(main())


def test_fault_of_the_link_comes_out_of_run_and_frees_everything():
    async def main():
        async with Running() as board:
            await board.synchronise()
            board.app._link._look = None
            await asyncio.wait([board.link], timeout=5)
            assert isinstance(board.link.exception(), TypeError)
            assert board.bus.target is None and board.ack.handler is None and len(asyncio.all_tasks()) == 1

    run(main())


def test_cancelled_run_frees_everything_and_ends_the_application():
    async def main():
        async with Running(Making) as board:
            await board.synchronise()
            await board.pause(500)
            board.link.cancel()
            await asyncio.wait([board.link], timeout=5)
            await board.pause()
            assert board.link.cancelled() and board.app.calls == []
            assert board.bus.target is None and board.ack.handler is None and len(asyncio.all_tasks()) == 1
            with pytest.raises(LinkDown):
                await board.app.run()

    run(main())


def test_run_is_loaded_only_when_it_is_called():
    program = "import sys, pb_link.app_base; print('pb_link.runner' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
