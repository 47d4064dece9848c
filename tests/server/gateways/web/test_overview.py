"""The list of clients: its order, its parts, and how little is looked at again."""

import pytest

from server.gateways.web import overview as overview_module
from server.gateways.web.overview import Overview, Query
from server.gateways.web.sampled import UNKNOWN, Sample
from tests.server.gateways.web.bed import Fleet

ALL = Query("", "", "id", False, 0, 50)


def overview_of(*names):
    fleet = Fleet(*names)
    overview = Overview(fleet, lambda: 5000.0)
    fleet.subscribers.append(overview.note)
    return fleet, overview


def ids(overview, **changes):
    return [row["id"] for row in overview.page(ALL._replace(**changes))["clients"]]


def test_states_and_their_counts():
    fleet, overview = overview_of("a", "b", "c")
    fleet.connect("a")
    fleet.connect("b")
    fleet.leave("b")
    page = overview.page(ALL)
    assert [(row["id"], row["state"], row["changed"]) for row in page["clients"]] == [
        ("a", "connected", 1000.0), ("b", "away", 2000.0), ("c", "never", None),
    ]  # fmt: skip
    assert [row["reason"] for row in page["clients"]] == [None, "silent", None]
    assert page["states"] == {"connected": 1, "away": 1, "never": 1}
    assert (page["matching"], page["total"]) == (3, 3)
    assert ids(overview, state="away") == ["b"]
    assert overview.page(ALL._replace(state="away"))["states"] == page["states"]  # of all


def test_filter_sort_and_pages():
    fleet, overview = overview_of("pump-1", "pump-2", "valve", "PUMP-3")
    fleet.receive("pump-2", b"1", b"2")
    fleet.receive("valve", b"1")
    assert ids(overview, text="pUmP") == ["PUMP-3", "pump-1", "pump-2"]
    assert ids(overview, sort="lines_received", descending=True) == ["pump-2", "valve", "PUMP-3", "pump-1"]
    assert ids(overview, descending=True) == ["valve", "pump-2", "pump-1", "PUMP-3"]
    assert ids(overview, size=2, page=1) == ["pump-2", "valve"]
    assert ids(overview, page=9) == []
    assert ids(overview, state="", text="nothing") == []


def test_each_sort_is_possible_with_clients_that_never_came():
    from server.gateways.web.overview import SORTS

    fleet, overview = overview_of("a", "b")
    fleet.connect("b")
    for sort in SORTS:
        assert sorted(ids(overview, sort=sort)) == ["a", "b"]


def test_only_clients_that_changed_are_looked_at_again():
    fleet, overview = overview_of(*(f"c{number}" for number in range(1000)))
    page = overview.page(ALL)
    assert fleet.looks == 1000
    assert overview.page(ALL) is page
    fleet.receive("c7", b"x")
    fleet.receive("c7", b"y")
    assert overview.row("c7")["last_line"] == 5000.0
    assert fleet.looks == 1001


def test_many_rows_are_refreshed_some_at_a_time(monkeypatch):
    monkeypatch.setattr(overview_module, "SLICE", 10)
    fleet, overview = overview_of(*(f"c{number:02}" for number in range(35)))
    looks = []
    for _ in overview.refresh():
        looks.append(fleet.looks)
    assert looks == [10, 20, 30, 35]
    for name in fleet.clients:
        fleet.receive(name, b"x")
    steps = overview.refresh()
    next(steps)
    fleet.receive("c01", b"y")
    page = overview.page(ALL)  # it is up to date at once
    found = {row["id"]: row["lines_received"] for row in page["clients"]}
    assert found == {name: 1 for name in fleet.clients} | {"c01": 2}
    assert list(steps) == [] and overview.page(ALL) is page


def test_clients_that_always_change_end_no_refresh_late(monkeypatch):
    monkeypatch.setattr(overview_module, "SLICE", 2)
    fleet, overview = overview_of("a", "b", "c", "d")
    steps = 0
    for _ in overview.refresh():
        steps += 1
        for name in fleet.clients:
            fleet.receive(name, b"x")
    assert steps == 2
    assert overview.page(ALL)["clients"][0]["lines_received"] == 2


