"""`pb-link smbus serve`: what it serves, its log, and arguments that cannot be."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from remote_i2c.smbus_client.smbus import SMBus
from server.service import cli
from tests.patience import PATIENCE_S, until
from tests.server.peer import free_port

ROOT = Path(__file__).resolve().parents[3]
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} :: INFO :: (.*)")


@pytest.fixture
def serve(tmp_path):
    """A function: starts the command with these words. Returns the process, whose log is in the file `log`."""
    (tmp_path / "room.json").write_text(json.dumps([{"type": "TMP117", "address": "0x48"}]))
    started = []

    def start(*words, **variables):
        with open(tmp_path / "log", "wb") as log:
            command = [sys.executable, "-m", "server", "smbus", "serve", *words]
            environment = dict(os.environ, PYTHONPATH=str(ROOT), **variables)
            started.append(subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=log))
        until(lambda: "Server started" in (tmp_path / "log").read_text(), "the start")
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_bus_is_served_until_sigterm_and_the_log_says_who_does_what(serve, tmp_path):
    port = free_port()
    process = serve("--bus", "1=sim:room.json", "--listen", f"127.0.0.1:{port}", "--addresses", "1=0x48")
    with SMBus(f"grpc://127.0.0.1:{port}/1") as bus:
        assert bus.read_word_data(0x48, 0x0F) == 0x1701  # who it is, the low byte first on the wire
        with pytest.raises(OSError, match="not allowed"):
            bus.read_byte(0x49)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    lines = [LINE.fullmatch(line)[1] for line in (tmp_path / "log").read_text().splitlines()]
    client = re.search(r"\((\w+)\)", lines[1])[1]
    assert lines == [
        "Server started",
        f"New client({client}) requests bus 1",
        f"Client({client}) read_word_data at 0x48 register 0xf",
        f"Client({client}) read_byte at 0x49",
        f"Client({client}) refused (bus 1, address 0x49): this address is not allowed: see the addresses of the bus",
        f"Client({client}) closes",
    ]


def test_token_of_a_file_is_needed(serve, tmp_path):
    (tmp_path / "token").write_text("a-token-of-the-tests\n")
    (tmp_path / "token").chmod(0o600)
    port = free_port()
    serve("--bus", "1=sim:room.json", "--listen", f"127.0.0.1:{port}", "--token-file", "token")
    check_token(port)


def test_token_of_the_environment_is_needed(serve):
    port = free_port()
    words = ("--bus", "1=sim:room.json", "--listen", f"127.0.0.1:{port}")
    serve(*words, PB_LINK_SMBUS_TOKEN="a-token-of-the-tests")
    check_token(port)


def check_token(port):
    with pytest.raises(OSError, match="a valid token"):
        SMBus(f"grpc://127.0.0.1:{port}/1")
    SMBus(f"grpc://127.0.0.1:{port}/1", token="a-token-of-the-tests").close()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "--bus 1=/dev/i2c-1"),
        (["--bus", "/dev/i2c-1"], "NAME=BUS is needed"),
        (["--bus", "1=sim:x", "--bus", "1=sim:y"], "there is a bus 1 already"),
        (["--bus", "1=client:pump:0"], "no server runs here"),
        (["--bus", "1=client:pump"], "client:ID:BUS is needed"),
        (["--bus", "1=horse"], "names no bus"),
        (["--bus", "1=sim:none.json"], "none.json"),
        (["--bus", "1=/dev/i2c-99"], "i2c-99"),
        (["--bus", "1=sim:room.json", "--listen", "50051"], "must be HOST:PORT"),
        (["--bus", "1=sim:room.json", "--addresses", "2=0x48"], "there is no bus 2"),
        (["--bus", "1=sim:room.json", "--addresses", "0x480"], "not within"),
        (["--bus", "1=sim:room.json", "--listen", "0.0.0.0:0"], "--addresses"),
        (["--bus", "1=sim:room.json", "--listen", "0.0.0.0:0", "--addresses", "0x48"], "needs a token and TLS"),
        (["--bus", "1=sim:room.json", "--tls-cert", "x"], "belong together"),
        (["--bus", "1=sim:room.json", "--tls-cert", "room.json", "--tls-key", "room.json"], "its key room.json cannot"),
        (["--bus", "1=sim:room.json", "--token-file", "none"], "none"),
        (["--bus", "1=sim:room.json", "--token-file", "room.json"], "chmod 600"),
        (["--bus", "1=sim:room.json", "--token-file", "short"], "a token is one line"),
        (["--bus", "1=sim:room.json", "--expiry", "0"], "0.1 to 3600"),
    ],
)
def test_what_cannot_be_served_is_told(tmp_path, monkeypatch, capsys, words, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "room.json").write_text('[{"type": "TMP117"}]')
    (tmp_path / "room.json").chmod(0o644)
    (tmp_path / "short").write_text("short")
    (tmp_path / "short").chmod(0o600)
    assert cli.main(["smbus", "serve", *words]) == 1
    assert text in capsys.readouterr().err


def test_port_that_is_taken_is_told(serve, tmp_path, capsys, monkeypatch):
    port = free_port()
    serve("--bus", "1=sim:room.json", "--listen", f"127.0.0.1:{port}")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["smbus", "serve", "--bus", "1=sim:room.json", "--listen", f"127.0.0.1:{port}"]) == 1
    assert "another program" in capsys.readouterr().err


def test_missing_extra_is_told_with_how_to_install_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "grpc", None)
    assert cli.main(["smbus", "serve", "--bus", "1=sim:x"]) == 1
    assert "pip install '.[grpc]'" in capsys.readouterr().err
