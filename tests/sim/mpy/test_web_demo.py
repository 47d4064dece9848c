"""`sim demo --web`: the page of its address shows an outage that begins, and one that ends."""

import asyncio
import json
import re
import signal
import socket
import sys
import time
import urllib.request
from types import SimpleNamespace

import pytest

from sim.mpy import web_demo
from tests.patience import PATIENCE_S
from tests.peers.processes import running


def client_of(address):
    with urllib.request.urlopen(f"{address}api/clients/demo", timeout=PATIENCE_S) as answer:
        return json.load(answer)["client"]


def until(address, condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition(found := client_of(address)):
        assert time.monotonic() < deadline, f"{what} did not come: {found}"
        time.sleep(0.02)
    return found


def test_page_shows_outages_that_begin_and_end(tmp_path, micropython64, micropython_chip):
    command = [sys.executable, "-m", "sim", "demo", "--web", "--boot-ms", "1000", "--assoc-ms", "500"]
    with running(command, tmp_path, MICROPYTHON=micropython64, MICROPYTHON_CHIP=micropython_chip) as demo:
        address = re.search(r"http://127\.0\.0\.1:\d+/", demo.wait_for("the web page: http://"))[0]
        until(address, lambda one: one["connected"] and one["lines_acknowledged"], "the first line")
        demo.wait_for("fault * wifi-outage")
        until(address, lambda one: not one["connected"], "an outage")
        back = until(address, lambda one: one["connected"], "its end")
        assert back["outages"] >= 1
        until(address, lambda one: one["lines_received"] > back["lines_received"], "a line after it")
        demo.process.send_signal(signal.SIGHUP)
        assert demo.process.wait(PATIENCE_S) == 128 + signal.SIGHUP
        demo.wait_for("what was delivered")
        with pytest.raises(OSError):
            client_of(address)  # the server has ended with it
    assert not list(tmp_path.iterdir())  # it lives in a folder of its own


def test_what_is_missing_for_the_page_is_told(monkeypatch, capsys):
    monkeypatch.setattr(web_demo, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=re.escape("pip install '.[web]'")):
        web_demo.require_web()


def test_page_that_does_not_come_is_told(monkeypatch):
    monkeypatch.setattr(web_demo, "START_S", 0)
    notes = []
    view = SimpleNamespace(note=notes.append)

    async def tell():
        await web_demo._tell(SimpleNamespace(listens=asyncio.Event()), "127.0.0.1:1", view)

    asyncio.run(tell())
    assert notes == ["the web page did not come within 0 s: --verbose shows what its server says"]


def test_address_in_use_ends_it_with_a_reason(tmp_path, micropython64, micropython_chip):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "sim", "demo", "--web", "--port", str(taken.getsockname()[1])]
        with running(command, tmp_path, MICROPYTHON=micropython64, MICROPYTHON_CHIP=micropython_chip) as demo:
            assert demo.process.wait(PATIENCE_S) == 2
            demo.wait_for("the server's program ended with status 1")
            demo.wait_for("is in use")
