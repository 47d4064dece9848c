"""One clock for all connections, which looks at a part of them at a time."""

import pytest

from server.core.ticker import SLOTS, Ticker


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
    assert ticker.wait_ms == 800 // SLOTS
    ticker.tick()
    assert sum(one.looks for one in seen) == 80 // SLOTS
    for one in seen:
        ticker.remove(one)
        ticker.remove(one)
    assert ticker.wait_ms == 800
    ticker.tick()
    assert sum(one.looks for one in seen) == 80 // SLOTS


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
