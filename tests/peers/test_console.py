"""The console of the example client, on virtual boards: `pb-link console` shows it, and is its REPL."""

import asyncio
import json
import subprocess
import sys

import pytest

from server.service.key_file import KeyFile
from tests.patience import until as until_now
from tests.peers.processes import ROOT, running, up, write_settings
from tests.server.service.test_terminal import Operator


@pytest.fixture
def boards(tmp_path, monkeypatch, micropython64, micropython_bridge):
    """The example and a server run in the current folder. Provides the server's Program."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    settings = write_settings(tmp_path)
    settings["id"] = "pump"
    (tmp_path / "pb_settings.json").write_text(json.dumps(settings))
    KeyFile("keys.json").add("pump", settings["key"], repl=True)
    interpreters = {"MICROPYTHON": micropython64, "MICROPYTHON_BRIDGE": micropython_bridge}
    serving = [sys.executable, "-m", "server", "serve", "--port", str(settings["port"])]
    with running(serving, tmp_path) as server, running(
        up(ROOT / "examples" / "console_client.py"), tmp_path, **interpreters
    ):
        yield server


def shown(*options):
    command = [sys.executable, "-m", "server", "console", "pump", *options]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def test_prints_and_tracebacks_of_the_example_are_at_the_server_and_its_prompt_as_well(boards):
    async def main():
        with Operator() as operator:
            await operator.sees("measurement")
            operator.types(b"\x03")
            await operator.sees(">>> ")
            operator.types(b"app.status(), 6 * 7\r")
            await operator.sees("(True, 42)")
            operator.types(b"undefined\r")
            await operator.sees("NameError")
            operator.types(b"\x1d")
            assert await asyncio.to_thread(operator.process.wait) == 0
        boards.wait_for("repl_closed")
        text = shown()
        assert "measurement 4\n" in text and "console_client.py" in text
        assert "ValueError: the sensor does not answer" in text
        assert [line for line in text.splitlines() if "Traceback" in line][0][:2] == "20"

    boards.wait_for("connected")
    until_now(lambda: "the application is started again" in shown(), "its restart")
    asyncio.run(main())
