"""`pb-link` in the hands of people: interrupted, into pipes that close, with the wrong file in the wrong place."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from server.service import cli
from server.service.key_file import KeyFile
from tests.patience import PATIENCE_S
from tests.patience import until as waited_for
from tests.server.peer import Client, free_port, open_stream, within
from tests.server.service.test_cli import ROOT, Server, words

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
ENVIRONMENT.pop("PYTHONUNBUFFERED", None)
PB_LINK = [sys.executable, "-m", "server"]


def started(*options, **how):
    """A command as a process."""
    return subprocess.Popen([*PB_LINK, *options], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, **how)


def has_socket(pid):
    """Has the process an open socket?"""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that file was closed meanwhile
            if os.readlink(link).startswith("socket:"):
                return True
    return False


@pytest.mark.parametrize("options", [("tail", "pump"), ("send", "pump", "x", "--wait")])
def test_interrupted_command_ends_without_a_word(options):
    with Server():
        process = started(*options)
        try:
            while not has_socket(process.pid):
                time.sleep(0.05)
            time.sleep(0.2)  # it has asked, and waits
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=PATIENCE_S)[1] == "" and process.returncode == 1
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize(("output", "error"), [("closed", ""), ("/dev/full", "No space left on device")])
def test_output_that_nobody_takes_is_a_line_at_most(output, error):
    KeyFile("keys.json").add("pump")
    if output == "closed":
        reading, out = os.pipe()
        os.close(reading)
    else:
        out = os.open(output, os.O_WRONLY)
    process = started("keys", "list", stdout=out)
    os.close(out)
    text = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 1 and error in text and text.count("\n") == bool(error), text


def test_server_that_does_not_answer_is_told(capsys, monkeypatch):
    monkeypatch.setattr(cli, "ANSWER_S", 0.2)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind("pb_link.sock")
        silent.listen()
        status, _, err = words("clients", capsys)
    assert status == 1 and "has not answered in 0.2 s: is it stopped?" in err


APPLICATIONS = {
    "class A": "SyntaxError",
    "raise RuntimeError('early')": "RuntimeError: early (",
}


@pytest.mark.parametrize(("text", "error"), APPLICATIONS.items())
def test_application_that_cannot_be_loaded_is_a_line(text, error, capsys):
    name = f"app_{abs(hash(text))}"
    Path(f"{name}.py").write_text(text)
    status, _, err = words(f"serve --app {name}:A", capsys)
    assert status == 1 and err.startswith("pb-link: ") and err.count("\n") == 1 and error in err


def test_application_that_cannot_be_made_is_a_line_of_the_log_that_says_where():
    Path("application.py").write_text("class A:\n    run = None\n    def __init__(self):\n        1 / 0\n")
    with Server("--app", "application:A") as server:
        assert server.process.wait(PATIENCE_S) == 1
    log = Path("log.txt").read_text()
    assert 'failed error="ZeroDivisionError: division by zero" at=' in log and "application.py:4" in log
    assert 'traceback="Traceback' in log and "\nTraceback" not in log and "never awaited" not in log, log


def test_key_file_that_cannot_be_written_when_a_new_key_is_used_is_told_and_the_client_served():
    async def use(server):
        client = Client(server.port, "pump", bytes.fromhex(new))
        for _ in range(2):  # the old key has the first turn
            try:
                await within(client.connect())
                break
            except AssertionError:
                pass
        assert client.up
        client.cut()
        return await asyncio.to_thread(server.end)

    with Server() as server:
        new = KeyFile("keys.json").rotate("pump")
        waited_for(lambda: "keys_read" in Path("log.txt").read_text(), "the new key")
        os.chmod("keys.json", 0o644)
        status, log = asyncio.run(use(server))
    assert status == 0 and "keys_unwritable client=pump" in log and "Traceback" not in log, log


def test_client_with_a_key_of_this_very_moment_is_not_refused():
    """Its program would end: AppBase.bad_server raises."""

    async def use(server):
        file = KeyFile("keys.json")
        for name in ("pump", "pump", "pump", "door"):  # the server has looked at the file in one case at most
            key = file.add(name) if name == "door" else file.rotate(name)
            await within(Client(server.port, name, bytes.fromhex(key)).connect())
        assert "wrong key" in await server.client().refused()
        return await asyncio.to_thread(server.end)

    with Server() as server:
        status, log = asyncio.run(use(server))
    assert status == 0 and log.count("new_key_used") == 3 and log.count(" refused ") == 1, log


def test_key_file_that_cannot_be_looked_at_does_not_end_the_server():
    with Server() as server:
        os.unlink("keys.json")
        os.symlink("keys.json", "keys.json")
        waited_for(lambda: "keys_unreadable" in Path("log.txt").read_text(), "the event")
        status, log = server.end()
    assert status == 0 and "keys_unreadable" in log and "failed" not in log, log


def test_micropython_iot_client_whose_id_gets_a_key_is_served_with_it_alone():
    async def change(server):
        reader, writer = await open_stream(server.port)
        writer.write(b"old\n")
        await within(reader.readline())
        key = KeyFile("keys.json").add("old")
        while await within(reader.read(100)):
            writer.write(b"\n")
        writer.close()
        reader, writer = await open_stream(server.port)
        writer.write(b"old\n00x\n")
        assert b"00" not in await within(reader.read())
        writer.close()
        client = Client(server.port, "old", bytes.fromhex(key))
        await within(client.connect())
        KeyFile("keys.json").add("another")
        await asyncio.sleep(2.5)  # the file has been read
        assert client.up
        client.cut()

    with Server("--allow-legacy", "old") as server:
        asyncio.run(change(server))
        assert server.end()[0] == 0


def test_check_finds_an_id_that_would_be_served_both_ways(capsys):
    KeyFile("keys.json").add("pump")
    Path("x.toml").write_text(f'port = {free_port()}\nallow_legacy = ["pump"]')
    status, out, _ = words("check --config x.toml", capsys)
    assert status == 1 and "keys: allow_legacy has pump, which has a key" in out


def test_request_for_metrics_that_does_not_end_does_not_keep_the_server():
    port = free_port()
    Path("x.toml").write_text(f'metrics = "127.0.0.1:{port}"')
    with Server("--config", "x.toml") as server:
        with socket.create_connection(("127.0.0.1", port)) as asking:
            asking.sendall(b"GET /metrics HTTP/1.0\r\n")
            time.sleep(0.3)
            status, log = server.end()
    assert status == 0 and len(log.splitlines()) == 2, log


def test_gateway_that_cannot_begin_is_a_line():
    KeyFile("keys.json").add("pump")
    Path("x.toml").write_text(f'port = {free_port()}\n[mqtt]\nusername = "x"\npassword_file = "absent"')
    process = started("serve", "--config", "x.toml", stdout=subprocess.DEVNULL)
    text = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 1 and "absent" in text.splitlines()[-1] and text.count("\n") == 2, text


def test_terminal_is_not_commanded_by_a_client(monkeypatch, capsys):
    monkeypatch.setattr(cli, "_answers", lambda settings, request: [{"line": "\x1b]0;x\x07 \u00b0C \u200b"}])
    for terminal, shown in ((True, "\\x1b]0;x\\x07 \u00b0C \\u200b\n"), (False, "\x1b]0;x\x07 \u00b0C \u200b\n")):
        monkeypatch.setattr(sys.stdout, "isatty", lambda terminal=terminal: terminal)
        assert words("tail pump", capsys)[1] == shown


def test_variable_that_is_empty_names_no_settings(monkeypatch, capsys):
    monkeypatch.setenv("PB_LINK_CONFIG", "")
    assert words("keys list", capsys)[0] == 0


STUBBORN = """
import asyncio
import server.service.service

