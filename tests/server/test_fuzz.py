"""A little of `make fuzz-server`, and that its inputs get as far as they are meant to."""

import asyncio
import collections
import random

from protocol.channel import Channel
from protocol.channel_receiver import ChannelReceiver
from protocol.channels import Channels
from protocol.server_session import ServerSession
from remote_i2c.web import session
from tests.server import fuzz


def test_no_input_gets_an_exception_out_of_what_reads_the_network(report_line):
    seed = random.SystemRandom().randrange(1 << 40)
    asyncio.run(fuzz.run(4000, seed))
    report_line(f"fuzz: 4,000 inputs from seed {seed}")


def test_inputs_reach_open_sessions_and_finished_handshakes(monkeypatch):
    reached = collections.Counter()

    class Session(ServerSession):
        def _data(self, *args):
            reached["data"] += 1
            return super()._data(*args)

    class Responder(fuzz.Responder):
        def proof(self, data):
            fault = super().proof(data)
            reached["proven"] += fault is None
            return fault

    monkeypatch.setattr(fuzz, "ServerSession", Session)
    monkeypatch.setattr(fuzz, "Responder", Responder)
    asyncio.run(fuzz.run(2000, 1))
    assert reached["data"] > 100 and reached["proven"] > 10, reached


def test_inputs_reach_a_bus_behind_both_protocols_of_web_i2c(monkeypatch):
    reached = collections.Counter()
    for name in ("own", "others"):
        original = getattr(fuzz.fuzz_door, name)

        async def counted(one, name=name, original=original):
            messages = await original(one)
            reached[name] += len(messages)
            return messages

        monkeypatch.setattr(fuzz.fuzz_door, name, counted)
    perform = session.perform

    async def performed(bus, request):
        result = await perform(bus, request)
        reached["done"] += 1
        return result

    monkeypatch.setattr(session, "perform", performed)
    asyncio.run(fuzz.run(2000, 1))
    assert min(reached["own"], reached["others"], reached["done"]) > 100, reached


def test_inputs_reach_channels_that_are_open(monkeypatch):
    reached = collections.Counter()

    def count(owner, name, what):
        original = getattr(owner, name)

        def counted(self, *args):
            result = original(self, *args)
            reached[what, result if isinstance(result, bool) else not result] += 1
            return result

        monkeypatch.setattr(owner, name, counted)

    count(Channels, "take_list", "list")
    count(Channels, "take_entry", "entry")
    count(Channel, "take_credit", "credit")
    count(Channel, "accept", "accepted")
    count(ChannelReceiver, "take", "record")
    asyncio.run(fuzz.run(6000, 1))
    for what in ("list", "entry", "credit", "record"):
        assert min(reached[what, True], reached[what, False]) > 10, reached
    assert reached["accepted", True] > 100, reached
