"""The last lines and events: their order and their bounds."""

from server.gateways.web import recent
from server.gateways.web.recent import FROM_CLIENT, TO_CLIENT, RecentEvents, RecentLines


def test_lines_both_ways_in_their_order():
    lines = RecentLines(lambda: 7.0)
    lines.note("received", "a", {"lines": [b"one\n", b"\xff\n"]})
    lines.add("a", TO_CLIENT, [b"two\n"])
    found = lines.after("a")
    assert [(line["way"], line["text"], line["bytes"]) for line in found] == [
        (FROM_CLIENT, "one", 4), (FROM_CLIENT, "\ufffd", 2), (TO_CLIENT, "two", 4),
    ]  # fmt: skip
    assert lines.after("a", found[1]["number"]) == found[2:]
    assert lines.after("b") == []


def test_other_events_are_no_lines():
    lines = RecentLines()
    lines.note("connected", "a", {"peer": "x"})
    assert lines.after("a") == []


def test_lines_are_bounded_in_size_in_number_and_in_clients():
    lines = RecentLines()
    lines.note("received", "a", {"lines": [b"x" * 5000 + b"\n"] * 300})
    found = lines.after("a")
    assert len(found) == recent.MAX_LINES
    assert (len(found[0]["text"]), found[0]["bytes"]) == (recent.MAX_SHOWN, 5001)
    for number in range(recent.MAX_CLIENTS):
        lines.add("a", FROM_CLIENT, [b"again\n"])
        lines.add(f"c{number}", FROM_CLIENT, [b"x\n"])
    assert lines.after("c0") == [] and lines.after("a") and lines.after("c1")  # the one that was silent longest


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