def test_client_that_comes_in_the_middle_of_a_refresh_is_listed(monkeypatch):
    monkeypatch.setattr(overview_module, "SLICE", 1)
    fleet, overview = overview_of("a", "b", "c")
    steps = overview.refresh()
    next(steps)
    fleet.clients["d"] = Fleet("d").get("d")
    fleet.connect("d")
    for _ in steps:
        pass
    assert overview.refreshed_page(ALL, overview._page_of(ALL))[0]["total"] == 3  # of four, as many as were to be made
    assert ids(overview) == ["a", "b", "c", "d"]


def test_rows_that_cannot_be_made_are_made_the_next_time(monkeypatch):
    fleet, overview = overview_of("a", "b")
    fleet.of, of = lambda name: 1 / 0, fleet.of
    with pytest.raises(ZeroDivisionError):
        overview.page(ALL)
    fleet.of = of
    assert ids(overview) == ["a", "b"]


def test_new_and_removed_clients_appear_and_go():
    fleet, overview = overview_of("a")
    assert ids(overview) == ["a"]
    fleet.clients["b"] = Fleet("b").get("b")
    fleet.connect("b")
    assert ids(overview) == ["a", "b"]
    del fleet.clients["a"]
    overview.all_changed()
    assert ids(overview) == ["b"] and overview.row("a") is None
    fleet.tell("no_key", "stranger")  # events name clients that are none
    assert ids(overview) == ["b"]
    del fleet.clients["b"]
    overview.all_changed()
    assert ids(overview) == []


def test_lines_that_wait_are_shown():
    fleet, overview = overview_of("a", "b")
    overview.page(ALL)
    overview.set_waiting([{"id": "b", "lines": 3}])
    assert ids(overview, sort="waiting", descending=True) == ["b", "a"]
    assert overview.row("b")["waiting_lines"] == 3
    overview.set_waiting([])
    assert overview.row("b")["waiting_lines"] == 0


def test_samples_are_shown_and_sorted_by_and_no_row_is_made_anew_for_them():
    fleet, overview = overview_of("a", "b", "c")
    page = overview.page(ALL)
    assert page["clients"][0]["lines_per_s"] is page["clients"][0]["unread_lines"] is None
    overview.set_samples({"a": Sample(0.0, 20, 0), "b": Sample(2.5, 90, 4), "c": UNKNOWN})
    assert overview.page(ALL) is not page and fleet.looks == 3
    for sort in ("lines_per_s", "bytes_per_s", "unread"):
        assert ids(overview, sort=sort, descending=True) == ["b", "a", "c"]
    page = overview.page(ALL)
    overview.set_samples({"a": Sample(0.0, 20, 0), "b": Sample(2.5, 90, 4), "c": UNKNOWN})
    assert overview.page(ALL) is page  # nothing has changed
    fleet.receive("b", b"x")
    assert overview.row("b")["unread_lines"] == 4 and fleet.looks == 4  # of the last look, until the next


def test_client_that_has_gone_and_comes_again_has_no_old_sample():
    fleet, overview = overview_of("a", "b")
    overview.page(ALL)
    overview.set_samples({"a": Sample(2.5, 90, 4), "b": UNKNOWN})
    gone = fleet.clients.pop("a")
    overview.all_changed()
    assert overview.row("a") is None
    fleet.clients["a"] = gone
    overview.all_changed()
    assert overview.row("a")["lines_per_s"] is None


def test_what_a_bridge_reports_is_sorted_by():
    fleet, overview = overview_of("a", "b", "c", "d")
    reports = (("b", -70, 20_000, "0.2.0"), ("c", -40, 27_000, "0.1.0"), ("d", None, 26_000, None))
    for name, rssi, heap, release in reports:
        fleet.get(name).row["bridge"] = {"rssi_dbm": rssi, "free_bytes": heap, "release": release}
    assert ids(overview, sort="wifi", descending=True) == ["c", "b", "a", "d"]
    assert ids(overview, sort="heap", descending=True) == ["c", "d", "b", "a"]
    assert ids(overview, sort="release", descending=True) == ["b", "c", "a", "d"]


def test_pages_that_are_kept_are_bounded():
    _, overview = overview_of("a")
    for number in range(1000):
        query = ALL._replace(text=str(number))
        overview.refreshed_page(query, overview.page(query))
    assert 0 < len(overview._changes) <= len(overview._pages) <= 32
