"""Who gives way when there is no room for those who have not proved who they are."""

import pytest

import primitives.timeout
from server.core.admission import Places
from server.core.ticker import SLOTS, Ticker


class One:
    def __init__(self, address, name=""):
        self.address = address
        self.name = name


@pytest.fixture
def clock(monkeypatch):
    """The milliseconds that have passed: a list of one."""
    now = [0]
    monkeypatch.setattr(primitives.timeout, "ticks_ms", lambda: now[0])
    return now


def test_there_is_room_for_so_many():
    places = Places(3, 0)
    assert [places.take(One("x")) for _ in range(3)] == [None] * 3 and len(places) == 3


def test_who_has_left_needs_no_place():
    places = Places(1, 500)
    one = One("x")
    places.take(one)
    places.leave(one)
    places.leave(one)
    assert places.take(One("y")) is None and len(places) == 1


def test_oldest_of_the_greediest_address_gives_way_to_a_poorer_one_at_once(clock):
    places = Places(4, 500)
    everybody = [One("client"), One("flood", "first"), One("flood", "second"), One("flood", "third")]
    for one in everybody:
        places.take(one)
    assert places.take(One("new")) is everybody[1] and len(places) == 4


def test_newcomer_that_is_not_poorer_waits_for_the_end_of_the_grace(clock):
    places = Places(4, 500)
    everybody = [One(address) for address in ("client", "flood", "flood", "other")]
    for one in everybody:
        places.take(one)
    for address in ("flood", "other"):
        newcomer = One(address)
        assert places.take(newcomer) is newcomer
    clock[0] = 500
    assert places.take(One("flood")) is everybody[1] and len(places) == 4


def test_flood_from_one_address_keeps_nobody_out(clock):
    places = Places(64, 500)
    client = One("client")
    gone = []
    for number in range(5000):
        clock[0] += 1
        gone.append(places.take(client if number == 500 else One("flood")))
    assert client not in gone and len(places) == 64


def test_flood_from_many_addresses_lets_some_newcomers_in_and_these_finish(clock):
    places = Places(64, 500)
    let_in = 0
    for number in range(20000):  # ten in a millisecond
        clock[0] += number % 10 == 0
        newcomer = One(number)
        leaving = places.take(newcomer)
        let_in += leaving is not newcomer
        newcomer.since = clock[0]
        assert leaving in (None, newcomer) or clock[0] - leaving.since >= 500
    assert 64 * 2000 / 500 * 0.9 <= let_in <= 64 * 2000 / 500 * 1.3


class Seen:
    def __init__(self):
        self.looks = 0

    def look(self):
        self.looks += 1


def wait_and_tick(ticker, milliseconds):
    passed = 0
    while passed < milliseconds:
        passed += ticker.wait_ms
        ticker.tick()


@pytest.mark.parametrize("members", [1, 3, SLOTS, 100])
def test_each_member_is_looked_at_once_in_the_interval(members):
    ticker = Ticker(800)
    seen = [Seen() for _ in range(members)]
    for one in seen:
        ticker.add(one)
    wait_and_tick(ticker, 80000)
    assert {one.looks for one in seen} <= {99, 100, 101}


def test_members_are_spread_and_may_leave():
    ticker = Ticker(800)
    seen = [Seen() for _ in range(80)]
    for one in seen:
        ticker.add(one)
    assert ticker.wait_ms == 100
    ticker.tick()
    assert sum(one.looks for one in seen) == 10
    for one in seen:
        ticker.remove(one)
        ticker.remove(one)
    assert ticker.wait_ms == 800
    ticker.tick()
    assert sum(one.looks for one in seen) == 10


def test_member_may_leave_while_it_is_looked_at():
    class Leaver(Seen):
        def look(self):
            super().look()
            ticker.remove(self)

    ticker = Ticker(8)
    seen = [Leaver() for _ in range(40)]
    for one in seen:
        ticker.add(one)
    wait_and_tick(ticker, 80)
    assert {one.looks for one in seen} == {1}
