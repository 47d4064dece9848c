"""Addresses that fail again and again have to wait."""

from server.core.address_backoff import ADDRESSES, FIRST_S, FREE, LONGEST_S, AddressBackoff


def test_who_fails_again_and_again_waits_longer_and_longer():
    now = 0.0
    backoff = AddressBackoff(lambda: now)
    waits = []
    for _ in range(FREE + 12):
        assert not backoff.refuses("x")
        backoff.failed("x")
        begin = now
        while backoff.refuses("x"):
            now += FIRST_S
        waits.append(now - begin)
    assert waits[:FREE] == [0.0] * FREE and waits[FREE : FREE + 3] == [0.5, 1.0, 2.0] and waits[-1] == LONGEST_S
    assert not backoff.refuses("y")
    backoff.failed("x")
    backoff.succeeded("x")
    assert not backoff.refuses("x")


def test_number_of_addresses_that_are_remembered_is_bounded():
    backoff = AddressBackoff()
    for number in range(5000):
        backoff.failed(number)
    assert len(backoff._failures) == ADDRESSES


def test_clock_that_is_set_back_keeps_nobody_out():
    now = 1000000.0
    backoff = AddressBackoff(lambda: now)
    for _ in range(FREE + 1):
        backoff.failed("x")
    assert backoff.refuses("x") and backoff.kept_out == 1
    now -= 500000
    assert not backoff.refuses("x") and backoff.kept_out == 1
