"""Two servers as processes on one PostgreSQL, under traffic both ways: what is stopped, killed and restarted there
loses and doubles no line."""

import asyncio
import signal
import time

import pytest

from tests.peers.two_nodes import Nodes, check, played
from tests.server.peer import until, within

LINES = 25  # of progress between two steps


@pytest.fixture
def nodes(tmp_path):
    with Nodes(tmp_path) as made:
        yield made


async def progress(client, count=LINES):
    """Return when so many more lines of the client have been accepted."""
    before = client.session.acknowledged
    await until(lambda: client.session.acknowledged >= before + count, "the acknowledgements")


def test_rolling_restarts_under_traffic_lose_and_double_nothing(nodes, capsys):
    taken = []

    async def play(client):
        await progress(client)
        for _ in range(3):
            at, before = client.at, client.noticed
            ending = asyncio.create_task(asyncio.to_thread(nodes.end, at))
            await until(lambda before=before: client.noticed > before, "the farewell")
            noticed, acknowledged = client.noticed, client.session.acknowledged
            await until(lambda count=acknowledged: client.session.acknowledged > count, "the next line")
            taken.append(time.monotonic() - noticed)
            assert client.at != at
            printed = await ending
            assert not [line for line in printed if "handler_failed" in line or "store_failed" in line], printed
            await progress(client)
            await asyncio.to_thread(nodes.start, at)

    check(nodes, asyncio.run(played(nodes, play)))
    with capsys.disabled():
        print(f" [next line accepted elsewhere after {max(taken) * 1000:.0f} ms at most]", end="")


def test_node_that_was_stopped_and_goes_on_does_no_harm(nodes):
    async def play(client):
        for _ in range(2):
            await progress(client)
            at = client.at
            nodes.signal(at, signal.SIGSTOP)
            await until(lambda at=at: client.up and client.at != at, "the other node")
            await progress(client)
            resumes = client.session.resumes
            nodes.signal(at, signal.SIGCONT)
            await within(asyncio.to_thread(nodes.wait_for, at, "taken_over"))
            await progress(client, 2 * LINES)
            assert client.session.resumes == resumes, "the node that was stopped has disturbed the client"

    check(nodes, asyncio.run(played(nodes, play)))


def test_client_of_a_node_that_is_killed_goes_on_at_the_other(nodes, capsys):
    taken = []

    async def play(client):
        for _ in range(3):
            await progress(client)
            at, before = client.at, client.noticed
            nodes.signal(at, signal.SIGKILL)
            await until(lambda before=before: client.noticed > before, "the end of the connection")
            noticed, acknowledged = client.noticed, client.session.acknowledged
            await until(lambda count=acknowledged: client.session.acknowledged > count, "the next line")
            taken.append(time.monotonic() - noticed)
            await asyncio.to_thread(nodes.start, at)

    check(nodes, asyncio.run(played(nodes, play)))
    with capsys.disabled():
        print(f" [next line accepted elsewhere after {max(taken) * 1000:.0f} ms at most]", end="")
