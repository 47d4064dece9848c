"""What clients pass on of their bridges' reports: an event, and nothing in the store."""

from protocol.bridge_reports import encode_bridge_report
from server.core.bridge_reports import telling
from server.core.events import Events


def told(*messages):
    events, found = Events(), []
    events.subscribe(lambda event, client_id, details: found.append((event, client_id, details)))
    for message in messages:
        telling(events)("a", message)
    return found


def test_report_is_an_event():
    assert told(encode_bridge_report(2, 5, 24000, 1, (0, 2, 0), -67)) == [
        (
            "bridge_report", "a",
            {"connections": 2, "number": 5, "free_bytes": 24000, "fallbacks": 1, "release": "0.2.0", "rssi_dbm": -67},
        )
    ]  # fmt: skip


def test_what_is_not_known_is_none():
    ((_, _, details),) = told(encode_bridge_report(2, 5, 24000, 1, (0, 0, 0), 0))
    assert details["release"] is None and details["rssi_dbm"] is None


def test_anything_else_is_dropped():
    assert told(b"", b"\2" * 30, b"\1" * 20) == []
