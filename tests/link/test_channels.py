"""Messages on channels over the whole path, whatever fails between."""

import asyncio
import random

import pytest

import esp_link.bridge
from protocol.channel_errors import Expired
from protocol.link_errors import LinkDown
from tests.link.harness import System
from tests.link.test_link import QUICK
from tests.server.all_stores import TemporaryStore
from tests.server.peer import until, within

SEEDS = range(3)


@pytest.fixture(autouse=True)
def quick_recovery(monkeypatch):
    for name, ms in QUICK.items():
        monkeypatch.setattr(esp_link.bridge, name, ms)


def messages(seed, count):
    rng = random.Random(seed)
    return [b"%d." % i + rng.randbytes(rng.choice((0, 1, 20, 300, 2500))) for i in range(count)]


async def send_all(channel, data, waits):
    for i, one in enumerate(data):
        await channel.send(one, wait=i % waits == 0)


async def receive_all(channel, count):
    return [(await channel.receive()).data for _ in range(count)]


async def traffic(system, count=60, disturb=None):
    """Messages on two channels and lines go both ways at once; disturb: coroutine function, repeated meanwhile."""
    conn, app = await system.connected(), system.app
    jobs, wanted = [], []
    for number in (20, 21):
        ends = app.channel(number), conn.channel(number)
        for way, (sender, receiver) in enumerate((ends, ends[::-1])):
            data = messages(2 * number + way, count)
            jobs.append(send_all(sender, data, 10))
            jobs.append(receive_all(receiver, count))
            wanted += [None, data]
    lines = [f"{i}\n" for i in range(count)]
    for end in (app, conn):
        jobs.append(_write(end, lines))
        jobs.append(_read(end, count))
        wanted += [None, lines]
    disturbing = asyncio.create_task(_repeat(disturb)) if disturb else None
    try:
        assert await within(asyncio.gather(*jobs), 60) == wanted
    finally:
        if disturbing:
            disturbing.cancel()


async def _write(end, lines):
    for i, line in enumerate(lines):
        await end.write(line, wait=i % 10 == 0)


async def _read(end, count):
    return [await end.readline() for _ in range(count)]


async def _repeat(disturb):
    while True:
        await asyncio.sleep(0.15)
        disturb()


def test_messages_and_lines_go_both_ways_at_once():
    async def main():
        async with System() as system:
            await traffic(system)
            assert system.chip.boots == 1

    asyncio.run(main())


@pytest.mark.parametrize("seed", SEEDS)
def test_crashes_of_the_bridge_and_cuts_of_the_network_lose_and_repeat_nothing(seed):
    async def main():
        rng = random.Random(seed)
        async with System() as system:

            def disturb():
                if rng.random() < 0.5:
                    system.chip.restart()
                elif system.chip.socket and system.chip.on:
                    try:
                        system.chip.socket.cut()
                    except OSError:
                        pass

            await traffic(system, disturb=disturb)

    asyncio.run(main())


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_on_the_bus_loses_and_repeats_nothing(seed):
    async def main():
        async with System() as system:
            system.bus.noise, system.bus.rate = random.Random(seed), 0.05
            await traffic(system, 30)
            assert system.bus.spoilt

    asyncio.run(main())


def test_channel_that_nobody_reads_stops_only_its_own_writers():
    async def main():
        async with System() as system:
            conn, app = await system.connected(), system.app
            app.channel(20), app.channel(21)
            for sender in (app.channel(20), conn.channel(20)):
                stuck = [asyncio.create_task(sender.send(bytes(2000), wait=False)) for _ in range(40)]
                await asyncio.sleep(0.1)
                assert not stuck[-1].done()
                await within(app.channel(21).send(b"up"))
                await within(app.write("up"))
                await within(conn.channel(21).send(b"down", wait=False))
                await within(conn.write("down", wait=False))
                assert (await within(app.channel(21).receive())).data == b"down"
                assert await within(app.readline()) == "down\n"
                for task in stuck:
                    task.cancel()

    asyncio.run(main())


def test_late_messages_are_told_to_their_senders_at_both_ends():
    async def main():
        async with System() as system:
            conn, app = await system.connected(), system.app
            up, down = app.channel(20), conn.channel(20)
            system.chip.broken = True
            system.chip.kill()
            for sender in (up, down):
                with pytest.raises(Expired):
                    await within(sender.send(b"late", ttl_ms=100))
            await within(up.send(b"kept", wait=False))
            system.chip.broken = False
            system.chip.boot()
            assert (await within(down.receive())).data == b"kept"
            sending = asyncio.create_task(down.send(b"in time", ttl_ms=20000))
            assert (await within(up.receive())).data == b"in time"
            await within(sending)

    asyncio.run(main())


def test_channel_of_a_closed_link_is_down_and_bad_arguments_are_refused():
    async def main():
        async with System() as system:
            await system.connected()
            channel = system.app.channel(20)
            assert channel is system.app.channel(20)
            for bad, kind in ((5, TypeError), (None, TypeError), (bytes(9000), ValueError), ("\ud800", ValueError)):
                with pytest.raises(kind):
                    await channel.send(bad)
            for ttl, kind in ((0, ValueError), (1 << 30, ValueError), ("1", TypeError)):
                with pytest.raises(kind):
                    await channel.send(b"", ttl_ms=ttl)
            with pytest.raises(ValueError):
                system.app.channel(0)
            with pytest.raises(asyncio.TimeoutError):
                await channel.receive(20)
            waiting = asyncio.create_task(channel.receive())
            await asyncio.sleep(0)
            system.app.close()
            with pytest.raises(LinkDown):
                await within(waiting)
            with pytest.raises(LinkDown):
                await channel.send(b"")

    asyncio.run(main())


def test_messages_wait_for_a_channel_that_the_client_opens_later():
    async def main():
        async with System() as system:
            conn = await system.connected()
            await within(conn.channel(30).send("early \u00e4", wait=False))
            await within(conn.write("line", wait=False))
            async for message in system.app.channel(30):
                assert (message.data, message.channel) == ("early \u00e4".encode(), 30)
                break
            await until(lambda: not conn.channel(30)._client.of_session(30).unacknowledged(), "its acknowledgement")

    asyncio.run(main())


def test_durable_store_keeps_the_messages():
    async def main():
        async with System(store=TemporaryStore()) as system:
            await traffic(system, 30)

    asyncio.run(main())
