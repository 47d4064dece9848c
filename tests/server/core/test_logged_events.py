"""Events in `logging`: the logger, the level, and what a record holds."""

import asyncio
import logging
import re
import subprocess
import sys

from server import MemoryStore, Server
from server.core.logged_events import level_of, log_event
from tests.peers.processes import ROOT
from tests.server.peer import Client, free_port, until, within

KEY = bytes(range(32))


def test_levels_say_what_needs_a_person():
    levels = {event: level_of(event) for event in ("connected", "refused", "store_failed")}
    assert levels == {"connected": "INFO", "refused": "WARNING", "store_failed": "ERROR"}


def test_each_event_of_a_gateway_has_a_level():
    """Those of the normal course are INFO, and what a person may have to look at is a warning: none is forgotten."""
    warnings = {
        "mqtt_lost", "mqtt_refused", "mqtt_parts", "mqtt_advice", "i2c_bus_unusable", "smbus_refused", "web_i2c_no_tls",
        "web_i2c_refused", "web_i2c_cut", "web_login_failed", "web_refused", "web_users_unreadable",
        "web_history_failed",
    }  # fmt: skip
    folders = ROOT / "server" / "gateways", ROOT / "remote_i2c"
    sources = [path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py")]
    told = re.findall(r'(?:\b|_)log\(\s*"([a-z0-9_]+)"|^[A-Z]+ = "(smbus_[a-z]+)"', "\n".join(sources), re.MULTILINE)
    events = {one or other for one, other in told}
    assert len(events) >= 20
    assert {event for event in events if level_of(event) == "WARNING"} == warnings


def test_record_has_the_event_its_client_and_its_details(caplog):
    caplog.set_level(logging.DEBUG, "pb_link")
    log_event("refused", peer="x")
    log_event("line_held", "pump", bytes=2000)
    log_event("received", "pump", lines=[b"secret"])
    refused, held = caplog.records
    assert (refused.event, refused.client, refused.details) == ("refused", None, {"peer": "x"})
    assert (held.getMessage(), held.levelname) == ("line_held client='pump' bytes=2000", "WARNING")


def test_nothing_is_printed_by_a_program_that_has_set_up_no_logging(capfd):
    code = "import logging; from server.core.logged_events import log_event; log_event('refused', peer='x')"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    assert capfd.readouterr() == ("", "")


def test_handler_that_raises_harms_nobody(monkeypatch):
    class Failing(logging.Handler):
        def emit(self, record):
            raise ValueError

    handler = Failing()
    logging.getLogger("pb_link").addHandler(handler)
    try:
        log_event("refused", peer="x")
    finally:
        logging.getLogger("pb_link").removeHandler(handler)


def test_server_of_a_program_passes_its_events_to_logging(caplog):
    caplog.set_level(logging.INFO, "pb_link")

    async def main():
        server, port = Server(), free_port()
        running = server.run({"a"}, port=port, keys={"a": KEY}, store=MemoryStore(), host="127.0.0.1")
        serving = asyncio.create_task(running)
        waiting = asyncio.create_task(server.client_conn("nobody"))
        await until(lambda: any(record.event == "listening" for record in caplog.records), "the listener")
        client = Client(port, "a", KEY)
        await within(client.connect())
        client.cut()
        await until(lambda: any(record.event == "disconnected" for record in caplog.records), "the end")
        for task in (waiting, serving):
            task.cancel()
        await asyncio.gather(waiting, serving, return_exceptions=True)

    asyncio.run(main())
    told = [(record.event, record.client) for record in caplog.records]
    assert ("connected", "a") in told and ("disconnected", "a") in told and told.count(("no_key", "nobody")) == 1
