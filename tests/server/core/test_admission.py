"""Who gives way when there is no room for those who have not proved who they are."""

import pytest

import primitives.timeout
from server.core.admission import Admission


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
    admission = Admission(3, 0)
    assert [admission.enter(One("x")) for _ in range(3)] == [None] * 3 and len(admission) == 3


def test_who_has_left_needs_no_place():
    admission = Admission(1, 500)
    one = One("x")
    admission.enter(one)
    admission.leave(one)
    admission.leave(one)
    assert admission.enter(One("y")) is None and len(admission) == 1


def test_oldest_of_the_greediest_address_gives_way_to_a_poorer_one_at_once(clock):
    admission = Admission(4, 500)
    everybody = [One("client"), One("flood", "first"), One("flood", "second"), One("flood", "third")]
    for one in everybody:
        admission.enter(one)
    assert admission.enter(One("new")) is everybody[1] and len(admission) == 4


def test_newcomer_that_is_not_poorer_waits_for_the_end_of_the_grace(clock):
    admission = Admission(4, 500)
    everybody = [One(address) for address in ("client", "flood", "flood", "other")]
    for one in everybody:
        admission.enter(one)
    for address in ("flood", "other"):
        newcomer = One(address)
        assert admission.enter(newcomer) is newcomer
    clock[0] = 500
    assert admission.enter(One("flood")) is everybody[1] and len(admission) == 4


def test_flood_from_one_address_keeps_nobody_out(clock):
    admission = Admission(64, 500)
    client = One("client")
    gone = []
    for number in range(5000):
        clock[0] += 1
        gone.append(admission.enter(client if number == 500 else One("flood")))
    assert client not in gone and len(admission) == 64


def test_flood_from_many_addresses_lets_some_newcomers_in_and_these_finish(clock):
    admission = Admission(64, 500)
    let_in = 0
    for number in range(20000):  # ten in a millisecond
        clock[0] += number % 10 == 0
        newcomer = One(number)
        leaving = admission.enter(newcomer)
        let_in += leaving is not newcomer
        newcomer.since = clock[0]
        assert leaving in (None, newcomer) or clock[0] - leaving.since >= 500
    assert 64 * 2000 / 500 * 0.9 <= let_in <= 64 * 2000 / 500 * 1.3
