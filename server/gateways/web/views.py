"""What a viewer of the live page has seen, and what has changed since: no queue, whatever the viewer's pace.

Each view has `snapshot`, all of it as a dict, and `change`, what differs from what was taken last, or None. A viewer
that was slow takes one change more, not those that it has missed. `close` is called once, at the end.
"""

from server.gateways.web.recent import MAX_LINES


class View:
    """What all views have."""

    def close(self):
        """The viewer has gone."""


class ClientsView(View):
    """A page of the overview. Args: overview: Overview; query: Query."""

    def __init__(self, overview, query):
        self._overview = overview
        self._query = query
        self._seen = None

    def snapshot(self):
        self._seen = self._overview.page(self._query)
        return self._seen

    def change(self):
        """Returns the rows that have changed, and the order and the counts if they have."""
        self._seen, change = self._overview.refreshed_page(self._query, self._seen)
        return change


class ClientView(View):
    """A client. Args: overview: Overview; lines: RecentLines; client_id."""

    def __init__(self, overview, lines, client_id):
        self._overview = overview
        self._lines = lines
        self._id = client_id
        self._row = None
        self._number = 0

    def snapshot(self):
        self._row = self._overview.row(self._id)
        lines = self._lines.after(self._id)
        self._number = lines[-1]["number"] if lines else 0
        return {"client": self._row, "lines": lines}

    def change(self):
        """Returns the row if it has changed, and the new lines; `missed`: lines are missing between."""
        row, lines, change = self._overview.refreshed_row(self._id), self._lines.after(self._id, self._number), {}
        if row != self._row:
            self._row = change["client"] = row
        if lines:
            self._number = lines[-1]["number"]
            change["lines"] = lines
            if len(lines) == MAX_LINES:
                change["missed"] = True
        return change or None


class LogView(View):
    """The log. Args: events: RecentEvents."""

    def __init__(self, events):
        self._events = events
        self._number = 0

    def snapshot(self):
        self._number = 0
        return self.change() or {"events": []}

    def change(self):
        """Returns the new events."""
        found = self._events.after(self._number)
        if not found:
            return None
        self._number = found[-1]["number"]
        return {"events": found}
