"""Which network the bridge is on: it leaves a stored one that does not lead to the server, late, for it is for good."""

import pytest

from protocol import control
from protocol.frame import RESUME_HEADER
from protocol.framing import KEEPALIVE, MIN_BODY
from protocol.handshake import _WELCOME_BYTES
from protocol.limits import MAC_BYTES
from tests.esp_link.bench import DOWN, UP, Bench
from tests.link.virtual import now_ms, run


class TwoNetworks:
    """esp_link.wifi.join where another network than the configured one is joined. answer: what follows then."""

    def __init__(self, bench, configured_is_there=True, answer="accept"):
        self.bench = bench
        self.joined = "stored"
        self.configured_is_there = configured_is_there
        self.answer = answer
        self.left_at = self.told_before = None
        bench.answer = "refuse"
        bench.wifi.join = self.join

    async def join(self, ssid, password, leave):
        if leave and self.joined != ssid:
            self.left_at, self.told_before = now_ms(), self.bench.client.kinds()
            self.joined = ssid
            self.bench.answer = self.answer
        if self.joined == ssid:
            return 1 if self.configured_is_there else 0
        return 2


def test_configured_network_is_tried_when_the_server_is_not_reached_from_another_one():
    async def main():
        async with Bench() as bench:
            TwoNetworks(bench)
            bench.client.configure()
            await bench.until(lambda: UP in bench.client.kinds(), 6000)
            assert len(bench.attempts) == 5 and bench.client.kinds() == [UP]

    run(main())


def test_server_that_no_network_leads_to_is_told_once_when_both_have_been_tried():
    async def main():
        async with Bench() as bench:
            networks = TwoNetworks(bench, answer="refuse")
            bench.client.configure()
            await bench.pause(60000)
            assert networks.told_before == [] and bench.client.kinds() == [control.BAD_SERVER]

    run(main())


def test_configured_network_that_is_not_there_is_told_once():
    async def main():
        async with Bench() as bench:
            TwoNetworks(bench, configured_is_there=False)
            bench.client.configure()
            await bench.pause(60000)
            assert bench.client.kinds() == [control.BAD_WIFI]

    run(main())


# What a server sends first, as far as the bridge understands it.
REFUSED = bytes((0, MIN_BODY)) + bytes(MIN_BODY)
WELCOME = bytes((0, _WELCOME_BYTES)) + bytes(_WELCOME_BYTES)
RESUME = bytes((0, RESUME_HEADER + MAC_BYTES)) + bytes(RESUME_HEADER + MAC_BYTES)
SESSION = WELCOME + RESUME


async def lead_to_the_server(bench):
    """A session from the network that is joined, for a moment, and a server that is away then."""
    bench.answer = "accept"
    await bench.connected()
    bench.socket.feed(SESSION)
    await bench.pause(100)
    bench.answer = "refuse"
    bench.socket.end()
    return now_ms()


def test_network_that_has_led_to_the_server_is_not_left_in_the_first_ten_minutes_of_an_outage():
    async def main():
        async with Bench() as bench:
            networks = TwoNetworks(bench)
            begun = await lead_to_the_server(bench)
            await bench.pause(600000)
            assert networks.left_at is None
            await bench.until(lambda: bench.client.kinds() == [UP, DOWN, control.BAD_SERVER, UP], 60000)
            assert networks.left_at - begun <= 660000

    run(main())


def test_outage_in_which_the_client_starts_anew_does_not_cost_the_stored_network():
    async def main():
        async with Bench() as bench:
            networks = TwoNetworks(bench)
            begun = await lead_to_the_server(bench)
            bench.client.close()
            bench.new_client()
            bench.client.configure()
            await bench.until(lambda: bench.client.kinds(), 10000)
            assert bench.client.kinds() == [control.BAD_SERVER]  # it need not wait for the other network
            await bench.pause(590000)
            assert networks.left_at is None
            await bench.until(lambda: networks.left_at, 60000)
            assert networks.left_at - begun <= 660000

    run(main())


def test_sessions_that_are_short_do_not_cost_the_stored_network():
    """A client that sleeps most of the time has no others."""

    async def main():
        async with Bench() as bench:
            networks = TwoNetworks(bench)
            bench.answer = "accept"
            bench.client.configure()
            for n in range(200):
                await bench.until(lambda n=n: len(bench.sockets) > n)
                bench.socket.feed(SESSION)
                await bench.pause(100)
                bench.socket.end()
            assert networks.left_at is None

    run(main())


def test_client_that_starts_anew_all_the_time_does_not_keep_the_bridge_on_a_dead_network():
    async def main():
        async with Bench() as bench:
            networks = TwoNetworks(bench)
            for _ in range(20):
                bench.client.configure()
                await bench.pause(700)  # two attempts
                bench.client.close()
                bench.new_client()
            assert networks.left_at is not None

    run(main())


ANSWERS = [b"", REFUSED, WELCOME, WELCOME + REFUSED, KEEPALIVE * 100, b"HTTP/1.1 400 Bad Request"]


@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
def test_machine_that_takes_connections_and_opens_no_session_is_not_the_server(answer):
    """They may last: with a time-out of a minute a silent one held the bridge on its network for ever."""

    async def main():
        async with Bench() as bench:
            networks = TwoNetworks(bench)
            bench.answer = "accept"
            bench.client.configure((8123, "server", 60000, 0, "net", "secret"))
            for n in range(4):
                await bench.until(lambda n=n: len(bench.sockets) > n, 10000)
                bench.socket.feed(answer)
                await bench.pause(6000)
                bench.socket.end()
            await bench.until(lambda: networks.left_at, 10000)

    run(main())


def test_short_connections_lead_to_the_configured_network_too():
    """At the server's address in the other network there is a machine that takes connections, and ends them."""

    async def main():
        async with Bench() as bench:
            networks = TwoNetworks(bench)
            bench.answer = "accept"
            bench.client.configure()
            while networks.left_at is None:
                await bench.pause(100)
                if bench.sockets:
                    bench.socket.end()
            assert len(bench.attempts) == 5  # the fifth from the configured one

    run(main())


def test_new_configuration_has_its_own_attempts():
    async def main():
        async with Bench() as bench:
            networks = TwoNetworks(bench)
            bench.client.configure()
            await bench.until(lambda: len(bench.attempts) == 3)
            bench.client.configure((8123, "server", 1500, 0, "net", "another secret"))
            await bench.until(lambda: networks.left_at)
            assert len(bench.attempts) == 3 + 4 + 1

    run(main())
