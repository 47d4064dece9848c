"""The examples of client programs in real MicroPython, on simulated boards: they use nothing that it lacks."""

import json
import struct
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(autouse=True)
def boards(monkeypatch, micropython64, micropython_bridge):
    monkeypatch.setenv("MICROPYTHON", micropython64)
    monkeypatch.setenv("MICROPYTHON_BRIDGE", micropython_bridge)


def test_thermometer_sends_what_its_sensor_measures(real_link):
    plan = [{"type": "TMP117", "values": {"temperature": -3.5}}]
    link = real_link(EXAMPLES / "thermometer.py", sensors=plan)
    assert link.on_server(link.connection().readline()) == "-3.50\n"


def test_switch_obeys_and_tells_its_state(real_link):
    link = real_link(EXAMPLES / "switch.py")
    connection = link.connection()
    assert json.loads(link.on_server(connection.readline()))["announce"] == "switch"
    assert json.loads(link.on_server(connection.readline())) == {"on": False}
    link.on_server(connection.write("on"))
    link.on_server(connection.write('{"on": true}'))
    assert json.loads(link.on_server(connection.readline())) == {"on": True}
    assert link.wait_for("this is no command") == "this is no command: on"


@pytest.mark.parametrize("deep", [False, True])
def test_battery_client_sleeps_sends_and_gets_what_waits(real_link, tmp_path, deep):
    text = (EXAMPLES / "battery.py").read_text().replace("SLEEP_MS = 600_000", "SLEEP_MS = 4_000")
    client = tmp_path / "battery.py"
    client.write_text(text.replace("SLEEP = machine.lightsleep ", "SLEEP = machine.deepsleep ") if deep else text)
    link = real_link(client)
    connection = link.connection()
    for number in range(3):
        assert link.on_server(connection.readline()) == "0\n"
        link.on_server(connection.write(f"line {number}", wait=False))
    assert link.wait_for("told: line 2")
    assert [line for line in link.lines() if line.startswith("told")] == [f"told: line {number}" for number in range(3)]
    assert ("starts again" in link.story()) is deep


def test_readings_are_sent_on_their_channel(real_link, tmp_path):
    client = tmp_path / "readings.py"
    client.write_text((EXAMPLES / "readings.py").read_text().replace("INTERVAL_MS = 60_000", "INTERVAL_MS = 1_000"))
    link = real_link(client)
    channel = link.connection().channel(20)
    times = [struct.unpack(">II", link.on_server(channel.receive()).data)[0] for _ in range(3)]
    assert times == [0, 1, 2]
