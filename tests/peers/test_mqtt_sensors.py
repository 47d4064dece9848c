"""Sensors through the gateway and a real Mosquitto: what is retained, kills of the server and the broker, moves."""

import asyncio
import json
import random
import signal

import pytest

from tests.peers import mosquitto
from tests.peers.gateway import GatewayServer
from tests.peers.mosquitto import Mosquitto
from tests.peers.test_mqtt import in_thread
from tests.server.gateways.mqtt.sensor_client import SensorClient, thermometer
from tests.server.peer import until, within

SENSORS = "pb_link/pump/sensor"
PLACE, STATUS = f"{SENSORS}/1_18", f"{SENSORS}/1_18/status"
CONFIG = "homeassistant/sensor/pb__link_2Fpump_2Fsensor_2F1__18_2FMCP9808/temperature/config"
ALL = 'sensors = "all"\nsensors_interval_s = 0'
KILLS = 4
BATCHES = 15  # between two kills
MOST = 8  # samples of one
ALIVE_S = 0.5  # in which the readings before a kill are sent


@pytest.fixture
def folder(tmp_path, missing_tool):
    mosquitto.needed(missing_tool)
    return tmp_path


@pytest.fixture
def broker(folder):
    with Mosquitto(folder / "broker") as broker:
        yield broker


class Returning(SensorClient):
    """Comes back whenever its connection ends."""

    def __init__(self, port, client_id, key):
        super().__init__(port, client_id=client_id, key=key)

    async def live(self):
        while True:
            self._task = asyncio.create_task(self._run())
            await asyncio.wait([self._task])
            await asyncio.sleep(0.02)

    def send(self, number, data):
        self.open(number).append(data, True)
        if self.up and self._writer is not None:
            self._flush()


def sixteenths(seen, topic=PLACE):
    """What was measured, in the order in which the readings came."""
    values = [json.loads(text)["values"]["temperature"] for found, text, _ in seen if found == topic and text]
    return [round(value * 16) for value in values]


async def comes(watcher, condition, what):
    await in_thread(watcher.wait_for, condition, what)


def test_what_is_told_of_a_sensor_is_retained_and_removed_when_it_is_plugged_elsewhere(broker, folder):
    async def main(server, watcher):
        client = server.client(kind=Returning)
        await within(client.connect())
        client.measure(thermometer(336))
        await comes(watcher, lambda seen: sixteenths(seen) == [336], "the reading")
        config = json.loads(broker.retained(CONFIG))
        assert config["state_topic"] == PLACE and config["unit_of_measurement"] == "\N{DEGREE SIGN}C"
        for one in config["availability"]:
            assert broker.retained(one["topic"]) == "online"
        assert json.loads(broker.retained(PLACE))["values"] == {"temperature": 21.0}
        del client.there[0x18]
        client.measure(thermometer(0), address=0x219)
        await comes(watcher, lambda seen: seen[-1][:2] == (STATUS, ""), "the removal")
        assert (STATUS, "gone", None) in watcher.messages
        assert {broker.retained(topic) for topic in (CONFIG, PLACE, STATUS)} == {None}
        assert broker.retained(f"{SENSORS}/1_219/status") == "online"
        client.cut()

    with broker.watch(f"{SENSORS}/#") as watcher, GatewayServer(folder, broker.port, "pump", more=ALL) as server:
        asyncio.run(main(server, watcher))
        assert server.end() == 0
        assert not server.log("mqtt_refused") and not server.log("mqtt_lost")
    assert broker.retained(f"{SENSORS}/status") == "offline"


@pytest.mark.parametrize("victim", ["server", "broker"])
def test_kills_again_and_again_lose_no_reading_and_keep_their_order(broker, folder, report_line, victim):
    rng = random.Random(random.randrange(1 << 32))

    async def main(server, watcher):
        client = server.client(kind=Returning)
        living = asyncio.create_task(client.live())
        sent = []
        for _ in range(KILLS):
            await until(lambda: client.up, "the connection")
            for _ in range(BATCHES):
                batch = range(len(sent), len(sent) + rng.randint(1, MOST))
                client.measure([thermometer(number) for number in batch], after_ms=10)
                sent += batch
                await asyncio.sleep(rng.uniform(0, 2 * ALIVE_S / BATCHES))
            if victim == "server":
                server.kill()
                server.start()
            else:
                await asyncio.sleep(2 * ALIVE_S)  # so that it has saved what it has acknowledged
                broker.stop(signal.SIGKILL)
                broker.start()
        await within(client.accepted())
        await comes(watcher, lambda seen: set(sixteenths(seen)) == set(sent), "all readings")
        living.cancel()
        client.cut()
        came = sixteenths(watcher.messages)
        twice = len(came) - len(sent)
        report_line(f"MQTT, sensors, {KILLS} kills of the {victim}: {twice} of {len(sent)} readings twice")
        assert list(dict.fromkeys(came)) == sent, "the first time of each in order"
        assert twice <= KILLS * (MOST + 1)

    with broker.watch(PLACE, "watcher") as watcher, GatewayServer(folder, broker.port, "pump", more=ALL) as server:
        asyncio.run(main(server, watcher))
        if victim == "server":
            assert server.wait_for_log("mqtt_connected")


def test_last_will_of_a_killed_server_makes_the_sensors_unavailable(broker, folder):
    async def main(server, watcher):
        client = server.client(kind=Returning)
        await within(client.connect())
        client.measure(thermometer(0))
        await comes(watcher, lambda seen: seen[-1:] == [(f"{SENSORS}/status", "online", None)], "online")
        server.kill()
        await comes(watcher, lambda seen: seen[-1:] == [(f"{SENSORS}/status", "offline", None)], "the will")
        client.cut()

    with broker.watch(f"{SENSORS}/status") as watcher, GatewayServer(folder, broker.port, "pump", more=ALL) as server:
        asyncio.run(main(server, watcher))


def test_command_of_an_application_is_answered(broker, folder):
    async def answered(watcher):
        while not watcher.messages:  # the gateway subscribes after it has connected
            await in_thread(broker.publish, f"{SENSORS}/command", '{"cmd": "listdevs"}')
            await asyncio.sleep(1)

    async def main(server, watcher):
        client = server.client(kind=Returning)
        await within(client.connect())
        client.measure(thermometer(0))
        await until(lambda: any(one.get("channel") == "sensors" for one in server.log("mqtt_connected")), "the session")
        await within(answered(watcher))
        _, text, _ = watcher.messages[0]
        assert json.loads(text) == {"cmd": "listdevs", "bus": 1, "devs": [[0x18, "MCP9808", 1]]}
        client.cut()

    more = f"{ALL}\nsensors_commands = true"
    with broker.watch(f"{SENSORS}/result") as watcher, GatewayServer(folder, broker.port, "pump", more=more) as server:
        asyncio.run(main(server, watcher))
