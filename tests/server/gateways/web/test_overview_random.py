"""The list of clients as viewers see it, whatever happens in whatever order: also between the steps of a refresh."""

import json
import random

import pytest

from server.gateways.web import overview as overview_module
from server.gateways.web.overview import SORTS, STATES, Overview, Query
from server.gateways.web.recent import RecentLines
from server.gateways.web.sampled import UNKNOWN, Sample
from server.gateways.web.views import ClientsView, ClientView
from tests.server.gateways.web.bed import Fleet

SEEDS = 300
EVENTS = 200
ALL = Query("", "", "id", False, 0, 200)


def copied(found):
    return json.loads(json.dumps(found))


class Page:
    """What a browser knows of the list, from a snapshot and what has changed since."""

    def __init__(self, overview, query):
        self.query = query
        self._view = ClientsView(overview, query)
        self._known = copied(self._view.snapshot())
        self._rows = {row["id"]: row for row in self._known.pop("clients")}

    def follow(self):
        change = copied(self._view.change()) or {"clients": []}
        self._rows |= {row["id"]: row for row in change.pop("clients")}
        self._rows = {name: self._rows[name] for name in change.pop("order", self._rows)}
        self._known |= change

    def check(self, overview):
        assert {"clients": list(self._rows.values()), **self._known} == copied(overview.page(self.query))


class ClientPage:
    """The same of one client."""

    def __init__(self, overview, name):
        self._name = name
        self._view = ClientView(overview, RecentLines(), name)
        self._row = self._view.snapshot()["client"]

    def follow(self):
        self._row = (self._view.change() or {}).get("client", self._row)

    def check(self, overview):
        assert self._row == overview.row(self._name)


class Played:
    """Clients that come, go and talk, while pages look on."""

    def __init__(self, chosen):
        self._chosen = chosen
        self._every = [f"n{number:02}" for number in range(20)]
        self.fleet = Fleet(*self._every[:10])
        self.overview = Overview(self.fleet, lambda: chosen.random() * 100)
        self.fleet.subscribers.append(self.overview.note)
        self._queries = [self._query() for _ in range(4)]
        self._steps = iter(())
        self.pages = []

    def _query(self):
        one = self._chosen
        state, text, sort = one.choice(("", *STATES)), one.choice(("", "1", "n0")), one.choice(list(SORTS))
        return Query(state, text, sort, one.random() < 0.5, one.choice((0, 0, 1)), one.choice((3, 50)))

    def step(self):
        kinds = {
            self._talk: 7, self._all_talk: 1, self._come_or_go: 2, self._sample: 1, self._wait: 1, self._ask: 3,
            self._refresh: 4, self._open: 1, self._follow: 3,
        }  # fmt: skip
        self._chosen.choices(list(kinds), kinds.values())[0]()

    def _talk(self):
        if self.fleet.clients:
            does = self._chosen.choice((self.fleet.connect, self.fleet.leave, self._says))
            does(self._chosen.choice(list(self.fleet.clients)))

    def _says(self, name):
        self.fleet.receive(name, b"x")

    def _all_talk(self):
        for name in self.fleet.clients:
            self._says(name)

    def _come_or_go(self):
        name = self._chosen.choice(self._every)
        if name in self.fleet.clients:
            del self.fleet.clients[name]
            self.overview.all_changed()
            return
        self.fleet.clients[name] = Fleet(name).get(name)
        self._chosen.choice((self.overview.all_changed, lambda: self.fleet.connect(name)))()

    def _sample(self):
        one = self._chosen
        self.overview.set_samples(
            {name: Sample(one.random(), 1, one.randrange(3)) for name in self.fleet.clients if one.random() < 0.5}
        )

    def _wait(self):
        """The store has lines for names that are no clients as well."""
        names = [name for name in self._every if self._chosen.random() < 0.5]
        self.overview.set_waiting([{"id": name, "lines": self._chosen.randrange(5)} for name in names])

    def _ask(self):
        self._chosen.choice((lambda: self.overview.page(self._chosen.choice(self._queries)),
                             lambda: self.overview.row(self._chosen.choice(self._every))))()  # fmt: skip

    def _refresh(self):
        if next(self._steps, self) is self:
            self._steps = self.overview.refresh()

    def _open(self):
        if len(self.pages) < 12:
            self.pages.append(self._chosen.choice((
                lambda: Page(self.overview, self._chosen.choice(self._queries)),
                lambda: ClientPage(self.overview, self._chosen.choice(self._every)),
            ))())  # fmt: skip

    def _follow(self):
        if self.pages:
            self._chosen.choice(self.pages).follow()

    def end(self):
        for steps in (self._steps, self.overview.refresh()):
            for _ in steps:
                pass
        for page in self.pages:
            page.follow()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_pages_come_to_show_what_there_is(monkeypatch, seed):
    chosen = random.Random(seed)
    monkeypatch.setattr(overview_module, "SLICE", chosen.choice((1, 2, 3, 7, 500)))
    monkeypatch.setattr(overview_module, "_CACHED", chosen.choice((1, 2, 32)))
    played = Played(chosen)
    for _ in range(EVENTS):
        played.step()
    played.end()
    fleet, overview = played.fleet, played.overview
    for page in played.pages:
        page.check(overview)
    rows = overview.page(ALL)["clients"]
    assert [row["id"] for row in rows] == fleet.names()
    for row in rows:
        assert row.items() >= fleet.of(row["id"]).items()
        assert row["waiting_lines"] == overview._waiting.get(row["id"], 0)
        assert row["unread_lines"] == overview._samples.get(row["id"], UNKNOWN).unread_lines
    assert len(overview._changes) <= len(overview._pages) <= overview_module._CACHED
