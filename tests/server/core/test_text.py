"""Lines that are no text: what a client with a key can send, and what an older server has stored."""

import asyncio
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from server import client_conn
from server.core.rate_limited_log import LOGGED
from server.service import settings
from server.service.key_file import KeyFile
from server.service.log import Log
from server.service.secret_settings import Secrets
from server.service.service import Service as Program
from tests.server.all_stores import STORES
from tests.server.peer import OTHER_KEY, Client, Service, until, within
from tests.server.service.test_cli import ROOT
from tests.server.store_calls import a_lines

POISON = {
    "not UTF-8": b"bad \xff\xfe",
    "surrogate": b"\xed\xa0\xbd",
    "surrogate pair": b"\xed\xa0\xbd\xed\xb8\x80",
    "overlong": b"\xc0\x80",
    "beyond U+10FFFF": b"\xf4\x90\x80\x80",
    "newline": b"a\nb",
    "newline at the end": b"a\n",
}


async def of_lines(conn):
    async for line in conn.lines():
        yield line


async def of_readline(conn):
    while True:
        yield await conn.readline()


async def collect(lines, got):
    async for line in lines:
        got.append(line)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("reader", [of_lines, of_readline])
@pytest.mark.parametrize("bad", POISON.values(), ids=POISON)
def test_line_that_is_no_text_ends_its_connection_and_meets_no_reader(store, reader, bad):
    async def main():
        kept = store()
        async with Service(store=kept, expected=("a", "b")) as service:
            told = []
            service.events.subscribe(lambda event, client_id, details: told.append((event, client_id, details)))
            good, evil = Client(service.port, "b", OTHER_KEY), Client(service.port)
            await within(good.connect())
            await within(evil.connect())
            conn = await within(client_conn("a"))
            got, of_good = [], []
            readers = [asyncio.create_task(collect(reader(conn), got))]
            readers.append(asyncio.create_task(collect(reader(service.connection("b")), of_good)))
            for data in (b"before", bad, b"after"):
                evil.session.append(data, True)
            evil._flush()
            await evil.ended()
            await until(lambda: got == ["before\n"], "the line before it, without another connection")
            for _ in range(2):  # it resumes at that line, and again
                await within(evil.connect())
                await evil.ended()
            await good.write("still served")
            await until(lambda: of_good == ["still served\n"], "the other client's line")
            reasons = [details["reason"] for event, who, details in told if (event, who) == ("disconnected", "a")]
            assert len(reasons) == 3 and all("not UTF-8" in one or "newline in it" in one for one in reasons), reasons
            assert got == ["before\n"] and not any(task.done() for task in readers)
            assert await kept.look("a", conn.state.owner, 1) is None
            fresh = Client(service.port)  # another life of the client, with a better program
            await within(fresh.connect())
            await fresh.write("good")
            await until(lambda: got == ["before\n", "good\n"], "the good line")

    asyncio.run(main())


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("reader", [of_lines, of_readline])
def test_line_that_an_older_server_stored_unchecked_is_delivered_mended(store, reader):
    async def main():
        async with Service(store=store()) as service:
            told = []
            service.events.subscribe(lambda event, client_id, details: told.append((event, client_id, details)))
            conn = service.connection()
            await within(conn.load(service.store))
            stored = [b"one", b"caf\xc3\xa9 \xff", b"a\nb", b"\xed\xa0\xbd", b"two"]
            await service.store.receive("a", conn.state.owner, b"e" * 8, {0: 5}, a_lines(stored))
            lines = reader(conn)
            got = [await within(anext(lines)) for _ in stored]
            assert got == ["one\n", "caf\u00e9 \ufffd\n", "a\ufffdb\n", "\ufffd\ufffd\ufffd\n", "two\n"]
            faults = [(who, details["fault"]) for event, who, details in told if event == "line_mended"]
            no_utf8 = ("a", "a line that is not UTF-8")
            assert faults == [no_utf8, ("a", "a line with a newline in it"), no_utf8]

    asyncio.run(main())


def test_refusals_are_counted_in_one_place():
    """By Events, whose periods begin at other times than those of the log."""
    KeyFile("keys.json").add("a")
    file = io.StringIO()
    service = Program(settings.read(None), Secrets({}), log=Log("json", file))
    try:
        for _ in range(3 * LOGGED):
            service._log_event("refused", None, {"peer": "x", "reason": "y"})
    finally:
        service.store.close()
    assert len(file.getvalue().splitlines()) == 3 * LOGGED


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_ids_of_any_character_are_shown_on_any_terminal(encoding):
    KeyFile("keys.json").add("k\u00fcche \U0001f600")
    assert "k\u00fcche \U0001f600" in Path("keys.json").read_text(encoding="utf-8")
    ascii_files = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment = {**os.environ, **ascii_files, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding}
    for words in (["add", "pump"], ["list"]):
        command = [sys.executable, "-m", "server", "keys", *words]
        done = subprocess.run(command, env=environment, capture_output=True)
    shown = "k\u00fcche \U0001f600" if encoding == "utf-8" else "k\u00fcche \\U0001f600"
    assert done.returncode == 0 and shown.encode(encoding) in done.stdout, done.stderr


def test_id_that_the_terminal_cannot_show_is_no_error_of_the_listener(monkeypatch):
    """Anybody can send one."""
    shown = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)

    async def main():
        async with Service() as service:
            monkeypatch.setattr(sys, "stdout", shown)
            await Client(service.port, "k\u00fcche \U0001f600").refused()
            await service.refusals(1)
            monkeypatch.undo()

    asyncio.run(main())
    assert b"unknown id (id 'k\\xfcche \\U0001f600')" in shown.buffer.getvalue()
