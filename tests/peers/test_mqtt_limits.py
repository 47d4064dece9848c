"""The gateway and a real Mosquitto that is restricted, forgets, or has a second gateway with the same prefix."""

import asyncio
import json

import pytest

from tests.peers import mosquitto
from tests.peers.gateway import GatewayServer, living
from tests.peers.mosquitto import Mosquitto
from tests.server.peer import within

SENSOR = '{"announce": "sensor", "id": "t1", "value": "t", "unit_of_measurement": "K"}'
CONFIG = "homeassistant/sensor/pb__link_2Fpump/t1/config"


@pytest.fixture
def folder(tmp_path, missing_tool):
    mosquitto.needed(missing_tool)
    return tmp_path


@pytest.mark.parametrize("limit", ["max_packet_size 1000", "message_size_limit 1000"])
def test_line_that_is_too_long_for_mosquitto_comes_in_parts_and_blocks_nothing(folder, limit):
    long = "".join(f"{number:05}" for number in range(1000))

    async def write(server, watcher):
        async with living(server) as client:
            for line in ("short 1", long, "short 2", long[:2000], "short 3"):
                await client.write(line)
            await within(client.acknowledged())
            await asyncio.to_thread(
                watcher.wait_for, lambda seen: seen[-1:] == [("pb_link/pump/up", "short 3", 4)], "lines"
            )

    with Mosquitto(folder / "broker", f"allow_anonymous true\n{limit}") as broker:
        with GatewayServer(folder, broker.port, "pump") as server, broker.watch("pb_link/pump/#") as watcher:
            watcher.wait_for(lambda seen: seen, "the status")
            asyncio.run(write(server, watcher))
            told = server.log("mqtt_parts")
            assert [(one["number"], one["bytes"]) for one in told] == [(1, 5000), (3, 2000)]
            assert server.end() == 0
        assert watcher.texts("pb_link/pump/up") == ["short 1", "short 2", "short 3"]
        assert "".join(watcher.texts("pb_link/pump/parts")) == long + long[:2000]


def test_mosquitto_that_keeps_no_retained_messages_is_told_once(folder):
    with Mosquitto(folder / "broker", "allow_anonymous true\nretain_available false") as broker:
        server = GatewayServer(folder, broker.port, "pump", "valve")
        checked = server.run("check")
        assert checked.returncode == 1 and "a broker that keeps retained messages" in checked.stdout
        with server:
            server.wait_for_log("mqtt_lost", 4)
            told = server.log("mqtt_advice")
            assert len(told) == 1 and "retain_available true" in told[0]["advice"]


def test_second_gateway_with_the_prefix_is_told_once_at_both(folder):
    for name in ("1", "2"):
        (folder / name).mkdir()
    with Mosquitto(folder / "broker") as broker, GatewayServer(folder / "1", broker.port, "pump", "valve") as first:
        first.wait_for_log("mqtt_connected", 2)
        with GatewayServer(folder / "2", broker.port, "pump", "valve") as second:
            second.wait_for_log("mqtt_connected", 2)
            first.wait_for_log("mqtt_lost", 2)
            for server in (first, second):
                assert "prefix of its own" in server.wait_for_log("mqtt_advice")["advice"]
            first.wait_for_log("mqtt_lost", 4)
            assert all(one["again_s"] >= 30 for one in first.log("mqtt_lost")[2:])  # the two do not fight
            assert len(first.log("mqtt_advice")) == len(second.log("mqtt_advice")) == 1


def test_gateway_that_comes_again_is_no_other_one(folder):
    with Mosquitto(folder / "broker") as broker:
        server = GatewayServer(folder, broker.port, "pump")
        with server:
            server.wait_for_log("mqtt_connected")
            for times in (2, 3):
                broker.stop()
                broker.start()
                server.wait_for_log("mqtt_connected", times)
            server.kill()
        with server:
            server.wait_for_log("mqtt_connected", 4)
            broker.stop()
            broker.start()
            server.wait_for_log("mqtt_connected", 5)
            assert not server.log("mqtt_advice")


def test_mosquitto_that_forgot_everything_gets_announcements_and_values_again(folder):
    async def write(server):
        async with living(server) as client:
            for line in (SENSOR, '{"t": 300.5}'):
                await client.write(line)
            await within(client.acknowledged())

    def retained(broker):
        return [broker.retained(topic) for topic in (CONFIG, "pb_link/pump/state/t1")]

    def forget(broker):
        broker.stop()
        (folder / "broker" / "mosquitto.db").unlink()
        broker.start()

    with Mosquitto(folder / "broker") as broker:
        server = GatewayServer(folder, broker.port, "pump")
        with server:
            with broker.watch("pb_link/pump/state/t1") as watcher:
                asyncio.run(write(server))
                watcher.wait_for(lambda seen: seen, "the value")
            forget(broker)
            server.wait_for_log("mqtt_connected", 2)
            with broker.watch("pb_link/pump/state/t1") as watcher:
                watcher.wait_for(lambda seen: seen, "the value")
            config, value = retained(broker)
            assert json.loads(config)["state_topic"] == "pb_link/pump/state/t1" and value == "300.5"
            assert server.end() == 0
        forget(broker)
        (folder / "log.txt").unlink()
        with server, broker.watch(CONFIG) as watcher:
            watcher.wait_for(lambda seen: seen, "the announcement, which the store has kept")
            assert retained(broker) == [config, None]  # the value comes with the client's next line
