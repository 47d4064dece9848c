"""`pb-link`: what its words do, what it prints, how it ends."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from server.service.cli import main
from server.service.key_file import KeyFile
from tests.patience import PATIENCE_S, until
from tests.server.peer import Client, free_port, within

ROOT = Path(__file__).resolve().parents[3]

APPLICATION = """
from server import client_conn

class Application:
    async def run(self):
        conn = await client_conn("pump")
        async for line in conn.lines():
            if line == "end\\n":
                raise RuntimeError("the end")
            with open("read.txt", "a") as file:
                file.write(line)
            await conn.write("got " + line)
"""


def words(text, capsys):
    """Status, output and errors of a command."""
    status = main(text.split())
    captured = capsys.readouterr()
    return status, captured.out, captured.err


class Server:
    """`pb-link serve` as a process in the current folder. variables: of its environment."""

    def __init__(self, *options, **variables):
        self._variables = variables
        self.port = free_port()
        self.key = bytes.fromhex(KeyFile("keys.json").add("pump"))
        self._command = [sys.executable, "-m", "server", "serve", "--port", str(self.port), *options]

    def __enter__(self):
        self.log = open("log.txt", "w")
        environment = dict(os.environ, PYTHONPATH=str(ROOT), **self._variables)
        self.process = subprocess.Popen(self._command, env=environment, stdout=self.log, stderr=subprocess.STDOUT)
        until(lambda: "started" in Path("log.txt").read_text() or self.process.poll() is not None, "the start")
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()

    def client(self):
        return Client(self.port, "pump", self.key)

    def end(self):
        """The exit status after SIGTERM, and the log."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S), Path("log.txt").read_text()


def test_keys_are_made_shown_and_taken_away(capsys):
    status, out, _ = words("keys add pump", capsys)
    key = re.search(r"^[0-9a-f]{64}$", out, re.MULTILINE)[0]
    assert status == 0 and KeyFile("keys.json").read() == {"pump": bytes.fromhex(key)}
    _, out, _ = words("keys list", capsys)
    assert out.startswith("pump ") and key not in out
    _, out, _ = words("keys rotate pump --json", capsys)
    assert json.loads(out)["key"] != key
    _, out, _ = words("keys list --json", capsys)
    assert len(json.loads(out)[0]["fingerprints"]) == 2
    assert words("keys revoke pump", capsys)[0] == 0 and KeyFile("keys.json").read() == {}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("keys add", "needs the id"),
        ("keys revoke pump", "pump has no key"),
        ("clients", "no server runs here"),
        ("send pump x", "no server runs here"),
        ("serve --config absent.toml", "absent.toml: No such file"),
        ("serve --app nothing", "MODULE:Class"),
        ("serve --app nothing:Here", "cannot be loaded"),
        ("serve --port 70000", "--port: port = 70000 must be a port"),
    ],
)
def test_error_is_a_line_that_says_why(text, error, capsys):
    status, out, err = words(text, capsys)
    assert status == 1 and not out and err.startswith("pb-link: ") and error in err and err.count("\n") == 1
    status, _, err = words(text + " --json", capsys)
    assert status == 1 and error in json.loads(err)["error"]


