"""`pb-link console`: what it shows of a running server, and its terminal for the REPL."""

import asyncio
import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import termios
import threading
import tty
from struct import pack

import pytest

from protocol.channel_records import LIMIT
from server.service import terminal
from server.service.consoles import CHANNEL
from server.service.key_file import KeyFile
from tests.patience import PATIENCE_S
from tests.patience import until as until_now
from tests.server.channel_peer import ChannelClient
from tests.server.peer import within
from tests.server.service.test_cli import ROOT, Server, words


class Printing(ChannelClient):
    """A client of that server with a console."""

    def __init__(self, server):
        super().__init__(server.port, (CHANNEL,), client_id="pump", key=server.key)
        self.offset = 0

    async def prints(self, text):
        self.send(CHANNEL, pack(">BI", 1, self.offset) + text.encode(), qos=False)
        self.offset += len(text.encode())


def command(*options, **how):
    return subprocess.Popen(
        [sys.executable, "-m", "server", "console", "pump", *options], env=dict(os.environ, PYTHONPATH=str(ROOT)), **how
    )


def test_last_lines_are_shown_with_their_time_or_as_json_and_new_ones_as_they_come(capsys):
    async def main(server):
        client = Printing(server)
        await within(client.connect())
        assert (await asyncio.to_thread(words, "console pump", capsys))[:2] == (0, "")
        await client.prints("".join(f"line {i}\n" for i in range(60)))
        following = command("--follow", "--lines", "1", stdout=subprocess.PIPE, text=True)
        try:
            assert (await within(asyncio.to_thread(following.stdout.readline))).endswith("  line 59\n")
            await client.prints("Traceback\n")
            assert (await within(asyncio.to_thread(following.stdout.readline))).endswith("  Traceback\n")
        finally:
            following.kill()
            following.communicate()
        out = (await asyncio.to_thread(words, "console pump", capsys))[1]
        assert out.count("\n") == 50 and re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  line 11\n", out)
        out = (await asyncio.to_thread(words, "console pump --since 1h --json", capsys))[1]
        assert [json.loads(line)["line"] for line in out.splitlines()][:2] == ["line 0", "line 1"]
        assert (await asyncio.to_thread(words, "console pump --since 0s", capsys))[:2] == (0, "")

    with Server() as server:
        asyncio.run(main(server))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("console valve", "there is no client 'valve'"),
        ("console pump --lines -1", "--lines must not be negative"),
        ("console pump --repl", "--repl needs a terminal"),
        ("console pump --repl --follow", "goes with none of"),
    ],
)
def test_error_is_told_in_words(text, error, capsys, monkeypatch):
    monkeypatch.setattr(terminal.os, "isatty", lambda file: False)
    with Server():
        status, out, err = words(text, capsys)
        assert status == 1 and error in err and not out


def test_time_that_is_none_is_refused(capsys):
    for text in ("10", "m", "x m", "-1m"):
        with pytest.raises(SystemExit) as caught:
            words(f"console pump --since={text.replace(' ', '')}", capsys)
        assert caught.value.code == 2 and "such as 10m" in capsys.readouterr().err


def test_listing_of_keys_shows_who_may_use_the_repl(capsys):
    assert words("keys add pump --repl", capsys)[0] == 0
    words("keys add valve", capsys)
    out = words("keys list", capsys)[1]
    assert re.fullmatch(r"pump +[0-9a-f]{8}  repl\nvalve +[0-9a-f]{8}\n", out)
    assert [one["repl"] for one in json.loads(words("keys list --json", capsys)[1])] == [True, False]
    words("keys rotate pump --no-repl", capsys)
    words("keys add tap --settings tap.json --repl", capsys)
    assert KeyFile("keys.json").repl() == {"tap"}
    for text in ("keys revoke tap --repl", "keys list --no-repl"):
        status, _, err = words(text, capsys)
        assert status == 1 and "--repl and --no-repl go with add and rotate" in err


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_client_that_is_hostile_does_not_command_the_terminal(size):
    hostile = {
        "\x1b]52;c;cm0gLXJm\a": "\\x1b]52;c;cm0gLXJm\a",  # the clipboard
        "\x1b[6n\x1b[c": "\\x1b[6n\\x1b[c",  # questions, which the terminal answers as if somebody typed
        "\x1b[?1049h\x1b[?1003h": "\\x1b[?1049h\\x1b[?1003h",  # another screen; a mouse that types
        "\x1bc\x1bP1\x1b\\": "\\x1bc\\x1bP1\\x1b\\",
        "\u009b6n\u202e\x0e\0": "\\u009b6n\\u202e\\x0e\\x00",
        "\x1b[" + "1" * 30 + "m": "\\x1b[" + "1" * 30 + "m",
        "\x1b[\x1b[K\x1b\x1b[2": "\\x1b[\x1b[K\\x1b",  # the last may be the beginning of one that is taken
    }
    harmless = "\u00e4 >>> a\tb\b\x1b[K\x1b[2D\a\r\n\x1b[1;31mred\x1b[0m\n"
    for text, wanted in {**hostile, harmless: harmless}.items():
        printed = terminal.Printed()
        assert "".join(printed.shown(text[at : at + size]) for at in range(0, len(text), size)) == wanted


