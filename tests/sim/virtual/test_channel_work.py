"""What the applications of a run do on channels is seen by the checker: whatever goes wrong there fails the run."""

import sys

import pytest

from pb_link.channels import ClientChannel
from primitives import platform
from protocol.errors import Expired
from server.core.channel import Channel, Messages
from sim.virtual.channel_work import LIMITS_MS
from sim.virtual.run import VirtualRun

CHANNELS = (20, 21)
LINES = 40


def run_of(**arguments):
    run = VirtualRun(lines=LINES, channels=CHANNELS, **arguments)
    run.run()
    return run


def both_ways(run):
    """What the checker found wrong, both ways together."""
    ways = run.result["client_to_server"], run.result["server_to_client"]
    names = ("lost", "duplicated", "reordered", "corrupted")
    return {name: count for name in names for count in [sum(way[name] for way in ways)] if count}


def test_all_messages_are_delivered_on_their_channels():
    run = run_of()
    assert run.good, run.failure
    assert run.result["client_to_server"]["sent"] == run.result["server_to_client"]["sent"] == 3 * LINES
    read = [(work.number, one) for work in run.job.works for one in work.ledger.server_read]
    assert len(read) > 60 and all(one[-3] == number for number, one in read)


def test_plan_has_messages_of_each_kind():
    plans = [work.plan(end, n) for work in run_of().job.works for end in "cs" for n in range(LINES)]
    assert {plan.ttl_ms for plan in plans} == {None, *LIMITS_MS}
    assert {(plan.ttl_ms is not None, plan.waits) for plan in plans} == {(a, b) for a in (0, 1) for b in (0, 1)}
    assert len({plan.message for plan in plans}) == len(plans)
    assert all(plan.message[-2:] == b"\n\xff" for plan in plans)


def test_some_messages_expire_while_readers_are_slow():
    run = run_of(counts={"slow-client": 2, "slow-server": 2, "bridge-kill": 1})
    assert run.good, run.failure
    assert run.result["expired"] > 0
    ways = run.result["client_to_server"], run.result["server_to_client"]
    assert both_ways(run) == {} and sum(way["delivered"] for way in ways) < 6 * LINES


def test_clock_of_a_run_stays_in_it(monkeypatch):
    """A module that was loaded in one run had its clock in the next one: messages expired at once."""
    for _ in range(2):
        monkeypatch.delitem(sys.modules, "pb_link.channels", raising=False)
        run_of()
        assert sys.modules["pb_link.channels"].ticks_ms is platform.ticks_ms


class Spoiled:
    """Does something else with one call in so many. Args: what(original, self, *args)."""

    EVERY = 9

    def __init__(self, monkeypatch, owner, name, what):
        original = getattr(owner, name)
        calls = []

        async def call(channel, *args, **more):
            calls.append(channel)
            if len(calls) % self.EVERY:
                return await original(channel, *args, **more)
            return await what(original, channel, *args, **more)

        monkeypatch.setattr(owner, name, call)


async def lose(receive, channel):
    await receive(channel)
    return await receive(channel)


async def alter(receive, channel):
    message = await receive(channel)
    return changed(message, message.data[:-4] + b"?" + message.data[-3:])


def changed(message, data):
    if isinstance(message, tuple):
        return message._replace(data=data)
    message.data = data
    return message


@pytest.mark.parametrize(("owner", "name"), [(ClientChannel, "receive"), (Messages, "__anext__")])
@pytest.mark.parametrize(("what", "wrong"), [(lose, "lost"), (alter, "corrupted")])
def test_message_that_is_lost_or_altered_is_noticed(monkeypatch, owner, name, what, wrong):
    Spoiled(monkeypatch, owner, name, what)
    run = run_of(timeout_s=30)
    assert not run.good and wrong in both_ways(run)


def test_message_that_comes_twice_is_noticed(monkeypatch):
    """The ninth of each channel is the eighth once more."""
    original = ClientChannel.receive
    read = {number: [] for number in CHANNELS}

    async def receive(channel):
        message = await original(channel)
        data = read[channel.number]
        data.append(message.data)
        return changed(message, data[-2] if len(data) == 9 else data[-1])

    monkeypatch.setattr(ClientChannel, "receive", receive)
    run = run_of(timeout_s=30)
    assert not run.good and both_ways(run)["duplicated"] == len(CHANNELS)


def test_wrong_order_is_noticed(monkeypatch):
    """Of every two the later one comes first. There are none that expire."""
    monkeypatch.setattr("sim.virtual.channel_work.LIMIT_EVERY", 1)
    monkeypatch.setattr("sim.virtual.channel_work.LIMITS_MS", (10**8,))
    original = ClientChannel.receive
    held = {}

    async def receive(channel):
        if channel in held:
            return held.pop(channel)
        held[channel] = await original(channel)
        return await original(channel)

    monkeypatch.setattr(ClientChannel, "receive", receive)
    run = run_of(timeout_s=30)
    assert not run.good and both_ways(run) == {"reordered": len(CHANNELS) * LINES // 2}


def test_message_of_another_channel_is_noticed(monkeypatch):
    """What is written on one channel comes out of the other one: whole, once, and in order."""
    original = ClientChannel.receive
    other = {}

    async def receive(channel):
        other[channel.number] = channel
        return await original(other.get(sum(CHANNELS) - channel.number, channel))

    monkeypatch.setattr(ClientChannel, "receive", receive)
    run = run_of(timeout_s=30)
    assert not run.good and both_ways(run)["corrupted"] > LINES


async def call_expired(send, channel, data, wait, ttl_ms):
    await send(channel, data, wait=wait, ttl_ms=ttl_ms)
    if wait and ttl_ms:
        raise Expired


async def drop(send, channel, data, wait, ttl_ms):
    if not ttl_ms:
        await send(channel, data, wait=wait)


@pytest.mark.parametrize("owner", [ClientChannel, Channel])
def test_message_that_is_called_expired_and_was_delivered_is_noticed(monkeypatch, owner):
    monkeypatch.setattr(Spoiled, "EVERY", 1)
    Spoiled(monkeypatch, owner, "send", call_expired)
    run = run_of()
    assert not run.good and run.failure is None and run.result["untrue"] > 0 and both_ways(run) == {}


@pytest.mark.parametrize("owner", [ClientChannel, Channel])
def test_message_that_is_called_accepted_and_was_dropped_is_noticed(monkeypatch, owner):
    monkeypatch.setattr(Spoiled, "EVERY", 1)
    Spoiled(monkeypatch, owner, "send", drop)
    run = run_of(timeout_s=30)
    assert not run.good and both_ways(run)["lost"] > 3


@pytest.mark.parametrize("owner", [ClientChannel, Channel])
def test_message_that_is_dropped_without_a_word_is_noticed(monkeypatch, owner):
    """It has no limit, and nobody waits for it."""

    async def forget(send, channel, data, wait, ttl_ms):
        if wait or ttl_ms:
            await send(channel, data, wait=wait, ttl_ms=ttl_ms)

    Spoiled(monkeypatch, owner, "send", forget)
    run = run_of(timeout_s=30)
    assert not run.good and both_ways(run)["lost"] > 0
