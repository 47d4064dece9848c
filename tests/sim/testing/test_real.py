"""`real_link` as tests of users have it: their program in MicroPython, their handler in the test's process."""

import asyncio
import threading

import pytest

from sim.testing import real
from sim.testing.observed import LinkFailed
from tests.patience import until
from tests.sim.testing.programs import write_client

CLIENT = """
import asyncio
from machine import Pin
from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware

class App(AppBase):
    def start(self):
        self.create_task(self.count())
        self.create_task(self.obey())

    async def count(self):
        with open("first.txt") as file:
            count = int(file.read())
        while True:
            await self.write(str(count))
            count += 1
            await asyncio.sleep_ms(50)

    async def obey(self):
        while True:
            line = await self.readline()
            print("told", line, end="")
            if line == "fail\\n":
                raise ValueError("it was told to")

asyncio.run(App(conn_id, config, hardware).run())
"""


@pytest.fixture
def boards(monkeypatch, micropython64, micropython_bridge):
    monkeypatch.setenv("MICROPYTHON", micropython64)
    monkeypatch.setenv("MICROPYTHON_BRIDGE", micropython_bridge)


@pytest.fixture
def client(tmp_path, boards):
    return write_client(tmp_path, CLIENT)


class Counts:
    def __init__(self):
        self.found = []

    async def __call__(self, conn):
        async for line in conn.lines(ahead=0):
            self.found.append((conn.client_id, int(line)))


def test_every_line_arrives_once_and_in_order_and_answers_reach_the_program(real_link, client):
    counts = Counts()
    link = real_link(client, counts, settings={"report_s": 1})
    (link.flash() / "first.txt").write_text("7")
    for fault in ("bridge-kill", "server-restart", "i2c-bitflip"):
        before = len(counts.found)
        link.run_until(lambda before=before: len(counts.found) > before + 2)
        link.inject(fault)
    link.on_server(link.connection().write("hello"))
    assert link.wait_for("told") == "told hello" and link.wait_for("esp_link: up", board="bridge")
    link.wifi(False)
    link.run_until(lambda: not link.connection().status())
    link.wifi(True)
    before = len(counts.found)
    link.run_until(lambda: len(counts.found) > before + 5)
    assert counts.found == [("demo", number) for number in range(7, 7 + len(counts.found))]


def test_failures_of_both_applications_fail_the_test(real_link, client):
    async def handler(conn):
        raise KeyError(await conn.readline())

    with pytest.raises(LinkFailed, match="its output says why|has failed"):
        real_link(client).run(60)  # there is no first.txt
    link = real_link(client, handler, client_may_fail=True)
    (link.flash() / "first.txt").write_text("1")
    with pytest.raises(KeyError):
        link.run(60)


def test_outcome_of_the_test_in_a_handler_is_the_tests(real_link, client):
    async def handler(conn):
        pytest.fail(f"unexpected {await conn.readline()}")

    link = real_link(client, handler, handler_may_fail=True)
    (link.flash() / "first.txt").write_text("1")
    with pytest.raises(pytest.fail.Exception, match="unexpected 1"):
        link.run(60)


def test_callback_of_the_server_that_fails_fails_the_test(real_link, client):
    async def handler(conn):
        asyncio.get_running_loop().call_soon(lambda: {}["gone"])
        async for _ in conn.lines():
            pass

    link = real_link(client, handler)
    (link.flash() / "first.txt").write_text("1")
    with pytest.raises(LinkFailed, match="the server: Exception in callback .*KeyError"):
        link.run(60)
    assert "! Exception in callback" in link.story()


def test_link_that_cannot_be_made_leaves_nothing_behind(real_link, client):
    import server

    before = server.default_server()
    with pytest.raises(FileNotFoundError, match="there is no client program"):
        real_link(client.with_name("gone.py"))
    assert server.default_server() is before
    with pytest.raises(ValueError, match="there is no fault 'tcp-reset'"):
        real_link(client, client_may_fail=True).inject("tcp-reset")


def test_handler_that_blocks_is_told_and_leaves_neither_boards_nor_its_server(real_link, client, monkeypatch):
    import server

    entered, goes_on = threading.Event(), threading.Event()

    async def handler(conn):
        entered.set()
        goes_on.wait()

    monkeypatch.setattr(real, "ANSWER_S", 0.5)  # for which a real thread is waited for
    before = server.default_server()
    link = real_link(client, handler)
    (link.flash() / "first.txt").write_text("1")
    link.run_until(entered.is_set)
    boards = [board.process._transport._proc for board in link._beds["demo"].bed.boards.values()]
    thread = link._thread
    try:
        with pytest.raises(LinkFailed, match="the handler blocks the server's loop"):
            link.close()
        assert server.default_server() is before
        until(lambda: all(popen.poll() is not None for popen in boards), "the end of both boards")
    finally:
        goes_on.set()
        thread.join()


def test_coroutine_that_takes_too_long_is_cancelled(real_link, client):
    link = real_link(client, client_may_fail=True)
    cancelled = []

    async def waits():
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    with pytest.raises(LinkFailed, match="did not come within 0.2 s"):
        link.on_server(waits(), timeout_s=0.2)
    link.run_until(lambda: cancelled)


def test_test_is_skipped_with_the_reason_where_there_is_no_micropython(users_pytest):
    status, output = users_pytest("def test_of_mine(real_link):\n    pass\n", "-rs", MICROPYTHON="/nonesuch")
    assert status == 0 and "1 skipped" in output and "real_link: /nonesuch is not a program" in output


@pytest.mark.parametrize("name", ["id", "key", "server", "port"])
def test_settings_that_are_made_are_refused(real_link, client, name):
    with pytest.raises(ValueError, match=f"settings: {name}: the fixture makes id, key, pins, server, port; leave"):
        real_link(client, settings={name: "x", "report_s": 1})
