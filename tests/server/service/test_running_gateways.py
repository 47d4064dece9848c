"""What the server does for its gateways; tests/server/gateways/test_interface.py runs one."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from server.core.readers import Readers
from server.gateways.setting import SettingsError
from server.service import settings
from server.service.running_gateways import RunningGateways
from server.service.secret_settings import Secrets
from tests.remote_i2c.test_client import FakeConnection

pytestmark = pytest.mark.usefixtures("more_gateways")
RECORDER = '[recorder]\nclients = ["pump"]\n'


def read(text):
    Path("x.toml").write_text(text)
    return settings.read("x.toml")


def test_files_that_a_gateway_needs_are_counted():
    assert RunningGateways(read(RECORDER), None).files_per_client == 3
    assert RunningGateways(read(RECORDER + "[mqtt]\nclients = ['door']"), None).files_per_client == 4


def test_connections_are_for_one_gateway_only():
    """Nobody could tell which of two it is for."""

    class Listener:
        admit_other = None

    running = RunningGateways(read("allow_legacy = ['old']"), None)
    listener = Listener()
    running._give_connections(listener, "micropython_iot", print)
    with pytest.raises(SettingsError, match="^the adapter for micropython-iot and the recorder would both take conn"):
        running._give_connections(listener, "recorder", print)
    assert listener.admit_other is print


def running(text):
    """Returns RunningGateways that are made, of a server that knows the client pump."""
    made = RunningGateways(read(text), Secrets({}))
    registry = SimpleNamespace(readers=Readers(), line_followers=[], get=lambda client_id: FakeConnection())
    made.make(
        registry, None, None, keys={}, served=lambda: {"pump"}, rate_limited=lambda: lambda event, **details: None,
        subscribe=None, more_files=None,
    )  # fmt: skip
    return made


def test_gateway_without_a_section_can_be_asked_if_it_says_so():
    made = running("")

    async def ask():
        requests = [{"bus": bus, "what": "bus"} for bus in ("client:pump:0", "client:valve:0", "1")]
        return [await made.ask("i2c", request) for request in requests]

    pump, valve, other = asyncio.run(ask())
    assert pump["max_bytes"] == 256
    assert "knows no client 'valve'" in valve["failed"]["text"]
    assert "no section [i2c]" in other["failed"]["text"]
    assert made.runs() == [] and made.metrics() == []


@pytest.mark.parametrize("name", ["mqtt", "recorder", "nobody"])
def test_other_gateways_without_a_section_cannot_be_asked(name):
    with pytest.raises(ValueError, match=rf"no section \[{name}\]"):
        asyncio.run(running("").ask(name, {}))
