"""What a viewer is told: all of it once, then what is different, however late it asks."""

from server.gateways.web.overview import Overview, Query
from server.gateways.web.recent import FROM_CLIENT, MAX_EVENTS, MAX_LINES, RecentEvents, RecentLines
from server.gateways.web.views import ClientsView, ClientView, LogView
from tests.server.gateways.web.bed import Fleet

ALL = Query("", "", "id", False, 0, 50)


def made(*names):
    fleet = Fleet(*names)
    overview, lines = Overview(fleet), RecentLines()
    fleet.subscribers += [overview.note, lines.note]
    return fleet, overview, lines


def test_only_the_rows_that_changed():
    fleet, overview, _ = made("a", "b", "c")
    view = ClientsView(overview, ALL)
    assert len(view.snapshot()["clients"]) == 3
    assert view.change() is None
    fleet.receive("b", b"x\n")
    change = view.change()
    assert [row["id"] for row in change["clients"]] == ["b"] and "order" not in change
    assert view.change() is None


def test_order_and_counts_if_they_changed():
    fleet, overview, _ = made("a", "b")
    view = ClientsView(overview, ALL._replace(sort="lines_received", descending=True))
    view.snapshot()
    fleet.receive("b", b"x\n")
    assert view.change()["order"] == ["b", "a"]
    fleet.connect("a")
    change = view.change()
    assert change["states"] == {"connected": 1, "away": 0, "never": 1} and "order" not in change


def test_late_viewer_takes_one_change_that_leads_to_the_present():
    fleet, overview, _ = made("a", "b", "c")
    view = ClientsView(overview, ALL)
    rows = {row["id"]: row for row in view.snapshot()["clients"]}
    for _ in range(500):
        fleet.connect("a")
        fleet.leave("a")
        fleet.receive("b", b"x\n")
    change = view.change()
    rows |= {row["id"]: row for row in change["clients"]}
    assert [rows[name] for name in "abc"] == overview.page(ALL)["clients"]
    assert view.change() is None


def test_client_with_its_lines():
    fleet, overview, lines = made("a", "b")
    fleet.receive("a", b"one\n")
    view = ClientView(overview, lines, "a")
    assert [line["text"] for line in view.snapshot()["lines"]] == ["one"]
    assert view.change() is None
    fleet.receive("b", b"x\n")
    assert view.change() is None
    fleet.receive("a", b"two\n")
    change = view.change()
    assert [line["text"] for line in change["lines"]] == ["two"] and "missed" not in change
    assert change["client"]["lines_received"] == 2


def test_lines_that_a_viewer_has_missed_are_said():
    _, overview, lines = made("a")
    view = ClientView(overview, lines, "a")
    view.snapshot()
    for _ in range(MAX_LINES * 3):
        lines.add("a", FROM_CLIENT, [b"x\n"])
    change = view.change()
    assert change["missed"] and len(change["lines"]) == MAX_LINES


def test_client_that_goes():
    fleet, overview, lines = made("a")
    view = ClientView(overview, lines, "a")
    view.snapshot()
    del fleet.clients["a"]
    overview.all_changed()
    assert view.change() == {"client": None}


def test_log():
    events = RecentEvents()
    view = LogView(events)
    assert view.snapshot() == {"events": []}
    for _ in range(MAX_EVENTS * 2):
        events.note("connected", "a", {})
    assert len(view.change()["events"]) == MAX_EVENTS
    assert view.change() is None
    assert len(view.snapshot()["events"]) == MAX_EVENTS
