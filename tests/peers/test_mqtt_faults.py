"""A gateway whose broker or server is killed, or is not there: nothing is lost. kill_mqtt.py does it for longer."""

import asyncio
import random
import signal

import pytest

from tests.patience import until
from tests.peers import kill_mqtt, mosquitto
from tests.peers.gateway import GatewayServer, living
from tests.peers.mosquitto import Mosquitto
from tests.server.peer import within
from tests.sessions import idle

TIMES = 3


@pytest.fixture
def folder(tmp_path, missing_tool):
    mosquitto.needed(missing_tool)
    return tmp_path


@pytest.mark.parametrize("what", kill_mqtt.ACTIONS)
def test_nothing_is_lost_whatever_is_killed(folder, what, report_line):
    seed = random.randrange(1 << 32)
    result = kill_mqtt.run([what] * TIMES, seed)
    text = ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in result.items())
    report_line(f"MQTT, {what} x {TIMES}, seed {seed}: {text}")
    assert result["lost"] == result["reordered"] == result["renumbered"] == 0, result
    assert what == "broker-kill" or result["forgotten_by_broker"] == 0, result
    assert result["up"] > 30 and result["down"] > 9, result


def test_lines_wait_for_a_broker_that_is_not_there(folder):
    async def main(server, broker):
        client = server.client()
        await within(client.connect())
        for number in range(50):
            await client.write(str(number))
        await within(client.acknowledged())
        await asyncio.to_thread(server.wait_for_log, "mqtt_lost")
        client.cut()
        with broker:
            with broker.watch("pb_link/#", "watcher") as watcher:
                lines = [str(number) for number in range(50)]
                await asyncio.to_thread(
                    watcher.wait_for, lambda _: watcher.texts("pb_link/pump/up")[-50:] == lines, "the lines"
                )  # fmt: skip

    broker = Mosquitto(folder / "broker")
    with broker:  # which then knows of the watcher
        broker.publish("pb_link/there", "x", "-r")
        with broker.watch("pb_link/#", "watcher") as watcher:
            watcher.wait_for(lambda seen: seen, "the retained message")
        broker.stop()
    with GatewayServer(folder, broker.port, "pump") as server:
        asyncio.run(main(server, broker))


def test_client_is_paused_while_the_broker_is_away_and_nothing_is_lost(folder):
    lines = [f"{number:0100}" for number in range(300)]

    async def main(server, broker, watcher):
        async with living(server) as client:
            writing = asyncio.create_task(write(client))
            await asyncio.to_thread(watcher.wait_for, lambda seen: len(seen) > 3, "the first lines")
            await asyncio.to_thread(broker.stop, signal.SIGTERM)
            for _ in range(300):  # until nothing moves any more
                before = client.session.acknowledged
                await asyncio.sleep(0.2)
                if client.session.acknowledged == before:
                    break
            assert not writing.done() and not idle(client.session)
            await asyncio.to_thread(broker.start)
            await within(writing)
            await asyncio.to_thread(
                watcher.wait_for, lambda _: list(dict.fromkeys(watcher.texts())) == lines, "the lines"
            )  # fmt: skip

    async def write(client):
        for line in lines:
            await client.write(line)
            await asyncio.sleep(0.005)

    with Mosquitto(folder / "broker") as broker, broker.watch("pb_link/+/up", "watcher") as watcher:
        with GatewayServer(folder, broker.port, "pump", top="inbox_bytes = 2000") as server:
            asyncio.run(main(server, broker, watcher))


def test_messages_wait_at_the_broker_for_a_server_that_is_away(folder):
    async def main(server):
        client = server.client()
        await within(client.connect())
        assert await within(client.expect(20)) == [f"{number}\n" for number in range(20)]
        client.cut()

    with Mosquitto(folder / "broker") as broker:
        server = GatewayServer(folder, broker.port, "pump")
        with server:
            until(lambda: broker.subscribed("pb_link/pump/down"), "the subscription")
            assert server.end() == 0
        for number in range(10):
            broker.publish("pb_link/pump/down", str(number))
        broker.stop()
        broker.start()
        for number in range(10, 20):
            broker.publish("pb_link/pump/down", str(number))
        (folder / "log.txt").unlink()
        with server:
            asyncio.run(main(server))
