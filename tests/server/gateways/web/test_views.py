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


def refreshed(overview):
    for _ in overview.refresh():
        pass


def change_of(view, overview):
    """What the view tells at a tick."""
    refreshed(overview)
    return view.change()


def test_only_the_rows_that_changed():
    fleet, overview, _ = made("a", "b", "c")
    view = ClientsView(overview, ALL)
    assert len(view.snapshot()["clients"]) == 3
    assert change_of(view, overview) is None
    fleet.receive("b", b"x")
    change = change_of(view, overview)
    assert [row["id"] for row in change["clients"]] == ["b"] and "order" not in change
    assert change_of(view, overview) is None


def test_order_and_counts_if_they_changed():
    fleet, overview, _ = made("a", "b")
    view = ClientsView(overview, ALL._replace(sort="lines_received", descending=True))
    view.snapshot()
    fleet.receive("b", b"x")
    assert change_of(view, overview)["order"] == ["b", "a"]
    fleet.connect("a")
    change = change_of(view, overview)
    assert change["states"] == {"connected": 1, "away": 0, "never": 1} and "order" not in change


def test_counts_that_a_filter_finds():
    fleet, overview, _ = made("pump", "valve")
    view = ClientsView(overview, ALL._replace(text="pump"))
    view.snapshot()
    fleet.clients["pump-2"] = Fleet("pump-2").get("pump-2")
    fleet.clients["valve-2"] = Fleet("valve-2").get("valve-2")
    overview.all_changed()
    change = change_of(view, overview)
    assert (change["matching"], change["total"]) == (2, 4)


def test_late_viewer_takes_one_change_that_leads_to_the_present():
    fleet, overview, _ = made("a", "b", "c")
    view = ClientsView(overview, ALL)
    rows = {row["id"]: row for row in view.snapshot()["clients"]}
    for _ in range(500):
        fleet.connect("a")
        fleet.leave("a")
        fleet.receive("b", b"x")
    change = change_of(view, overview)
    rows |= {row["id"]: row for row in change["clients"]}
    assert [rows[name] for name in "abc"] == overview.page(ALL)["clients"]
    assert change_of(view, overview) is None


def test_client_with_its_lines():
    fleet, overview, lines = made("a", "b")
    fleet.receive("a", b"one")
    view = ClientView(overview, lines, "a")
    assert [line["text"] for line in view.snapshot()["lines"]] == ["one"]
    assert change_of(view, overview) is None
    fleet.receive("b", b"x")
    assert change_of(view, overview) is None
    fleet.receive("a", b"two")
    change = change_of(view, overview)
    assert [line["text"] for line in change["lines"]] == ["two"] and "missed" not in change
    assert change["client"]["lines_received"] == 2


def test_lines_that_a_viewer_has_missed_are_said():
    _, overview, lines = made("a")
    view = ClientView(overview, lines, "a")
    view.snapshot()
    for _ in range(MAX_LINES * 3):
        lines.add("a", FROM_CLIENT, [b"x"])
    change = change_of(view, overview)
    assert change["missed"] and len(change["lines"]) == MAX_LINES


def test_client_that_goes():
    fleet, overview, lines = made("a")
    view = ClientView(overview, lines, "a")
    view.snapshot()
    del fleet.clients["a"]
    overview.all_changed()
    assert change_of(view, overview) == {"client": None}


def test_viewers_of_the_same_page_get_the_same_object():
    fleet, overview, _ = made("a", "b")
    views = [ClientsView(overview, ALL) for _ in range(3)] + [ClientsView(overview, ALL._replace(descending=True))]
    for view in views:
        view.snapshot()
    for _ in range(2):
        fleet.receive("b", b"x")
        refreshed(overview)
        first, second, third, other = [view.change() for view in views]
        assert first is second is third and other is not first
        assert [row["id"] for row in first["clients"]] == ["b"] == [row["id"] for row in other["clients"]]


def test_viewers_who_have_seen_different_things_are_told_different_things():
    fleet, overview, _ = made("a", "b")
    early, late = ClientsView(overview, ALL), ClientsView(overview, ALL)
    early.snapshot()
    fleet.receive("a", b"x")
    late.snapshot()
    fleet.receive("b", b"x")
    refreshed(overview)
    assert [[row["id"] for row in view.change()["clients"]] for view in (early, late)] == [["a", "b"], ["b"]]
    assert early.change() is None and late.change() is None


def test_what_changes_after_the_refresh_is_told_at_the_next():
    fleet, overview, lines = made("a", "b")
    views = ClientsView(overview, ALL), ClientView(overview, lines, "a")
    for view in views:
        view.snapshot()
    fleet.connect("a")
    assert [view.change() for view in views] == [None, None]
    assert [bool(change_of(view, overview)) for view in views] == [True, True]


def test_log():
    events = RecentEvents()
    view = LogView(events)
    assert view.snapshot() == {"events": []}
    for _ in range(MAX_EVENTS * 2):
        events.note("connected", "a", {})
    assert len(view.change()["events"]) == MAX_EVENTS
    assert view.change() is None
    assert len(view.snapshot()["events"]) == MAX_EVENTS
