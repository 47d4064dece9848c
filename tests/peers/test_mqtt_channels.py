"""Channels through the gateway and a real Mosquitto: bytes, kills of the server, and a channel that is not read."""

import asyncio
import random
import subprocess

import pytest

from tests.patience import PATIENCE_S
from tests.patience import until as until_now
from tests.peers import mosquitto
from tests.peers.gateway import GatewayServer
from tests.peers.mosquitto import Mosquitto
from tests.peers.test_mqtt import in_thread, until_async
from tests.server.channel_peer import ChannelClient
from tests.server.peer import HOST, until, within

UP, DOWN = "pb_link/pump/ch/20/up", "pb_link/pump/ch/20/down"
ODD = [b"two\nlines\n", b"\xff\xfe\x00", bytes(range(256)), b"\n"]
KILLS = 4
COUNT = 60
ALIVE_S = 0.5  # of a server before it is killed
BIG = "x" * 4000


@pytest.fixture
def folder(tmp_path, missing_tool):
    mosquitto.needed(missing_tool)
    return tmp_path


@pytest.fixture
def broker(folder):
    with Mosquitto(folder / "broker") as broker:
        yield broker


class Returning(ChannelClient):
    """Comes back whenever its connection ends."""

    def __init__(self, port, client_id, key):
        super().__init__(port, (20, 21), client_id=client_id, key=key)

    async def live(self):
        while True:
            self._task = asyncio.create_task(self._run())
            await asyncio.wait([self._task])
            await asyncio.sleep(0.02)

    def send(self, number, data):
        self.open(number).append(data, True)
        if self.up and self._writer is not None:
            self._flush()


async def mapped(broker, *channels):
    """The client has used these channels, and the gateway has subscribed to their topics."""
    topics = [f"pb_link/pump/ch/{channel}/down" for channel in channels]
    await until(lambda: broker.subscribed(*topics), "the subscriptions of the channels")


def test_bytes_pass_unchanged_both_ways(broker, folder):
    async def traffic(server):
        client = server.client(kind=Returning)
        await within(client.connect())
        await mapped(broker, 20)
        for data in ODD:
            await in_thread(broker.publish, DOWN, data)
            client.send(20, data)
        assert await client.messages(20, len(ODD)) == ODD
        await until_async(lambda: server.metric("mqtt_published_total"), len(ODD))
        client.cut()

    command = [
        mosquitto.tool("mosquitto_sub"), "-V", "5", "-h", HOST, "-p", str(broker.port), "-q", "1", "-t", UP, "-F", "%x",
        "-C", str(len(ODD)),
    ]  # fmt: skip
    with GatewayServer(folder, broker.port, "pump") as server:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as seen:
            try:
                until_now(lambda: broker.subscribed(UP), "the subscription of the witness")
                asyncio.run(traffic(server))
                assert [bytes.fromhex(line) for line in seen.communicate(timeout=PATIENCE_S)[0].split()] == ODD
            finally:
                seen.kill()
        assert server.end() == 0


def test_server_that_is_killed_again_and_again_loses_nothing_of_a_channel(broker, folder, report_line):
    rng = random.Random(random.randrange(1 << 32))
    up = [f"up {number}" for number in range(COUNT)]
    down = [f"down {number}" for number in range(COUNT)]

    async def publish():
        for text in down:
            await in_thread(broker.publish, DOWN, text)

    async def main(server, watcher):
        client = server.client(kind=Returning)
        living = asyncio.create_task(client.live())
        await mapped(broker, 20)
        publishing = asyncio.create_task(publish())
        for begin in range(KILLS):
            for text in up[begin::KILLS]:
                client.send(20, text.encode())
                await asyncio.sleep(rng.uniform(0, ALIVE_S / COUNT))
            await asyncio.sleep(rng.uniform(0, ALIVE_S))
            server.kill()
            server.start()
        await publishing
        last = down[-1].encode()
        await until(lambda: last in client.got.get(20, ()), "the last message")
        await client.accepted()
        numbers = {}

        def has_all(seen):
            for _, text, number in seen:
                numbers.setdefault(number, text)
            return len(numbers) == COUNT

        await in_thread(watcher.wait_for, has_all, "all messages")
        living.cancel()
        client.cut()
        sent = [text for begin in range(KILLS) for text in up[begin::KILLS]]
        got = [message.decode() for message in client.got[20]]
        twice = len(watcher.messages) - COUNT, len(got) - COUNT
        report_line("MQTT, channel, %d kills: %d up twice, %d down twice" % (KILLS, *twice))
        assert [numbers[number] for number in sorted(numbers)] == sent
        assert list(dict.fromkeys(text for _, text, _ in watcher.messages)) == sent, "the first time of each in order"
        assert list(dict.fromkeys(got)) == down

    with broker.watch(UP, "watcher") as watcher, GatewayServer(folder, broker.port, "pump") as server:
        asyncio.run(main(server, watcher))


def test_channel_that_is_not_read_keeps_its_messages_at_the_broker_and_stops_nothing_else(broker, folder):
    async def main(server):
        client = server.client(kind=Returning)
        client.mute = {20}
        await within(client.connect())
        await mapped(broker, 20, 21)
        full = [f"{number} {BIG}" for number in range(30)]
        for text in full:
            await in_thread(broker.publish, DOWN, text)
        for number in range(5):
            await in_thread(broker.publish, "pb_link/pump/ch/21/down", f"other {number}")
            await in_thread(broker.publish, "pb_link/pump/down", f"line {number}")
        assert await client.messages(21, 5) == [b"other %d" % number for number in range(5)]
        assert await within(client.expect(5)) == [f"line {number}\n" for number in range(5)]
        assert await server.metric("mqtt_received_total") < 25
        client.read_again()
        assert await client.messages(20, 30) == [text.encode() for text in full]
        client.cut()

    with GatewayServer(folder, broker.port, "pump") as server:
        asyncio.run(main(server))
        assert not server.log("mqtt_lost")
