"""The web page's API with real boards: sensors, the prompt and the second bus of clients in real MicroPython."""

import contextlib
import json
import shutil
import sys
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import pytest

from build.install import sensor_types
from server.gateways.web.users import UserFile
from server.service.key_file import KeyFile
from tests.patience import until
from tests.peers.processes import ROOT, running, up, write_settings
from tests.server.gateways.web.bed import CHEAP
from tests.server.peer import free_port

SETTINGS = """
port = {port}
[web]
listen = "127.0.0.1:{web}"
users = "users.json"
i2c = ["mast"]
[i2c.buses.mast]
bus = "client:demo:0"
addresses = "0x18, 0x48-0x49"
"""
TMP117 = {"type": "TMP117", "address": "0x48", "values": {"temperature": 21.5}}


class API:
    """Asks as an administrator's script does."""

    def __init__(self, port, token):
        self._base = f"http://127.0.0.1:{port}/api/"
        self._token = token

    def ask(self, path, body=None):
        """Returns the answer, also one that is no success."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            with urllib.request.urlopen(urllib.request.Request(self._base + path, data, headers)) as answer:
                return json.loads(answer.read())
        except HTTPError as error:
            return json.loads(error.read())

    def followed(self, view):
        """Yields the data of a stream's events, as long as the caller wants."""
        headers = {"Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(f"{self._base}events?{view}", headers=headers)
        with urllib.request.urlopen(request) as stream:
            for line in stream:
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))


@pytest.fixture
def start(tmp_path, monkeypatch, micropython64, micropython_bridge):
    """Gives a function (program, options of `sim up`) that runs a server and a client with this program. It returns the
    API and the server's Program."""
    monkeypatch.chdir(tmp_path)
    settings = write_settings(tmp_path)
    KeyFile("keys.json").add("demo", settings["key"], repl=True)
    token = UserFile(tmp_path / "users.json", CHEAP).add_token("script", "administer")
    web = free_port()
    Path("pb_link.toml").write_text(SETTINGS.format(port=settings["port"], web=web))
    interpreters = {"MICROPYTHON": micropython64, "MICROPYTHON_BRIDGE": micropython_bridge}
    with contextlib.ExitStack() as stack:

        def run(program, *options):
            command = [sys.executable, "-m", "server", "serve", "--config", "pb_link.toml"]
            server = stack.enter_context(running(command, tmp_path))
            server.wait_for("web_listening")
            shutil.copyfile(ROOT / "examples" / program, program)
            stack.enter_context(running(up(program, *options), tmp_path, **interpreters))
            server.wait_for("connected client=demo")
            return API(web, token), server

        yield run


def sensors_planned():
    Path("sensors.json").write_text(json.dumps([TMP117]))
    return "--sensors", "sensors.json"


def test_values_of_a_sensor_are_live_and_a_raw_command_reads_it(start):
    Path("sensor_types.py").write_text(sensor_types.source(("TMP117",), [sensor_types.OWN]))
    api, server = start("sensor_client.py", *sensors_planned())
    values = []
    for data in api.followed("view=sensors&id=demo"):
        values = [value for row in data.get("sensors", ()) for value in row["values"]]
        if values:
            break
    assert (values[0]["name"], values[0]["unit"], values[0]["valid"]) == ("temperature", "\u00b0C", True)
    assert abs(values[0]["value"] - 21.5) < 0.1
    devices = api.ask("devman/listdevs?client=demo")["devices"]
    assert [(one["deviceid"], one["type"]) for one in devices] == [("1_48", "TMP117")]
    # Register 0x0f, the device's number. Source: TI, TMP117 (SNOSD82D), 8.6.12.
    answer = api.ask("devman/cmdraw?client=demo", {"deviceid": "1_48", "hexWr": "0f", "numToRd": 2})
    assert answer == {"req": "cmdraw", "rdData": "0117", "rslt": "ok"}
    server.wait_for("web_devman")


def prompts(found):
    """True if the prompt has been shown. The tasks of the program go on there, and may print behind it at once."""
    return any(text.startswith(">>> ") for text in (found["begun"], *(line["text"] for line in found["lines"])))


def test_what_is_typed_is_carried_out_at_the_prompt_of_the_board(start):
    api, server = start("console_client.py")
    until(lambda: any("measurement" in line["text"] for line in api.ask("console/demo")["lines"]), "what it prints")
    assert api.ask("console/demo", {"input": "\x03"}) == {"sent": True}
    until(lambda: prompts(api.ask("console/demo")), "the prompt")
    assert api.ask("console/demo", {"input": "app.status(), 6 * 7\r"}) == {"sent": True}
    until(lambda: any(line["text"] == "(True, 42)" for line in api.ask("console/demo")["lines"]), "the answer")
    server.wait_for("web_typed")


def test_second_bus_of_a_board_is_scanned_and_read(start):
    api, server = start("i2c_client.py", *sensors_planned())
    [bus] = api.ask("i2c")["buses"]
    assert (bus["name"], bus["client"], bus["addresses"]) == ("mast", "demo", [0x18, 0x48, 0x49])
    until(lambda: api.ask("i2c/mast/scan", {}).get("found") == [0x48], "the sensor")
    assert api.ask("i2c/mast/scan", {})["refused"] == [0x49]  # by the client's own list
    assert api.ask("i2c/mast/transfer", {"address": 0x48, "write": "0f", "read": 2}) == {"read": "0117"}
    for address, errno in ((0x18, "ENXIO: "), (0x49, "EACCES: "), (0x50, "EACCES: ")):
        assert api.ask("i2c/mast/transfer", {"address": address, "read": 1})["error"].startswith(errno), address
    server.wait_for("web_bus_used")
