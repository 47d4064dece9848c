"""The last lines and events: their order and their bounds."""

import random

import pytest

from server.gateways.web import recent
from server.gateways.web.recent import FROM_CLIENT, TO_CLIENT, RecentEvents, RecentLines


def test_lines_both_ways_in_their_order():
    lines = RecentLines(lambda: 7.0)
    lines.note("received", "a", {"lines": [b"one", b"\xff"]})
    lines.add("a", TO_CLIENT, [b"two"])
    found = lines.after("a")
    assert [(line["way"], line["text"], line["bytes"]) for line in found] == [
        (FROM_CLIENT, "one", 3), (FROM_CLIENT, "\ufffd", 1), (TO_CLIENT, "two", 3),
    ]  # fmt: skip
    assert lines.after("a", found[1]["number"]) == found[2:]
    assert lines.after("b") == []


def test_other_events_are_no_lines():
    lines = RecentLines()
    lines.note("connected", "a", {"peer": "x"})
    lines.note("received", "a", {"lines": []})
    assert lines.after("a") == [] and not lines._kept


def test_lines_are_bounded_in_size_in_number_and_in_clients():
    lines = RecentLines()
    lines.note("received", "a", {"lines": [b"x" * 5001] * 300})
    found = lines.after("a")
    assert len(found) == recent.MAX_LINES == lines._kept["a"].count
    assert (len(found[0]["text"]), found[0]["bytes"]) == (recent.MAX_SHOWN, 5001)
    for number in range(recent.MAX_CLIENTS):
        lines.add("a", FROM_CLIENT, [b"again"])
        lines.add(f"c{number}", FROM_CLIENT, [b"x"])
    assert lines.after("c0") == [] and lines.after("a") and lines.after("c1")  # the one that was silent longest


@pytest.mark.parametrize("seed", range(20))
def test_lines_in_pieces_are_as_lines_one_by_one(seed):
    """Whatever comes at once, and whatever was seen before."""
    chosen, lines, every = random.Random(seed), RecentLines(lambda: 7.0), []
    for _ in range(60):
        way = chosen.choice((FROM_CLIENT, TO_CLIENT))
        some = [b"x" * chosen.choice((0, 1, 42, 255, 256, 257, 4000)) for _ in range(chosen.choice((1, 1, 2, 64, 100)))]
        lines.add("a", way, some)
        every += [(way, "x" * min(len(line), recent.MAX_SHOWN), len(line)) for line in some]
        found = lines.after("a")
        assert [line["number"] for line in found] == list(range(1, len(every) + 1))[-recent.MAX_LINES :]
        assert [(line["way"], line["text"], line["bytes"]) for line in found] == every[-recent.MAX_LINES :]
        seen = chosen.randrange(len(every) + 2)
        assert lines.after("a", seen) == [line for line in found if line["number"] > seen]
    kept = lines._kept["a"]
    assert kept.count < 2 * recent.MAX_LINES
    assert sum(len(piece[4]) for piece in kept.pieces) <= 2 * recent.MAX_LINES * (recent.MAX_SHOWN + 1)


def test_events_with_their_details_as_texts():
    events = RecentEvents(lambda: 7.0)
    events.note("connected", "a", {"peer": "x:1", "count": 7})
    assert events.after() == [
        {
            "number": 1, "at": 7.0, "event": "connected", "client": "a", "level": "info",
            "details": {"peer": "x:1", "count": "7"},
        }
    ]  # fmt: skip
    assert events.after(1) == []


def test_events_are_bounded():
    events = RecentEvents()
    for _ in range(recent.MAX_EVENTS + 5):
        events.note("refused", None, {"reason": "x" * 9000, "traceback": "secret"})
    found = events.after()
    assert len(found) == recent.MAX_EVENTS and found[0]["number"] == 6
    assert found[0]["details"] == {"reason": "x" * recent.MAX_DETAIL}
    assert [entry["number"] for entry in events.after(0, 2)] == [recent.MAX_EVENTS + 4, recent.MAX_EVENTS + 5]
