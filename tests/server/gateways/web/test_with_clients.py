"""`pb-link serve` with the section [web], as a process, and a client that is one but for its boards."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

from server.gateways.web.users import UserFile
from server.service.key_file import KeyFile
from tests.patience import PATIENCE_S
from tests.server.gateways.web.bed import CHEAP, Browser
from tests.server.peer import Client, free_port, until, within

ROOT = Path(__file__).resolve().parents[4]


@contextlib.asynccontextmanager
async def whole_server(folder):
    """Gives (Client pump, Browser of an administrator's script) of a server in a process."""
    key = bytes.fromhex(KeyFile(folder / "keys.json").add("pump"))
    token = UserFile(folder / "users.json", CHEAP).add_token("script", "administer")
    port, web = free_port(), free_port()
    settings = f'host = "127.0.0.1"\nport = {port}\nkeys = "keys.json"\nstore = "store.db"\nadmin_socket = "s"\n'
    (folder / "x.toml").write_text(settings + f'[web]\nlisten = "127.0.0.1:{web}"\nusers = "users.json"\n')
    log = folder / "log.txt"
    with open(log, "w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "server", "serve", "--config", "x.toml"], cwd=folder, stdout=file, stderr=file,
            env=dict(os.environ, PYTHONPATH=str(ROOT)),
        )  # fmt: skip
    try:
        started = lambda: "web_listening" in log.read_text() and "started" in log.read_text()
        await until(lambda: started() or process.poll() is not None, "the start")
        assert process.poll() is None, log.read_text()
        browser = Browser(("127.0.0.1", web))
        browser.headers = {"authorization": f"Bearer {token}"}
        yield Client(port, "pump", key), browser
        process.terminate()
        assert await asyncio.to_thread(process.wait, PATIENCE_S) == 0, log.read_text()
        assert "failed" not in log.read_text()
    finally:
        process.kill()
        process.wait()


def test_client_comes_talks_gets_a_line_and_another_key_and_goes(tmp_path):
    async def test():
        async with whole_server(tmp_path) as (client, browser):
            headers = browser.headers
            pump = (await browser.get("/api/clients/pump", **headers)).json["client"]
            assert pump["state"] == "never" and pump["changed"] is None
            async with browser.stream("/api/events?view=client&id=pump", **headers) as event:
                assert (await event())[0] == "snapshot"
                await within(client.connect())
                await client.write("hello")
                lines, state = [], None
                while not lines or state != "connected":
                    _, change = await event()
                    lines += change.get("lines", [])
                    state = change.get("client", {}).get("state", state)
                assert [(line["way"], line["text"]) for line in lines] == [("from", "hello")]
                sent = await browser.post("/api/clients/pump/lines", {"line": "open", "wait": True}, **headers)
                assert sent.json == {"stored": True, "delivered": True} and client.lines == ["open\n"]
                key = (await browser.post("/api/clients/pump/key", {"do": "rotate"}, **headers)).json["key"]
                assert KeyFile(tmp_path / "keys.json").read()["pump"][1].hex() == key
                assert (await browser.post("/api/clients/pump/key", {"do": "revoke"}, **headers)).status == 200
                while state != "away":  # without a key it is not served any more
                    _, change = await event()
                    state = (change.get("client") or {}).get("state", state)
            # The key file is looked at once a second, and the next look may find both changes.
            events = (await browser.get("/api/log", **headers)).json["events"]
            assert {"connected", "disconnected", "keys_read"} <= {entry["event"] for entry in events}
            assert key not in json.dumps(events)

    asyncio.run(test())
