"""An application that ends, in any way: one line of the log says so, and the server ends with the promised status."""

import asyncio
import signal
from pathlib import Path

import pytest

from server.core.listening import AcceptFailures
from server.gateways.setting import SettingsError
from server.service import application
from server.service.application import exit_status, load_app
from tests.patience import PATIENCE_S
from tests.server.peer import within
from tests.server.service.test_cli import Server

HEAD = """
import asyncio, os, signal, sys, threading, time
import server.service.service

async def fail():
    raise ValueError("my fault")

async def work(error):
    await asyncio.sleep(0.05)
    raise error

class A:
    async def run(self):
"""
WAIT = "        await asyncio.Event().wait()\n"
SHORT = "        server.service.service.END_S = 0.3\n"


def run_app(body, after="", head=HEAD, end=False, app="application:A"):
    """The exit status and the log of a server whose application has this body. end: it gets SIGTERM."""
    Path("application.py").write_text(head + body + after)
    with Server("--app", app) as server:
        status = server.end()[0] if end else server.process.wait(PATIENCE_S)
    return status, Path("log.txt").read_text()


def last_words(log):
    """The log without its times and the line `started`, which may come after the end of a short application."""
    return [line.partition("Z ")[2] for line in log.splitlines() if " started " not in line]


ENDS = {
    "        return\n": 0,
    "        sys.exit()\n": 0,
    "        sys.exit(3)\n": 3,
    "        await asyncio.gather(work(SystemExit(4)))\n": 4,
    "        self.task = asyncio.create_task(work(SystemExit(5)))\n" + WAIT: 5,
    "        asyncio.get_running_loop().call_later(0.05, sys.exit, 6)\n" + WAIT: 6,
    "        async with asyncio.TaskGroup() as group:\n            group.create_task(work(SystemExit(7)))\n": 7,
}


@pytest.mark.parametrize(("body", "status"), ENDS.items())
def test_application_that_returns_or_exits_ends_the_server_with_its_status(body, status):
    found, log = run_app(body)
    assert found == status and last_words(log) == [f"ended status={status}", "stopped"], log


FAILURES = {
    "        raise ValueError('my fault')\n": "ValueError: my fault",
    "        raise KeyboardInterrupt\n": "KeyboardInterrupt",
    "        sys.exit('my fault')\n": "SystemExit: my fault",
    "        self.task = asyncio.create_task(work(KeyboardInterrupt()))\n" + WAIT: "KeyboardInterrupt",
    "        task = asyncio.create_task(asyncio.sleep(60))\n"
    "        asyncio.get_running_loop().call_soon(task.cancel)\n        await task\n": "CancelledError",
    "        raise asyncio.CancelledError\n": "CancelledError",
    "        raise BaseException('strange')\n": "BaseException: strange",
    "        for task in asyncio.all_tasks():\n            task.cancel()\n" + WAIT: "CancelledError",
    "        asyncio.get_running_loop().stop()\n" + WAIT: "Event loop stopped",
    "        asyncio.create_task(fail())\n" + WAIT: "ValueError: my fault",
    "        self.task = asyncio.create_task(fail())\n" + WAIT: "ValueError: my fault",
    "        self.tasks = set()\n        task = asyncio.create_task(fail())\n        self.tasks.add(task)\n"
    "        task.add_done_callback(self.tasks.discard)\n" + WAIT: "ValueError: my fault",
    "        await asyncio.wait([asyncio.create_task(fail())])\n" + WAIT: "ValueError: my fault",
}


@pytest.mark.parametrize(("body", "error"), FAILURES.items())
def test_application_that_fails_or_has_a_task_that_fails_unseen_ends_the_server_with_status_1(body, error):
    status, log = run_app(body)
    words = last_words(log)
    assert status == 1 and error in words[0] and words[0].startswith("failed ") and words[-1] == "stopped", log
    assert "\nTraceback" not in log and "never retrieved" not in log, log  # in the event's line only


def test_failure_of_a_task_says_where():
    _, log = run_app("        self.task = asyncio.create_task(fail())\n" + WAIT)
    line = 1 + HEAD.splitlines().index('    raise ValueError("my fault")')
    assert f"application.py:{line}" in log, log


IN_A_MODULE = """
import asyncio

async def fail():
    raise ValueError("fault of a module")

def begin():
    global task
    task = asyncio.create_task(fail())
"""


@pytest.mark.parametrize(("folder", "is_users"), [(".", True), ("parts", True), ("lib/site-packages", False)])
def test_task_is_the_applications_if_its_code_is_beside_it_and_in_no_library(folder, is_users):
    Path(folder).mkdir(parents=True, exist_ok=True)
    Path(folder, "module.py").write_text(IN_A_MODULE)
    body = f"        sys.path.insert(0, {folder!r})\n        import module\n        module.begin()\n"
    status, log = run_app(body + "        await asyncio.sleep(2)\n")
    assert (status, "fault of a module" in last_words(log)[0]) == (int(is_users), is_users), log


SEEN = """
        task = asyncio.create_task(fail())
        await asyncio.sleep(0.3)
        try:
            await task
        except ValueError:
            print("seen late", flush=True)
        results = await asyncio.gather(fail(), asyncio.sleep(2, "slow"), return_exceptions=True)
        print("gathered", results, flush=True)
        done, pending = await asyncio.wait([asyncio.create_task(fail()), asyncio.create_task(asyncio.sleep(2))])
        print("waited", [one.exception() for one in done], flush=True)
        cancelled = asyncio.create_task(asyncio.sleep(60))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.sleep(1.5)
"""


