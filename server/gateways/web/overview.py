"""The clients as the page lists them: a row of each, kept up to date by events, and the part that a viewer asks for.

Of thousands of clients only those that have changed are looked at again, and only a page of them is sent. What a
viewer sees for the first time is up to date (`page`, `row`); what is sent afterwards is as of the last `refresh`, which
is done once for all viewers. It knows nothing of HTTP.
"""

from collections import namedtuple
from itertools import islice

from server.gateways.web.sampled import UNKNOWN
from server.gateways.web.utc import utc_s

CONNECTED, AWAY, NEVER = "connected", "away", "never"
STATES = (CONNECTED, AWAY, NEVER)
MAX_PAGE = 200  # rows
MAX_TEXT = 64  # characters of a filter
SLICE = 500  # rows that are made anew at once: 1 to 2 ms
_CACHED = 32  # pages of one moment: viewers of the same page share it
_NO_SIGNAL = -128  # dBm: below each that there is

# Names of columns, each with the part of a row that orders it.
SORTS = {
    "id": lambda row: row["id"],
    "state": lambda row: STATES.index(row["state"]),
    "since": lambda row: row["changed"] or 0,
    "last_line": lambda row: row["last_line"] or 0,
    "lines_received": lambda row: row["lines_received"],
    "lines_acknowledged": lambda row: row["lines_acknowledged"],
    "lines_per_s": lambda row: row["lines_per_s"] or 0,
    "bytes_per_s": lambda row: row["bytes_per_s"] or 0,
    "waiting": lambda row: row["waiting_lines"],
    "unread": lambda row: row["unread_lines"] or 0,
    "outages": lambda row: row["outages"],
    "round_trip": lambda row: row["round_trip_s"] / max(row["round_trips"], 1),
    "wifi": lambda row: (row["bridge"] or {}).get("rssi_dbm") or _NO_SIGNAL,
    "heap": lambda row: (row["bridge"] or {}).get("free_bytes") or 0,
    "release": lambda row: (row["bridge"] or {}).get("release") or "",
}

# state: one of STATES, or ""; text: part of an id; sort: one of SORTS; descending: bool; page: from 0; size: of rows.
Query = namedtuple("Query", "state text sort descending page size")


def difference(before, now):
    """Returns a dict of what differs between two pages, or None: `clients`, the rows that have changed; `order`, the
    ids of all rows, if it has; `matching`, `total` and `states` likewise."""
    known = {row["id"]: row for row in before["clients"]}
    change = {"clients": [row for row in now["clients"] if known.get(row["id"]) != row]}
    order = [row["id"] for row in now["clients"]]
    if order != list(known):
        change["order"] = order
    for part in ("matching", "total", "states"):
        if now[part] != before[part]:
            change[part] = now[part]
    return change if len(change) > 1 or change["clients"] else None


