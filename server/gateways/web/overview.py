"""The clients as the page lists them: a row of each, kept up to date by events, and the part that a viewer asks for.

Of thousands of clients only those that have changed are looked at again, and only a page of them is sent. It knows
nothing of HTTP.
"""

from collections import namedtuple

from server.gateways.web.sampled import UNKNOWN
from server.gateways.web.utc import utc_s

CONNECTED, AWAY, NEVER = "connected", "away", "never"
STATES = (CONNECTED, AWAY, NEVER)
MAX_PAGE = 200  # rows
MAX_TEXT = 64  # characters of a filter
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


class Overview:
    """Args: status: ClientStatus; clock: function () that returns UTC in s."""

    def __init__(self, status, clock=utc_s):
        self._status = status
        self._clock = clock
        self._rows = {}
        self._changed = None  # ids whose rows are old; None: all of them
        self._last_line = {}  # id -> UTC
        self._reasons = {}  # id -> why it was disconnected last
        self._waiting = {}  # id -> lines in the store
        self._samples = {}  # id -> Sample
        self._pages = {}  # Query -> page, of this moment

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
                self._pages.clear()
        self._samples.update(samples)

    def row(self, client_id):
        """Returns the row of a client, a dict, or None."""
        return self._fresh().get(client_id)

    def page(self, query):
        """Returns a dict: `clients`, the rows of this page in their order; `matching`: rows of all its pages;
        `total`; `states`: {state: count} of all clients. It is the same object until something changes."""
        rows = self._fresh()
        if query not in self._pages:
            if len(self._pages) == _CACHED:
                self._pages.clear()
            self._pages[query] = self._page(rows, query)
        return self._pages[query]

    def _page(self, rows, query):
        text = query.text.lower()
        found = [
            row for row in rows.values()
            if (not query.state or row["state"] == query.state) and text in row["id"].lower()
        ]  # fmt: skip
        found.sort(key=SORTS["id"])
        found.sort(key=SORTS[query.sort], reverse=query.descending)
        begin = query.page * query.size
        states = dict.fromkeys(STATES, 0)
        for row in rows.values():
            states[row["state"]] += 1
        return {
            "clients": found[begin : begin + query.size], "matching": len(found), "total": len(rows), "states": states,
        }  # fmt: skip

    def _fresh(self):
        """Returns {id: row}, up to date."""
        changed = self._changed
        self._changed = set()
        if changed is None:
            self._rows = {name: self._row(name) for name in self._status.names()}
            self._samples = {name: sample for name, sample in self._samples.items() if name in self._rows}
        elif changed:
            known = set(self._status.names()) if changed - self._rows.keys() else self._rows.keys()
            for name in changed & known:
                self._rows[name] = self._row(name)
        if changed is None or changed:
            self._pages.clear()
        return self._rows

    def _row(self, name):
        row = self._status.of(name)
        state = CONNECTED if row["connected"] else AWAY if row["connections"] else NEVER
        return {
            **row, "state": state, "changed": row["since"] if row["connected"] else row["left"],
            "last_line": self._last_line.get(name), "waiting_lines": self._waiting.get(name, 0),
            "reason": self._reasons.get(name), "outage_s": round(self._status.ended_outage_s(name), 3),
            **self._samples.get(name, UNKNOWN)._asdict(),
        }  # fmt: skip
