"""Two boards with one id are reported, and one that restarts or reconnects is not."""

import asyncio

import pytest

from server.core.rivals import ENDED_MS, EPOCHS, Rivals
from tests.server.core.test_events import Told
from tests.server.peer import KEY, Client, Service, until, within


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def found(rivals, epochs):
    """What `met` returns for each letter, an epoch whose address is "at" and the letter."""
    return [rivals.met(epoch.encode(), "at " + epoch) for epoch in epochs]


@pytest.mark.parametrize("epochs", ["A", "AAAA", "ABCD", "AABBCC", "ABCDEFGHIJKLMN"])
def test_one_client_that_reconnects_or_restarts_is_not_two(epochs):
    assert found(Rivals(Clock()), epochs) == [None] * len(epochs)


@pytest.mark.parametrize(
    ("epochs", "other"), [("ABA", "at B"), ("AABBA", "at B"), ("ABCB", "at C"), ("ABCDEFGHA", "at H")]
)
def test_epoch_that_comes_back_after_another_one_shows_two_boards(epochs, other):
    assert found(Rivals(Clock()), epochs) == [None] * (len(epochs) - 1) + [other]


def test_two_boards_are_reported_once_and_again_only_after_an_end():
    clock = Clock()
    rivals = Rivals(clock)
    assert [other for other in found(rivals, "AB" * 500) if other] == ["at B"]
    for _ in range(20):  # it goes on, slowly
        clock.now += ENDED_MS - 1
        assert found(rivals, "AB") == [None, None]
    clock.now += ENDED_MS
    assert found(rivals, "ABAB") == ["at B", None, None, None]
    clock.now -= 10 * ENDED_MS  # a clock that was set back keeps nothing silent for ever
    assert found(rivals, "A") == ["at B"]


def test_restarts_fill_no_memory():
    rivals = Rivals(Clock())
    for number in range(1000):
        rivals.met(number.to_bytes(8, "big"), "here")
    assert len(rivals._met) == EPOCHS


def test_two_boards_with_one_id_are_reported_once_with_both_addresses(capsys):
    async def main():
        async with Service() as service:
            told = Told()
            service.events.subscribe(told)
            one, two = Client(service.port), Client(service.port)
            ports = []
            for client in (one, two, one, two, one):
                await within(client.connect())
                ports.append(client._writer.get_extra_info("sockname")[1])
                await client.write("a line")
                await within(client.acknowledged())
            return ports, [details for event, client_id, details in told if event == "same_id" and client_id == "a"]

    ports, details = asyncio.run(main())
    assert len(details) == 1
    assert details[0]["peer"].endswith(":%d" % ports[2]) and details[0]["other"].endswith(":%d" % ports[1])
    printed = capsys.readouterr().out
    assert printed.count("a: two boards have this id") == 1 and "give one of them an id" in printed


def test_board_that_restarts_again_and_again_is_not_reported():
    async def main():
        async with Service() as service:
            told = Told()
            service.events.subscribe(told)
            for _ in range(4):
                client = Client(service.port, key=KEY)  # a new epoch
                for _ in range(2):
                    await within(client.connect())
                    client.cut()
                    await until(lambda: not service.connection().status(), "the end of the connection")
            assert "connected" in told.names() and "same_id" not in told.names()

    asyncio.run(main())
