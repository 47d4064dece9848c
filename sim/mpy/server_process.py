"""The server's application as a process of its own, in CPython."""

import asyncio
import os
import random
import signal
import socket
import sys
from collections import deque

from sim.mpy.program_output import LINE_LIMIT, pass_on
from sim.root import ROOT

LAST_LINES = 5
PORTS = range(12000, 30000)  # below the ports that the kernel gives to outgoing connections: 32768 and up in Linux


def free_port():
    """Returns a free TCP port outside the kernel's range for outgoing connections: it is opened some time later."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class ServerProcess:
    """A running server. Args: module: run with `python3 -m`; on_line(text) gets each line of its output."""

    def __init__(self, module, arguments, *, cwd, on_line):
        self._command = (sys.executable, "-u", "-m", module, *map(str, arguments))
        self._cwd = cwd
        self._on_line = on_line
        self._process = None
        self._reader = None
        self.last_lines = deque(maxlen=LAST_LINES)  # of what it has printed

    async def start(self):
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=self._cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=LINE_LIMIT,
            start_new_session=True,
        )
        self._reader = asyncio.ensure_future(pass_on(self._process.stdout, self._printed))

    def _printed(self, line):
        self.last_lines.append(line)
        self._on_line(line)

    async def wait(self):
        """Waits until it has ended, and all that it printed was passed on."""
        await self._process.wait()
        await self._reader

    @property
    def status(self):
        """Returns the exit status of the process, or None while it runs and before."""
        return None if self._process is None else self._process.returncode

    def restart_listener(self):
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGUSR1)

    async def close(self):
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reader
