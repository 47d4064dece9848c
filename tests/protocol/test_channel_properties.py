"""What holds for the channels of a session for any input: found by hypothesis, which MicroPython does not have."""

import unittest

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.protocol.channel_traffic import Run
from tests.protocol.channel_wire import ChannelEnd
from tests.protocol.wire import FAULTS, Wire
from tests.sample import all_or

MICROPYTHON = False
MICROPYTHON_REASON = "needs hypothesis"

SEEDS = all_or(15, 80)
MANY = settings(deadline=None, max_examples=all_or(100, 600), suppress_health_check=[HealthCheck.too_slow])
SIZE = st.integers(0, 12).map(lambda n: n * n * n)
MESSAGES = st.lists(st.tuples(st.sampled_from((0, 20, 21, 22)), SIZE, st.booleans()), max_size=20)
HAPPENING = st.sampled_from(FAULTS + ("restart", "blocked 20", "blocked 0"))


class TestExactlyOnce(unittest.TestCase):
    def wire(self, faults):
        server = ChannelEnd("server", False, (20, 21, 22), durable=True)

        def block(wire):
            for end in (wire.client, wire.server):
                end.mute = [] if end.mute else [20]

        actions = {
            "restart": lambda wire: wire.reboot(server),
            "blocked 20": block,
            "blocked 0": lambda wire: setattr(server, "reading", not server.reading),
        }
        client = ChannelEnd("client", True, (20, 21))
        return Wire(client, server, {step: actions.get(fault, fault) for step, fault in faults.items()})

    @MANY
    @given(MESSAGES, MESSAGES, st.dictionaries(st.integers(0, 80), HAPPENING, max_size=25), st.integers(0, 20))
    def test_any_faults_that_end_deliver_each_channel_once_and_in_order(self, up, down, faults, opened):
        wire = self.wire(faults)
        sent = {"up": {}, "down": {}}
        for i in range(22):
            if i == opened:
                wire.client.session.channels.open(22)
                wire.client.hand_over(wire.now)
            for way, end, messages in (("up", wire.client, up), ("down", wire.server, down)):
                for number, size, numbered in messages[i : i + 1]:
                    if number not in (0, *end.numbers):
                        continue
                    data = b"%d " % i + bytes(size)
                    numbered = numbered or way == "down"
                    if number:
                        end.send(number, data, numbered)
                    else:
                        end.write(data, numbered)
                    sent[way].setdefault(number, []).append((data, numbered))
            wire.turn()
        wire.faults = {}
        wire.server.reading = True
        wire.client.mute = wire.server.mute = []
        for end in (wire.client, wire.server):
            end.hand_over(wire.now)
        wire.run(3000)
        for way, end in (("up", wire.server), ("down", wire.client)):
            got = dict(end.got)
            if end.delivered:
                got[0] = end.delivered
            for number, messages in sent[way].items():
                found = got.pop(number, [])
                self.assertEqual([data for data, _ in messages if data in found], found)
                self.assertEqual([data for data, numbered in messages if numbered and data not in found], [])
            self.assertEqual(got, {})


class TestRandomTraffic(unittest.TestCase):
    def test_whatever_fails_each_message_arrives_once_and_in_order_and_expiry_is_told_truly(self):
        ran_out = 0
        for seed in range(SEEDS):
            with self.subTest(seed=seed):
                run = Run(seed)
                run.run()
                ran_out += run.short.count
        self.assertGreater(ran_out, 40)