def test_help_has_examples(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "pb-link serve --app" in capsys.readouterr().out


def test_server_serves_tells_and_ends_without_losing_a_line(capsys):
    async def traffic(server):
        client = server.client()
        await within(client.connect())
        for number in range(20):
            await client.write(str(number))
        await within(client.acknowledged())
        found = json.loads((await asyncio.to_thread(words, "clients --json", capsys))[1])[0]
        assert found["connected"] and found["lines_received"] == 20 and found["connections"] == 1
        assert (await asyncio.to_thread(words, "send pump hello --wait", capsys))[:2] == (0, "pump has it\n")
        assert "hello\n" in client.lines
        tailing = subprocess.Popen(
            [sys.executable, "-m", "server", "tail", "pump"], env=dict(os.environ, PYTHONPATH=str(ROOT)),
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            first, number = asyncio.create_task(asyncio.to_thread(tailing.stdout.readline)), 20
            async with asyncio.timeout(PATIENCE_S):
                while not first.done():  # until it listens
                    await client.write(str(number))
                    number += 1
                    await asyncio.sleep(0.02)
            await client.write(str(number))
            assert await within(asyncio.to_thread(lambda: f"{number}\n" in tailing.stdout))
        finally:
            tailing.kill()
            tailing.communicate()
        await within(client.acknowledged())
        status, log = await asyncio.to_thread(server.end)
        client.cut()
        assert status == 0 and "connected client=pump" in log and log.rstrip().endswith("stopped"), log
        return number + 1

    Path("application.py").write_text(APPLICATION)
    with Server("--app", "application:Application") as server:
        count = asyncio.run(traffic(server))
    assert not os.path.exists("pb_link.sock")
    Path("rest.py").write_text(REST)
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    left = subprocess.run([sys.executable, "rest.py"], env=environment, capture_output=True, text=True)
    read = Path("read.txt").read_text().split() + left.stdout.split()
    assert list(dict.fromkeys(read)) == [*map(str, range(count))], left
    assert len(read) <= count + 1  # the application may have had one line in hand


def test_wait_of_a_send_that_is_given_up_or_ends_with_the_server_leaves_a_line_stored_and_the_log_clean(capsys):
    environment = dict(os.environ, PYTHONPATH=str(ROOT))

    def send(line):
        command = [sys.executable, "-m", "server", "send", "pump", line, "--wait"]
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)

    def waiting(lines):
        """So many lines are stored."""

        def there():
            found = json.loads(words("backlog --json", capsys)[1])
            return found and found[0]["lines"] == lines

        until(there, f"{lines} stored lines")
        return True

    with Server() as server:
        given_up, left = send("one"), None
        try:
            assert waiting(1)
            given_up.kill()
            left = send("two")
            assert waiting(2)
            status, log = server.end()
            assert b"ended before it answered" in left.communicate(timeout=PATIENCE_S)[1] and left.returncode == 1
        finally:
            for process in (given_up, left):
                if process:
                    process.kill()
                    process.wait()
    assert status == 0 and log.rstrip().endswith("stopped") and len(log.splitlines()) == 2, log


REST = """
import asyncio
from server.stores.sqlite import SQLiteStore

async def main():
    store = SQLiteStore("pb_link.db")
    owner = (await store.claim("pump")).owner
    while (taken := await store.take("pump", owner)) is not None:
        print(taken[1].data.decode())

asyncio.run(main())
"""


def test_application_that_fails_ends_the_server_with_an_error():
    async def end(server):
        client = server.client()
        await within(client.connect())
        await client.write("end")
        status = await asyncio.to_thread(server.process.wait, 20)
        client.cut()
        return status

    Path("application.py").write_text(APPLICATION)
    with Server("--app", "application:Application") as server:
        assert asyncio.run(end(server)) == 1
    assert 'error="RuntimeError: the end"' in Path("log.txt").read_text()


def test_keys_change_while_the_server_runs():
    async def change(server):
        client = server.client()
        await within(client.connect())
        key = KeyFile("keys.json").add("valve")
        valve = Client(server.port, "valve", bytes.fromhex(key))
        for _ in range(600):
            try:
                await within(valve.connect())
                break
            except AssertionError:
                await asyncio.sleep(0.1)
        KeyFile("keys.json").revoke("pump")
        await client.ended()
        assert valve.up
        valve.cut()

    with Server() as server:
        asyncio.run(change(server))


def test_port_that_is_taken_is_an_error_and_nothing_has_started():
    with Server() as server:
        log = Path("log.txt").read_text()
        Path("other.toml").write_text('admin_socket = "other.sock"')
        second = subprocess.run(
            [sys.executable, "-m", "server", "serve", "--port", str(server.port), "--store", "other.db"],
            env=dict(os.environ, PYTHONPATH=str(ROOT), PB_LINK_CONFIG="other.toml"), capture_output=True, text=True,
        )  # fmt: skip
        assert "started" in log and second.returncode == 1
        assert "failed" in second.stderr and "started" not in second.stderr and not second.stdout, second.stderr


def test_too_few_open_files_are_told():
    KeyFile("keys.json").add("a")
    command = [sys.executable, "-m", "server", "serve", "--port", str(free_port())]
    limited = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh", *command]
    with open("log.txt", "w") as log:
        process = subprocess.Popen(limited, env=dict(os.environ, PYTHONPATH=str(ROOT)), stderr=log)
        until(lambda: "started" in Path("log.txt").read_text(), "the start")
        process.terminate()
        process.wait(PATIENCE_S)
    assert " few_files limit=64 needed=307\n" in Path("log.txt").read_text()


def test_check_says_what_is_wrong(capsys):
    status, out, _ = words("check", capsys)
    assert status == 1 and "keys: nobody has a key" in out and "store: good" in out
    words("keys add pump", capsys)
    port = free_port()
    Path("x.toml").write_text(f"port = {port}")
    status, out, _ = words("check --config x.toml", capsys)
    looked_at = ("keys", "app", "store", "port", "metrics", "admin_socket", "log_file")
    assert status == 0 and out == "".join(f"{one}: good\n" for one in looked_at)
    Path("pb_link.db").write_text("not a store " * 100)
    status, out, _ = words("check --config x.toml --json", capsys)
    assert status == 1 and "damaged" in json.loads(out)["store"]
