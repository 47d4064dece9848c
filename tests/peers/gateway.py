"""`pb-link serve` with an MQTT gateway as a process, which may be killed and started again; and its clients."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from server.service.key_file import KeyFile
from tests.patience import PATIENCE_S
from tests.peers.kill_server import Endless
from tests.peers.processes import ROOT
from tests.server.peer import HOST, Client, free_port


class GatewayServer:
    """Use: `with GatewayServer(folder, broker.port, "pump") as server`. more: lines of [mqtt]; top: of the file."""

    def __init__(self, folder, broker_port, *ids, more="", top=""):
        self.folder = Path(folder)
        self.port = free_port()
        self.metrics_port = free_port()
        self.environment = dict(os.environ, PYTHONPATH=str(ROOT), PYTHONUNBUFFERED="1")
        file = KeyFile(self.folder / "keys.json")
        self.keys = {client_id: bytes.fromhex(file.add(client_id)) for client_id in ids}
        (self.folder / "pb_link.toml").write_text(
            f'host = "{HOST}"\nport = {self.port}\ntimeout_ms = 10000\nlog = "json"\n{top}\n'
            f'metrics = "{HOST}:{self.metrics_port}"\n'
            f'[mqtt]\nhost = "{HOST}"\nport = {broker_port}\n{more}\n'
        )
        self._process = None

    def start(self):
        with open(self.folder / "log.txt", "ab") as log:
            self._process = subprocess.Popen(self.command("serve"), cwd=self.folder, env=self.environment, stdout=log,
                                             stderr=subprocess.STDOUT)  # fmt: skip

    def command(self, *words):
        return [sys.executable, "-m", "server", *words, "--config", "pb_link.toml"]

    def run(self, *words):
        command = self.command(*words)
        return subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)

    def kill(self):
        self._process.kill()
        self._process.wait()

    def end(self):
        """The exit status after SIGTERM."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(PATIENCE_S)

    def wait(self):
        return self._process.wait(PATIENCE_S)

    def log(self, event=None):
        """The events logged so far, as dicts; what is not one as {"event": None, "text": ..}."""
        found = []
        for line in (self.folder / "log.txt").read_text().splitlines():
            found.append(json.loads(line) if line.startswith("{") else {"event": None, "text": line})
        return [one for one in found if event is None or one["event"] == event]

    def wait_for_log(self, event, count=1):
        """Wait until the event has been logged so often; returns the last of these."""
        deadline = time.monotonic() + PATIENCE_S
        while len(self.log(event)) < count:
            assert time.monotonic() < deadline, f"{event} x {count} did not come: {self.log()[-20:]}"
            time.sleep(0.02)
        return self.log(event)[count - 1]

    def client(self, client_id="pump", kind=Client):
        return kind(self.port, client_id, self.keys[client_id])

    async def metric(self, name):
        reader, writer = await asyncio.open_connection(HOST, self.metrics_port)
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        text = (await reader.read()).decode()
        writer.close()
        return float(next(line for line in text.splitlines() if line.startswith(f"pb_link_{name} ")).split()[1])

    def __enter__(self):
        self.start()
        self.wait_for_log("started")
        return self

    def __exit__(self, *error):
        if self._process.poll() is None:
            self.kill()


@contextlib.asynccontextmanager
async def living(server, client_id="pump"):
    """A client that comes back whenever its connection ends; it writes nothing by itself."""
    client = server.client(client_id, Returning)
    task = asyncio.create_task(client.live())
    try:
        yield client
    finally:
        task.cancel()
        client.cut()


class Returning(Endless):
    async def _write(self):
        pass
