"""The example whose effects happen exactly once: killed at every line of it, at many of what it uses, and as a program
under traffic. kill_application.py does it at every step of all."""

import asyncio
import random
import sys
import time

import pytest

from tests.peers.kill_application import APPLICATION, CLIENT, EXAMPLE, PATH, effects, example, kill_at
from tests.peers.processes import running, write_settings
from tests.server.channel_peer import ChannelClient
from tests.server.peer import until, within

KILLS = 6  # of the program
SENT = 120
STRIDE = 41


def test_application_killed_at_any_line_has_each_effect_once_and_in_order(report_line):
    kills, between = kill_at(example(), APPLICATION)
    report_line(f"exactly once, lines of the application: {kills} kills, {between} of them between two effects")
    assert kills > 30 and between > 10


def test_application_killed_in_the_server_or_its_store_has_each_effect_once_and_in_order(report_line):
    first = random.randrange(1, STRIDE)
    kills, between = kill_at(example(), PATH, first, STRIDE)
    report_line(f"exactly once, every {STRIDE}th step from {first} on: {kills} kills, {between} between two effects")
    assert kills > 20


def test_application_that_does_not_keep_the_number_has_an_effect_twice():
    """What the test is worth: it fails if the number is not in the transaction."""
    module = example()

    def enter(database, client_id, message):
        with database:
            database.execute("INSERT INTO reading VALUES (?, ?, ?)", (client_id, message.received_at, message.data))
        return True

    module.enter = enter
    with pytest.raises(AssertionError, match="killed at step"):
        kill_at(module, APPLICATION)


def test_program_that_is_killed_under_traffic_has_each_effect_once_and_in_order(tmp_path):
    settings = write_settings(tmp_path)
    rng = random.Random(1)

    async def main():
        client = ChannelClient(settings["port"], (20,), client_id=CLIENT, key=bytes.fromhex(settings["key"]))
        sending = asyncio.create_task(send(client))
        try:
            for _ in range(KILLS):
                with running([sys.executable, EXAMPLE], tmp_path) as program:
                    await come(client)
                    await asyncio.sleep(rng.uniform(0, 0.5))
                    program.process.kill()
            with running([sys.executable, EXAMPLE], tmp_path):
                await come(client)
                await within(sending)
                await within(client.accepted())
                await until(lambda: len(effects(tmp_path)) >= SENT, "the readings")
        finally:
            sending.cancel()
            client.cut()

    async def send(client):
        for number in range(SENT):
            while not client.open(20).room_for(10):
                await asyncio.sleep(0.01)
            client.open(20).append(b"%d" % number, True)
            if client.up:
                client._flush()
            await asyncio.sleep(rng.uniform(0, 0.04))

    asyncio.run(main())
    assert effects(tmp_path) == [b"%d" % number for number in range(SENT)]


async def come(client):
    """Connect as soon as there is a server."""
    deadline = time.monotonic() + 60
    while True:
        try:
            await client.connect()
            return
        except AssertionError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
