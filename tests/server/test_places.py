"""Who gives way when there is no room for those who have not proved who they are."""

import pytest

from server.places import Places
from server.ticker import SLOTS, Ticker


class One:
    def __init__(self, address, name=""):
        self.address = address
        self.name = name


def test_there_is_room_for_so_many():
    places = Places(3)
    assert [places.take(One("x")) for _ in range(3)] == [None] * 3 and len(places) == 3


def test_who_has_left_needs_no_place():
    places = Places(1)
    one = One("x")
    places.take(one)
    places.leave(one)
    places.leave(one)
    assert places.take(One("y")) is None and len(places) == 1


def test_oldest_of_the_greediest_address_gives_way():
    places = Places(4)
    everybody = [One("client"), One("flood", "first"), One("flood", "second"), One("other")]
    for one in everybody:
        places.take(one)
    assert places.take(One("flood")) is everybody[1]
    assert places.take(One("new")) is everybody[2]


def test_flood_from_one_address_keeps_nobody_out():
    places = Places(64)
    client = One("client")
    gone = [places.take(client if number == 500 else One("flood")) for number in range(5000)]
    assert client not in gone and len(places) == 64


@pytest.mark.parametrize("addresses", [64, 1000])
def test_flood_from_many_addresses_leaves_a_newcomer_the_time_of_a_whole_round(addresses):
    places = Places(64)
    for number in range(200):
        places.take(One(number % addresses))
    client = One("client")
    places.take(client)
    assert client not in [places.take(One(number % addresses)) for number in range(63)]


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