server.service.service.END_S = 0.2

class Application:
    async def run(self):
        while True:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                pass
"""


def test_application_that_does_not_end_is_left_behind():
    Path("application.py").write_text(STUBBORN)
    with Server("--app", "application:Application") as server:
        status, log = server.end()
    assert status == 1 and "has not ended 0.2 s after" in log and log.rstrip().endswith("stopped"), log


FINDS_IT_CLOSED = """
import asyncio
import server
from server.stores.sqlite import SQLiteStore

close = SQLiteStore.close

def close_beside_a_task(store):
    tell = server._server.events.tell
    tell("store_failed", "pump", error="a fault")
    close(store)
    asyncio.get_running_loop().call_soon(lambda: tell("store_failed", "pump", error="it is closed"))

SQLiteStore.close = close_beside_a_task

async def handle(connection):
    pass
"""


def test_task_that_finds_the_store_closed_at_the_end_is_no_fault():
    Path("application.py").write_text(FINDS_IT_CLOSED)
    with Server("--app", "application:handle") as server:
        status, log = server.end()
    assert status == 0 and "a fault" in log and "it is closed" not in log, log


def test_clients_without_a_key_do_not_fill_the_log():
    async def connect(port, count):
        for _ in range(count):
            reader, writer = await open_stream(port)
            writer.write(b"old\nzz\n")
            await within(reader.read())
            writer.close()

    with Server("--allow-legacy", "old") as server:
        asyncio.run(connect(server.port, 30))
        status, log = server.end()
    assert status == 0 and log.count(" connected ") == log.count(" disconnected ") == 10, log


def test_client_that_comes_in_vain_again_and_again_does_not_fill_the_log():
    async def flap(port, key):
        for _ in range(9):
            client = Client(port, "pump", key)
            await within(client.connect())
            client.cut()
        await within(client.connect())
        await client.write("line")
        await within(client.acknowledged())
        client.cut()

    with Server() as server:
        asyncio.run(flap(server.port, server.key))
        status, log = server.end()
    assert status == 0 and log.count(" connected ") <= 7 and log.count(" disconnected ") <= 7, log
    assert "flapping client=pump connections=8" in log and "steady client=pump connections=9" in log, log