class Operator:
    """`pb-link console pump --repl` at a pseudo terminal."""

    def __enter__(self):
        self.master, side = pty.openpty()
        self.before = termios.tcgetattr(side)
        self.process = command("--repl", stdin=side, stdout=side, stderr=side)
        self.side = side
        self.seen = ""
        os.set_blocking(self.master, False)
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.side)

    def types(self, data):
        os.write(self.master, data)

    async def sees(self, text):
        def look():
            try:
                self.seen += os.read(self.master, 4096).decode()
            except BlockingIOError:
                pass
            return text in self.seen

        try:
            await asyncio.to_thread(until_now, look, text)
        except AssertionError:
            raise AssertionError(f"{text!r} is not in {self.seen!r}") from None


def test_keys_go_to_the_client_ctrl_c_among_them_until_ctrl_bracket():
    async def main(server):
        KeyFile("keys.json").rotate("pump", repl=True)
        client = Printing(server)
        await within(client.connect())
        await client.prints("running\n")
        await asyncio.to_thread(until_now, lambda: "keys_read" in open("log.txt").read(), "the key file")
        with Operator() as operator:
            await operator.sees("Ctrl-] leaves")
            operator.types(b"\x03")
            assert (await client.messages(CHANNEL, 1))[0][0][LIMIT:] == b"\x03"
            await client.prints(">>> ")
            await operator.sees(">>> ")
            operator.types("\u00e4\x1b[A\r".encode())
            got = await client.messages(CHANNEL, 2)
            assert b"".join(data[LIMIT:] for data, _, _ in got[1:])[:2] == "\u00e4".encode()
            await client.prints("1\r\n>>> ")
            await operator.sees("1\r\n>>> ")
            operator.types(b"lost\x1d")
            assert await asyncio.to_thread(operator.process.wait, PATIENCE_S) == 0
            assert termios.tcgetattr(operator.side)[:4] == operator.before[:4]
        log = open("log.txt").read()
        assert "repl_opened" in log

    with Server() as server:
        asyncio.run(main(server))


def test_ctrl_bracket_leaves_behind_a_paste_that_the_server_does_not_take():
    """The server's end of the socket is the test, and reads nothing until the session has ended."""
    ours, theirs = socket.socketpair()
    master, side = pty.openpty()
    tty.setraw(side)
    session = terminal._Session(theirs, side, side)
    found = []
    thread = threading.Thread(target=lambda: found.append(session.run()), daemon=True)
    thread.start()
    shown, size = [], 2_000_000
    reading = threading.Thread(target=lambda: _read_all(master, shown), daemon=True)
    reading.start()
    pasted = b"x" * 1000
    for _ in range(size // len(pasted)):
        os.write(master, pasted)
    os.write(master, terminal.LEAVE)
    thread.join(PATIENCE_S)
    assert found == [0]
    assert len(session._waiting) <= terminal.MAX_WAITING
    theirs.close()
    got = b"".join(iter(lambda: ours.recv(1 << 16), b""))
    typed = "".join(json.loads(line)["input"] for line in got.splitlines(keepends=True) if line.endswith(b"\n"))
    assert typed == "x" * len(typed) and len(typed) < size
    until_now(lambda: b"the rest of this is dropped" in b"".join(shown), "the note")
    for file in (ours, master, side):
        file.close() if hasattr(file, "close") else os.close(file)


def _read_all(file, shown):
    with contextlib.suppress(OSError):
        while data := os.read(file, 4096):
            shown.append(data)


def test_key_without_the_permission_is_refused_and_the_terminal_is_as_before():
    async def main(server):
        client = Printing(server)
        await within(client.connect())
        await client.prints("running\n")
        with Operator() as operator:
            await operator.sees("does not allow the REPL: pb-link keys rotate pump --repl")
            assert await asyncio.to_thread(operator.process.wait, PATIENCE_S) == 1
            assert termios.tcgetattr(operator.side)[:4] == operator.before[:4]

    with Server() as server:
        asyncio.run(main(server))


def test_terminal_is_as_before_when_the_command_is_told_to_end():
    async def main(server):
        KeyFile("keys.json").rotate("pump", repl=True)
        client = Printing(server)
        await within(client.connect())
        await client.prints("running\n")
        await asyncio.to_thread(until_now, lambda: "keys_read" in open("log.txt").read(), "the key file")
        with Operator() as operator:
            await operator.sees("Ctrl-] leaves")
            await client.prints(">>> ")
            await operator.sees(">>> ")
            assert termios.tcgetattr(operator.side)[:4] != operator.before[:4]
            operator.process.terminate()
            assert await asyncio.to_thread(operator.process.wait, PATIENCE_S) == 128 + signal.SIGTERM
            assert termios.tcgetattr(operator.side)[:4] == operator.before[:4]

    with Server() as server:
        asyncio.run(main(server))


def test_end_of_the_server_ends_it():
    async def main(server):
        KeyFile("keys.json").rotate("pump", repl=True)
        client = Printing(server)
        await within(client.connect())
        await client.prints("running\n")
        await asyncio.to_thread(until_now, lambda: "keys_read" in open("log.txt").read(), "the key file")
        with Operator() as operator:
            await operator.sees("Ctrl-] leaves")
            await asyncio.to_thread(server.end)
            await operator.sees("the server has ended")
            assert await asyncio.to_thread(operator.process.wait, PATIENCE_S) == 1

    with Server() as server:
        asyncio.run(main(server))
