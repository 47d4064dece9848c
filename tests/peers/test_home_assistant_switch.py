"""examples/switch.py as a switch of Home Assistant: on virtual boards in real MicroPython, with a real broker."""

import json

import pytest

from tests.peers import mosquitto
from tests.peers.gateway import GatewayServer
from tests.peers.mosquitto import Mosquitto
from tests.peers.processes import ROOT, running, up, write_settings

UP, DOWN, STATE = "pb_link/heater/up", "pb_link/heater/down", "pb_link/heater/state/heater"


@pytest.fixture
def broker(tmp_path, missing_tool):
    mosquitto.needed(missing_tool)
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


def test_switch_appears_is_switched_and_tells_its_state(broker, tmp_path, micropython64, micropython_bridge):
    boards = {"MICROPYTHON": micropython64, "MICROPYTHON_BRIDGE": micropython_bridge}
    with broker.watch("#") as watcher, GatewayServer(tmp_path, broker.port, "heater") as server:
        client = tmp_path / "client"
        client.mkdir()
        settings = write_settings(client)
        settings.update(port=server.port, id="heater", key=server.keys["heater"].hex(), timeout_ms=10000)
        (client / "pb_settings.json").write_text(json.dumps(settings))
        with running(up(ROOT / "examples" / "switch.py"), client, **boards):
            watcher.wait_for(lambda seen: any(one[:2] == (STATE, "OFF") for one in seen), "the first state")
            config = next(json.loads(text) for topic, text, _ in watcher.messages if topic.endswith("/heater/config"))
            broker.publish(config["command_topic"], '{"on": true}')
            watcher.wait_for(lambda seen: any(one[:2] == (STATE, "ON") for one in seen), "the state")
    assert config["state_topic"] == STATE and config["command_topic"] == DOWN and config["name"] == "Heater"
    assert [text for topic, text, _ in watcher.messages if topic == UP] == ['{"on": false}', '{"on": true}']
