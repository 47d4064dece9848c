"""A new gateway is a folder: settings, secrets, `pb-link check`, the server and its metrics know it by that alone."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

import server
from server.core.rate_limited_log import LOGGED
from server.gateways.interface import Description, Gateway, descriptions, gateway_class
from server.gateways.setting import SettingsError
from server.service import settings
from server.service.key_file import KeyFile
from server.service.log import Log
from server.service.metrics import Metrics
from server.service.secret_settings import Secrets
from server.service.service import Service
from tests.server.gateways.host import make_host
from tests.server.peer import Client, free_port, open_stream, until, within
from tests.server.service.test_cli import words

pytestmark = pytest.mark.usefixtures("more_gateways")
VARIABLE = "PB_LINK_RECORDER_PASSWORD"
RECORDER = '[recorder]\nfile = "record.txt"\nclients = ["pump"]\n'


def read(text):
    Path("x.toml").write_text(text)
    return settings.read("x.toml")


def test_every_package_is_a_gateway():
    assert list(descriptions()) == ["at_top", "i2c", "lacking", "micropython_iot", "mqtt", "recorder", "web"]


def test_module_of_a_gateway_is_imported_when_it_runs_only():
    read(RECORDER)
    assert "server.gateways.recorder.settings" in sys.modules
    assert "server.gateways.recorder.gateway" not in sys.modules
    assert issubclass(gateway_class("recorder"), Gateway)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[recoder]\nx = 1", r"line 1: there is no setting 'recoder'; .* sections \[i2c\], \[lacking\], \[mqtt\], .*"),
        ("[micropython_iot]\nx = 1", "line 1: there is no setting 'micropython_iot'"),
        ("[recorder]\nfile = 1", "line 2: file = 1 must be the path of a file"),
        ("[recorder]\npassword = 'x'", f"line 2: no password belongs here: use password_file, or .* {VARIABLE}"),
        ("[recorder]\nfile = 'x'\npassword_file = 'x'", "line 1: file and password_file are the same"),
        ("own_number = 10", "line 1: own_number = 10 must be 1 to 9"),
        ("own_number = 2", "own_number is of use with own_clients only"),
        ('own_clients = ["pump"]\n' + RECORDER, "at the top and the recorder would both read the lines of pump"),
        (RECORDER + "[mqtt]", "the MQTT gateway and the recorder would both read the lines of pump: give each its own"),
    ],
)  # fmt: skip
def test_fault_in_a_section_is_told_with_its_place(text, error):
    with pytest.raises(SettingsError, match=f"^x.toml.*{error}"):
        read(text)


def test_gateway_without_a_section_runs_if_one_of_its_settings_is_given():
    assert read("").gateways == {} and read("own_number = 1\nallow_legacy = []").gateways == {}
    found = read('own_clients = ["a"]')
    assert vars(found.gateways["at_top"]) == {"own_number": 1, "own_clients": ["a"]}
    assert not hasattr(found, "own_number")
    found = settings.read(None, {"allow_legacy": ["old"]})
    assert found.keyless == {"old"} and list(found.gateways) == ["micropython_iot"]


def test_two_gateways_may_read_different_clients():
    assert list(read(RECORDER + "[mqtt]\nclients = ['door']").gateways) == ["mqtt", "recorder"]


def test_extra_that_is_missing_is_named():
    assert list(read("[lacking]").gateways) == ["lacking"]
    error = r"^\[lacking\] needs the extra more .*a_module_that_nobody_has.*'\.\[more\]'"
    with pytest.raises(SettingsError, match=error):
        gateway_class("lacking")


def test_module_that_is_missing_where_no_extra_has_it_is_no_fault_of_the_user(monkeypatch):
    monkeypatch.setitem(sys.modules, "server.gateways.recorder.gateway", None)
    with pytest.raises(ImportError):
        gateway_class("recorder")


@pytest.mark.parametrize(
    ("text", "password", "fault"),
    [
        (RECORDER, "horse", None),
        (RECORDER, "cow", "the password is wrong"),
        ("[recorder]", "horse", "there is no file"),
        (RECORDER.replace("pump", "door"), "horse", "clients of [recorder] has door, which has no key: pb-link keys"),
        ("[lacking]", "horse", "[lacking] needs the extra more of pb-link"),
    ],
)  # fmt: skip
def test_check_asks_each_gateway(text, password, fault, capsys, monkeypatch):
    KeyFile("keys.json").add("pump")
    monkeypatch.setenv(VARIABLE, password)
    Path("x.toml").write_text(f"port = {free_port()}\n{text}")
    status, out, _ = words("check --config x.toml --json", capsys)
    name, found = list(json.loads(out).items())[-1]
    assert f"[{name}]" in text and VARIABLE not in os.environ
    assert (found is None) == (fault is None) and (fault or "") in (found or "") and status == (fault is not None)


def test_secrets_of_gateways_are_taken_out_of_the_environment_also_without_a_section():
    environment = {VARIABLE: "horse", "PB_LINK_MQTT_PASSWORD": "cow", "OTHER": "x"}
    Secrets(environment)
    assert environment == {"OTHER": "x"}


class Told(Log):
    def __init__(self):
        self.lines = []
        self.followers = []

    def __call__(self, event, client=None, **details):
        self.lines.append((event, client))


async def served(play, text, log):
    """Have a Service run from these settings while play(service, port) goes on. Returns the exit status."""
    port = free_port()
    server._server = server.Server()
    settings = read(f'host = "127.0.0.1"\nport = {port}\n{text}')
    service = Service(settings, Secrets({VARIABLE: "horse"}), server._server, log)
    running = asyncio.create_task(service.run())
    try:
        await play(service, port)
    finally:
        service._stop.set()
        status = await within(running)
    return status


def test_server_runs_a_gateway_that_it_has_never_heard_of():
    key = bytes.fromhex(KeyFile("keys.json").add("pump"))

    async def play(service, port):
        client = Client(port, "pump", key)
        await (await open_stream(port))[1].drain()
        await within(client.connect())
        for number in range(3 * LOGGED):
            await client.write(str(number))
        await until(lambda: record().count("line ") == 3 * LOGGED, "the lines in the file")
        metrics = Metrics("x:1", None, status=service.status, registry=service.registry, store=service.store,
                          backoff=_NoBackoff, more=service._gateways.metrics)  # fmt: skip
        assert f"pb_link_recorder_lines_total {3 * LOGGED}" in metrics.text()
        KeyFile("keys.json").add("door")
        await until(lambda: "served ['door', 'pump']" in record(), "the change of who is served")
        client.cut()

    def record():
        return Path("record.txt").read_text()

    log = Told()
    assert asyncio.run(served(play, RECORDER, log)) == 0
    lines = record().splitlines()
    assert lines[0] == "password horse" and "event connected pump" in lines
    assert [line for line in lines if line.startswith("line")] == [f"line {number}" for number in range(3 * LOGGED)]
    assert log.lines.count(("recorded", "pump")) == LOGGED  # of each kind, in ten seconds


class _NoBackoff:
    kept_out = 0


APPLICATION = """
from server import client_conn

class Application:
    async def run(self):
        await (await client_conn("pump")).readline()
"""


def test_application_may_not_read_the_lines_of_a_gateway():
    key = bytes.fromhex(KeyFile("keys.json").add("pump"))
    Path("reading_application.py").write_text(APPLICATION)
    log = Told()

    async def play(service, port):
        await (await open_stream(port))[1].drain()
        client = Client(port, "pump", key)
        await within(client.connect())
        await until(lambda: ("failed", None) in log.lines, "the end")
        client.cut()

    assert asyncio.run(served(play, 'app = "reading_application:Application"\n' + RECORDER, log)) == 1


def test_gateway_that_replaces_nothing_does_nothing():
    async def main():
        gateway = Gateway(None, make_host())
        assert await Gateway.validate(None, {}) is None and gateway.metrics() == []
        gateway.served_changed()
        running = asyncio.create_task(gateway.run())
        await asyncio.sleep(0)
        assert not running.done()
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(main())


def test_description_needs_a_title_and_settings_alone():
    description = Description("the gateway", {})
    assert description.secrets == {} and description.contradiction(None) is None and description.reads is None
    assert description.lacking(None, {}) is None
