"""What a server knows of its clients, from the events that it is told."""

import pytest

from server.core.registry import Registry
from server.service import client_status
from server.service.client_status import ClientStatus


@pytest.fixture
def wall(monkeypatch):
    """The wall clock, which somebody may set."""
    now = [1000.0]
    monkeypatch.setattr(client_status.time, "time", lambda: now[0])
    return now


@pytest.fixture
def clock(monkeypatch):
    """The monotonic clock."""
    now = [0.0]
    monkeypatch.setattr(client_status.time, "monotonic", lambda: now[0])
    return now


def of(status, client_id):
    return next(one for one in status.clients() if one["id"] == client_id)


def test_clients_are_those_with_a_key_those_without_and_those_that_were_here():
    status = ClientStatus(Registry(), {"key": b""}, {"keyless"})
    status.note("connected", "gone", {"peer": "x"})
    assert [one["id"] for one in status.clients()] == ["gone", "key", "keyless"]
    assert status.known("key") == "key" and status.known("keyless") == "keyless"
    with pytest.raises(ValueError, match="there is no client 'gone': pb-link keys add gone"):
        status.known("gone")


def test_time_between_two_connections_is_an_outage(clock, wall):
    status = ClientStatus(Registry(), {"a": b""})
    status.note("connected", "a", {"peer": "first"})
    assert (of(status, "a")["since"], of(status, "a")["outages"]) == (1000.0, 0)
    clock[0] += 5
    status.note("disconnected", "a", {"peer": "first"})
    clock[0] += 3
    assert (of(status, "a")["outages"], of(status, "a")["outage_s"], of(status, "a")["since"]) == (1, 3.0, None)
    status.note("connected", "a", {"peer": "second"})
    clock[0] += 100
    assert (of(status, "a")["outages"], of(status, "a")["outage_s"]) == (1, 3.0)


@pytest.mark.parametrize("step_s", [30 * 86400, -3600])
def test_wall_clock_that_is_set_while_a_client_is_away_changes_no_duration(clock, wall, step_s):
    status = ClientStatus(Registry(), {"a": b""})
    for event in ("connected", "disconnected"):
        status.note(event, "a", {"peer": "p"})
    clock[0] += 5
    wall[0] += 5 + step_s
    assert of(status, "a")["outage_s"] == 5.0
    status.note("connected", "a", {"peer": "p"})
    assert (of(status, "a")["outage_s"], of(status, "a")["since"]) == (5.0, 1005.0 + step_s)


def test_end_of_a_connection_that_was_taken_over_is_no_outage():
    status = ClientStatus(Registry(), {"a": b""})
    status.note("connected", "a", {"peer": "first"})
    status.note("connected", "a", {"peer": "second"})
    status.note("disconnected", "a", {"peer": "first"})
    assert (of(status, "a")["outages"], of(status, "a")["peer"]) == (0, "second")


def test_lines_are_counted_by_what_became_of_them():
    status = ClientStatus(Registry(), {"a": b""})
    status.note("received", "a", {"lines": [b"12", b"345"]})
    status.note("acknowledged", "a", {"count": 7})
    status.note("discarded", "a", {"lines": 4})
    status.note("refused", None, {"peer": "x", "reason": "y"})
    found = of(status, "a")
    counts = [found[f"lines_{what}"] for what in ("received", "acknowledged", "discarded")]
    assert counts == [2, 7, 4] and found["bytes_received"] == 5 and len(status.clients()) == 1
