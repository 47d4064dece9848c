"""`pb-link serve` with the section [web], as a process, and a client that is one but for its boards."""

import asyncio
import contextlib
import json
import os
import sqlite3
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
                command = [sys.executable, "-m", "server", "send", "pump", "by command", "--config", "x.toml"]
                options = {"cwd": tmp_path, "env": dict(os.environ, PYTHONPATH=str(ROOT)), "check": True}
                await asyncio.to_thread(subprocess.run, command, stdout=subprocess.DEVNULL, **options)
                shown = (await browser.get("/api/clients/pump", **headers)).json["lines"]
                assert [(one["way"], one["text"]) for one in shown[1:]] == [("to", "open"), ("to", "by command")]
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


def test_what_a_client_did_is_measured_and_in_the_store_when_the_server_has_ended(tmp_path):
    async def test():
        async with whole_server(tmp_path) as (client, browser):
            await within(client.connect())
            await client.write("hello")
            while True:
                found = (await browser.get("/api/clients/pump/history?points=24", **browser.headers)).json
                points = found["points"]
                if sum(filter(None, points["lines_received"])) == 1:
                    break
                await asyncio.sleep(0.05)
            assert 0 < sum(filter(None, points["connected_s"])) <= sum(points["known_s"]) + 1
            client.cut()
            while not found["reasons"]:
                found = (await browser.get("/api/clients/pump/history", **browser.headers)).json
            await browser.post("/api/clients/pump/lines", {"line": "waits"}, **browser.headers)

    asyncio.run(test())
    with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as database:
        rows = database.execute("SELECT level, min(client), max(client) FROM timeline GROUP BY level").fetchall()
    assert rows == [(0, 0, 1), (1, 0, 1), (2, 0, 1)]


def test_client_that_comes_anew_before_it_is_missed_has_no_outage(tmp_path):
    """Its bridge was reset: nobody has ended the first connection when the second one is there."""

    async def test():
        async with whole_server(tmp_path) as (client, browser):
            await within(client.connect())
            await within(client.connect())
            await client.write("again")
            history = lambda: browser.get("/api/clients/pump/history?points=24", **browser.headers)
            points = (await history()).json["points"]
            while not sum(filter(None, points["lines_received"])):
                await asyncio.sleep(0.05)
                points = (await history()).json["points"]
            assert sum(filter(None, points["reconnects"])) == 1 and not sum(filter(None, points["outages"]))
            row = (await browser.get("/api/clients/pump", **browser.headers)).json["client"]
            assert (row["connections"], row["outages"], row["state"]) == (2, 0, "connected")

    asyncio.run(test())
