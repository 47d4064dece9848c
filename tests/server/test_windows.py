"""Server and commands without what Windows has not: Unix sockets, fcntl, termios, signals of loops. Not run on Windows
itself: this hides those modules and calls, and names the platform."""

import json
import os
import signal
import subprocess
import sys
import time

from tests.patience import PATIENCE_S
from tests.peers.processes import ROOT, Program
from tests.server.peer import free_port

# Run before anything of ours is imported. What Python itself needs has been imported.
HIDING = """
import asyncio, ctypes, logging, multiprocessing, platform, selectors, signal, socket, sqlite3, subprocess, sys
import tempfile, threading, types, uuid, webbrowser, zipfile
try:
    import uvicorn.main  # another's, which asks for the platform when it is imported
except ImportError:
    pass
for name in ("fcntl", "termios", "tty", "pty", "pwd", "grp", "resource", "readline", "syslog"):
    sys.modules[name] = None
msvcrt = sys.modules["msvcrt"] = types.ModuleType("msvcrt")
msvcrt.LK_LOCK, msvcrt.locking = 1, lambda number, mode, size: None
pair, unix = socket.socketpair, socket.AF_UNIX
socket.socketpair = lambda *_: pair(unix)  # there it is made of two connections, which is the same to asyncio
del socket.AF_UNIX, asyncio.start_unix_server, asyncio.open_unix_connection
for name in ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM"):
    delattr(signal, name)
def refused(*args):
    raise NotImplementedError
asyncio.BaseEventLoop.add_signal_handler = asyncio.SelectorEventLoop.add_signal_handler = refused
import os
for name in ("fork", "geteuid", "getuid", "fchmod", "chown", "register_at_fork", "mkfifo", "umask"):
    delattr(os, name)
sys.platform = "win32"
"""
IMPORTS = """
import importlib, pathlib
root = pathlib.Path(%r)
packages = ("server", "protocol", "primitives", "pb_link", "remote_i2c", "sensor_bus", "sim")
for package in packages:
    for path in sorted((root / package).rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        if "boards" in name or "on_board" in name or name in %r or "__main__" in name:
            continue
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] in %r:
                continue
            print(name, "needs", error.name)
        except ImportError as error:
            print(name, error)
"""
# For a board, or for Linux; simulated boards are processes of MicroPython's unix port.
ELSEWHERE = {
    "pb_link.config", "pb_link.pb_client", "pb_link.selftest", "sim.mpy.boot_loader", "sim.apps.counted_client",
    "remote_i2c.linux", "sensor_bus.linux_i2c",
}
EXTRAS = {"smbus2", "asyncpg", "grpc", "google", "starlette", "uvicorn", "websockets", "aiomqtt", "paho", "machine"}


def python(code, *words, cwd, **how):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", HIDING + code, *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=240, **how)


def test_modules_can_be_imported(tmp_path):
    done = python(IMPORTS % (str(ROOT), ELSEWHERE, EXTRAS), cwd=tmp_path)
    assert done.returncode == 0 and done.stdout == "", done.stdout + done.stderr


CLI = "from server.__main__ import main; sys.exit(main())"


def test_server_runs_is_asked_and_ends(tmp_path):
    port = free_port()
    init = ["init", "pump", "--port", port, "--server", "192.0.2.7"]
    for words in (init, ["keys", "add", "valve"], ["check", "--config", "pb_link.toml"]):
        done = python(CLI, *words, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    command = [sys.executable, "-u", "-c", HIDING + CLI, "serve", "--config", "pb_link.toml"]
    server = Program(command, tmp_path, {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"})
    try:
        server.wait_for("started")
        shown = python(CLI, "clients", "--json", "--config", "pb_link.toml", cwd=tmp_path)
        assert shown.returncode == 0, shown.stderr
        assert {one["id"] for one in json.loads(shown.stdout)} >= {"pump", "valve"}
        sent = python(CLI, "send", "pump", "a line", "--config", "pb_link.toml", cwd=tmp_path)
        assert sent.stdout == "stored\n", sent.stderr
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE_S) == 0
        server.wait_for("stopped")
    finally:
        server.stop()


def test_command_that_needs_a_terminal_of_unix_says_so(tmp_path):
    done = python(CLI, "console", "pump", "--repl", cwd=tmp_path)
    assert done.returncode == 1 and "--repl needs a terminal" in done.stderr and "Traceback" not in done.stderr


def test_virtual_bed_runs(tmp_path):
    began = time.monotonic()
    words = ["sim", "run", "--bed", "virtual", "--lines", "20", "--faults", "bridge-kill=1", "--json"]
    done = python(CLI, *words, cwd=tmp_path)
    assert done.returncode == 0, (done.stderr, time.monotonic() - began)
    assert json.loads(done.stdout.splitlines()[-1])["client_to_server"]["delivered"] == 20
