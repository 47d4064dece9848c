"""Clients that `run` on virtual boards in real MicroPython: absent servers, failures, resets and the watchdog."""

import re
import sys

import pytest

from tests.peers.processes import ROOT, running, up, write_settings

CLIENT = """
import asyncio, time
from machine import WDT
from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware

class App(AppBase):
    %s

asyncio.run(App(conn_id, config, hardware).%s)
"""
RUN = "run(WDT(timeout=30000))"
FAILS_IN_A_TASK = """
    def start(self):
        print("application starts")
        self.create_task(self.talk())
        self.create_task(self.fail())
    async def talk(self):
        while True:
            await self.write("ping")
            print(await self.readline(), end="")
    async def fail(self):
        await asyncio.sleep(3)
        self.missing.thing
"""
FAILS_AT_ONCE = """
    async def start(self):
        print("application starts")
        raise ValueError("of the application")
"""
HANGS = """
    def start(self):
        print("application starts")
        self.create_task(self.hang())
    async def hang(self):
        await asyncio.sleep(12)  # longer than the watchdog waits
        print("hangs")
        while True:
            time.sleep(1)
"""


@pytest.fixture
def boards(micropython64, micropython_bridge):
    """Environment that names the interpreters of the boards."""
    return {"MICROPYTHON": micropython64, "MICROPYTHON_BRIDGE": micropython_bridge}


@pytest.fixture
def client(tmp_path, boards):
    """Starts the client whose class has this text."""
    write_settings(tmp_path)

    def start(text, call=RUN):
        program = tmp_path / "client.py"
        program.write_text(CLIENT % (text.strip(), call))
        return running(up(program), tmp_path, **boards)

    return start


def server(folder):
    return running([sys.executable, ROOT / "examples" / "server_app.py"], folder)


def test_example_of_a_client_waits_for_a_server_that_is_started_later(tmp_path, boards):
    write_settings(tmp_path)
    with running(up(ROOT / "examples" / "client.py"), tmp_path, **boards) as client:
        client.wait_for("No initial server connection")
        with server(tmp_path):
            client.wait_for("pong", 2)


def test_task_that_fails_is_shown_with_the_users_line_and_the_application_goes_on(tmp_path, client):
    with server(tmp_path), client(FAILS_IN_A_TASK) as board:
        board.wait_for("AttributeError: 'App' object has no attribute 'missing'")
        board.wait_for("pb_link: the application is started again in 2 s")
        board.wait_for("application starts", 3)
        said = "\n".join(board.lines)
    assert re.search(r'File ".*client.py", line 1\d, in fail', said)
    assert "Task exception wasn't retrieved" not in said and "reset" not in said


def test_task_that_fails_ends_a_client_by_await_msg_with_the_users_line(tmp_path, client):
    with server(tmp_path), client(FAILS_IN_A_TASK, "await_msg()") as board:
        board.wait_for("its program ended with status 1")
        said = "\n".join(board.lines)
    assert re.search(r'File ".*client.py", line 1\d, in fail', said)
    assert "AttributeError: 'App' object has no attribute 'missing'" in said and said.count("application starts") == 1


def test_board_is_reset_when_the_application_fails_again_and_again(client):
    with client(FAILS_AT_ONCE) as board:
        board.wait_for("pb_link: the board is reset in 5 s")
        said = "\n".join(board.lines)
        assert said.count("application starts") == said.count("ValueError: of the application") == 5
        assert "RuntimeError: the application has failed 5 times" in said
        board.wait_for("client * starts again")
        board.wait_for("application starts", 6)


def test_watchdog_resets_a_board_whose_application_hangs_and_no_other(client):
    with client(HANGS, "run(WDT(timeout=10000))") as board:
        board.wait_for("hangs")
        said = "\n".join(board.lines)
        assert said.count("application starts") == 1 and "client * starts again" not in said
        board.wait_for("client * starts again")
        board.wait_for("application starts", 2)
