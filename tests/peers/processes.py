"""Programs as a user starts them: each in a process of its own, from a folder with a settings file."""

import contextlib
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.server.peer import free_port

ROOT = Path(__file__).resolve().parents[2]

START_S = 90  # bound on everything that is waited for: a loaded machine, and boards that boot


def write_settings(folder, **changes):
    """Write pb_settings.json with a fresh key and a free port; returns it as a dict."""
    settings = {"port": free_port(), "server": "127.0.0.1", "ssid": "net", "password": "a password", "report_s": 1}
    settings.update(key=secrets.token_hex(32), id="demo", timeout_ms=1500, **changes)
    (folder / "pb_settings.json").write_text(json.dumps(settings))
    return settings


class Program:
    """A running process whose output is collected, line by line."""

    def __init__(self, command, folder, env):
        self.lines = []
        self._new = threading.Condition()
        self.process = subprocess.Popen(
            command, cwd=folder, env=env, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self):
        for line in self.process.stdout:
            with self._new:
                self.lines.append(line.rstrip())
                self._new.notify_all()
        with self._new:
            self.lines.append("(end of output)")
            self._new.notify_all()

    def wait_for(self, text, count=1):
        """Wait until count lines hold the text; returns the last of them."""
        deadline = time.monotonic() + START_S
        with self._new:
            while True:
                found = [line for line in self.lines if text in line]
                if len(found) >= count:
                    return found[count - 1]
                ended = "(end of output)" in self.lines
                left = deadline - time.monotonic()
                assert left > 0 and not ended, f"{text!r} x {count} did not come:\n" + "\n".join(self.lines)
                self._new.wait(left)

    def wait_for_end(self):
        """Wait until all that it printed is in `lines`."""
        self.wait_for("(end of output)")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(START_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def running(command, folder, **env):
    """A Program, stopped at the end. The project is importable in it, by CPython and by MicroPython."""
    environment = dict(os.environ, PYTHONPATH=str(ROOT), MICROPYPATH=f"{ROOT}:.frozen", PYTHONUNBUFFERED="1", **env)
    program = Program([str(word) for word in command], folder, environment)
    try:
        yield program
    finally:
        program.stop()


def up(client, *options):
    """The command that runs a client's program on virtual boards."""
    return [sys.executable, "-m", "sim", "up", "--client", client, *options]