class Overview:
    """Args: status: ClientStatus; clock: function () that returns UTC in s."""

    def __init__(self, status, clock=utc_s):
        self._status = status
        self._clock = clock
        self._rows = {}
        self._names = []  # ids of all clients, sorted
        self._changed = None  # ids whose rows are old; None: all of them
        self._last_line = {}  # id -> UTC
        self._reasons = {}  # id -> why it was disconnected last
        self._waiting = {}  # id -> lines in the store
        self._samples = {}  # id -> Sample
        self._pages = {}  # Query -> page, of this moment
        self._changes = {}  # Query of one of _pages -> (page before, page, what differs) that were asked for last

    def note(self, event, client_id, details):
        """Take an event. It is a subscriber of events, so it does little."""
        if client_id is None:
            return
        if event == "received":
            self._last_line[client_id] = self._clock()
        elif event == "disconnected":
            self._reasons[client_id] = details["reason"]
        if self._changed is not None:
            self._changed.add(client_id)

    def all_changed(self):
        """Note that there may be other clients than before."""
        self._changed = None

    def set_waiting(self, backlogs):
        """Take what Store.backlogs returned."""
        waiting = {one["id"]: one["lines"] for one in backlogs}
        different = {name for name, _ in waiting.items() ^ self._waiting.items()}
        self._waiting = waiting
        if self._changed is not None:
            self._changed |= different

    def set_samples(self, samples):
        """Take {id: Sample} of some clients. Their rows are not made anew."""
        for name, sample in samples.items():
            if name in self._rows and sample != self._samples.get(name, UNKNOWN):
                self._rows[name] = {**self._rows[name], **sample._asdict()}
                self._forget_pages()
        self._samples.update(samples)

    def row(self, client_id):
        """Returns the row of a client, a dict, or None."""
        self._refresh_all()
        return self._rows.get(client_id)

    def page(self, query):
        """Returns a dict: `clients`, the rows of this page in their order; `matching`: rows of all its pages;
        `total`; `states`: {state: count} of all clients. It is the same object until something changes."""
        self._refresh_all()
        return self._page_of(query)

    def refreshed_row(self, client_id):
        """As `row`, of the last `refresh`."""
        return self._rows.get(client_id)

    def refreshed_page(self, query, before):
        """Returns (page, what differs from the page `before`: see `difference`), of the last `refresh`. They are the
        same objects for all who have seen the same page."""
        now = self._page_of(query)
        known = self._changes.get(query)
        if known is None or known[0] is not before or known[1] is not now:
            known = self._changes[query] = before, now, difference(before, now)
        return known[1:]

    def refresh(self):
        """Make the rows anew that have changed. Yields after SLICE of them. Rows that change meanwhile may have to
        wait for the next time."""
        self._find_clients()
        left = len(self._changed)
        while left > 0 and self._changed:
            some = list(islice(self._changed, SLICE))
            for name in some:
                self._rows[name] = self._row(name)
            self._changed.difference_update(some)
            self._forget_pages()
            left -= len(some)
            yield
            self._find_clients()  # others may have come

    def _refresh_all(self):
        for _ in self.refresh():
            pass

    def _find_clients(self):
        """Find out which clients there are, if there may be others than before."""
        every = self._changed is None
        if not every and self._changed <= self._rows.keys():
            return
        self._names = self._status.names()
        known = set(self._names)
        if every:
            self._rows = {name: row for name, row in self._rows.items() if name in known}
            self._samples = {name: sample for name, sample in self._samples.items() if name in known}
            self._forget_pages()
        self._changed = known if every else self._changed & known

    def _page_of(self, query):
        if query not in self._pages:
            if len(self._pages) == _CACHED:
                self._forget_pages()
            self._pages[query] = self._made_page(query)
        return self._pages[query]

    def _forget_pages(self):
        self._pages.clear()
        self._changes.clear()

    def _made_page(self, query):
        text = query.text.lower()
        rows = [self._rows[name] for name in self._names if name in self._rows]
        found = [row for row in rows if (not query.state or row["state"] == query.state) and text in row["id"].lower()]
        if query.sort != "id" or query.descending:
            found.sort(key=SORTS[query.sort], reverse=query.descending)
        begin = query.page * query.size
        states = dict.fromkeys(STATES, 0)
        for row in rows:
            states[row["state"]] += 1
        return {
            "clients": found[begin : begin + query.size], "matching": len(found), "total": len(rows), "states": states,
        }  # fmt: skip

    def _row(self, name):
        row = self._status.of(name)
        state = CONNECTED if row["connected"] else AWAY if row["connections"] else NEVER
        return {
            **row, "state": state, "changed": row["since"] if row["connected"] else row["left"],
            "last_line": self._last_line.get(name), "waiting_lines": self._waiting.get(name, 0),
            "reason": self._reasons.get(name), "outage_s": round(self._status.ended_outage_s(name), 3),
            **self._samples.get(name, UNKNOWN)._asdict(),
        }  # fmt: skip