def test_failure_that_the_application_waits_for_is_its_own_affair():
    status, log = run_app(SEEN)
    assert status == 0 and "ended status=0" in log and "failed" not in log, log
    assert "seen late" in log and "gathered [ValueError" in log and "waited [" in log


SWALLOW = """
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass
"""
STUBBORN = """
    async def stubborn(self):
""" + SWALLOW.replace("pass", "stop = True")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (SWALLOW, "the application has not ended 0.3 s after it was cancelled"),
        (
            "        self.task = asyncio.create_task(self.stubborn())\n" + WAIT + STUBBORN,
            "a task of the application has not ended 0.3 s after it was cancelled",
        ),
        (
            "        await asyncio.to_thread(time.sleep, 1000)\n",
            "the application has not ended 0.3 s after the server: a thread of it?",
        ),
        (
            "        threading.Thread(target=time.sleep, args=(1000,)).start()\n" + WAIT,
            "the application has not ended 0.3 s after the server: a thread of it?",
        ),
    ],
)
def test_application_that_swallows_its_end_is_left_behind_with_status_1(body, error):
    status, log = run_app(SHORT + body, end=True)  # long before the thread's end
    assert status == 1 and f'failed error="{error}"' in log and " stopped" in log, log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_server_with_status_0(number):
    status, log = run_app(f"        os.kill(os.getpid(), {int(number)})\n" + WAIT)
    assert status == 0 and last_words(log) == ["stopped"], log


def test_application_that_fails_while_it_is_cancelled_is_told():
    body = "        try:\n    " + WAIT + "        finally:\n            raise ValueError('at the end')\n"
    status, log = run_app(body, end=True)
    assert status == 1 and "ValueError: at the end" in last_words(log)[0], log


def test_run_that_is_no_coroutine_function_is_told():
    status, log = run_app("    def run(self): pass\n", head="class A:\n")
    assert status == 1 and "write async def run(self)" in log, log


HANDLER = """
async def handler(conn):
    async for line in conn.lines():
        if line == "poison\\n":
            raise ValueError("my fault")
        await conn.write(conn.client_id + " " + line)
"""


def test_handler_is_an_application_whose_failure_is_logged_with_the_client_and_does_not_end_the_server():
    async def talk(server):
        client = server.client()
        await within(client.connect())
        await client.write("hello")
        assert await within(client.expect(1)) == ["pump hello\n"]
        await client.write("poison")
        for _ in range(6000):
            if "again_s=2" in Path("log.txt").read_text():
                break
            await asyncio.sleep(0.01)
        result = await asyncio.to_thread(server.end)
        client.cut()
        return result

    Path("application.py").write_text(HANDLER)
    with Server("--app", "application:handler") as server:
        status, log = asyncio.run(talk(server))
    assert status == 0 and " failed" not in log and "ended" not in last_words(log)[-1], log
    assert 'handler_failed client=pump error="ValueError: my fault" at=' in log and "application.py:5" in log
    assert 'raise ValueError(\\"my fault\\")' in log  # the traceback


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("def f(conn): pass", "must be a class with `async def run(self)`, or a handler `async def NAME(conn)`"),
        ("async def f(conn): yield", "must be a class"),
        ("async def f(): pass", "must take one argument, the client's connection: too many"),
        ("class f: pass", "has no method `async def run(self)`"),
        ("f = 5", "must be a class"),
        ("raise SystemExit(2)", "cannot be loaded: SystemExit: 2"),
    ],
)
def test_application_of_another_form_is_refused(text, error, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(tmp_path)
    name = f"form_{abs(hash(text))}"
    (tmp_path / f"{name}.py").write_text(text)
    with pytest.raises(SettingsError, match="^app ") as caught:
        load_app(f"{name}:f")
    assert error in str(caught.value)


@pytest.mark.parametrize(
    ("error", "status"),
    [(SystemExit(), 0), (SystemExit(0), 0), (SystemExit(3), 3), (SystemExit(True), 1), (SystemExit("x"), None),
     (ValueError(), None)],
)  # fmt: skip
def test_status_is_that_of_sys_exit(error, status):
    assert exit_status(error) == status


def test_exception_that_nobody_has_asked_for_is_known():
    """asyncio has no public name for that: with a Python that has no `_log_traceback`, this test fails first."""

    async def main():
        task = asyncio.ensure_future(asyncio.sleep("x"))
        await asyncio.wait([task])
        before = application._is_unseen(task)
        task.exception()
        return before, application._is_unseen(task)

    assert asyncio.run(main()) == (True, False)


def test_what_is_not_the_applications_goes_to_the_handler_that_the_loop_had(monkeypatch, tmp_path):
    """Of whichever is set first, the listener's report of failed accepts or this one, none takes the other's place."""
    (tmp_path / "ends.py").write_text("class A:\n    async def run(self):\n        pass\n")
    monkeypatch.chdir(tmp_path)
    told = []

    async def main():
        loop = asyncio.get_running_loop()
        failures = AcceptFailures(lambda event, **details: told.append(event))
        failures.begin()
        await application.Application("ends:A", None, told.append).run()
        context = {"message": "socket.accept() out of system resource", "exception": OSError(24, "too many")}
        loop.call_exception_handler(context)
        failures.end()

    asyncio.run(main())
    assert told == ["accept_failed"]
