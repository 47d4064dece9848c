"""The last lines of clients, and the last events of the server, in memory and bounded, for who looks at them.

Entries are numbered from 1 on. It knows nothing of HTTP.
"""

from collections import OrderedDict, deque

from server.core.logged_events import level_of
from server.gateways.web.utc import utc_s

MAX_CLIENTS = 500  # whose lines are kept: those that have talked last
MAX_LINES = 100  # of a client, both ways
MAX_SHOWN = 256  # bytes of a line; the rest is left out
MAX_EVENTS = 500
MAX_DETAIL = 200  # characters of each detail of an event
FROM_CLIENT, TO_CLIENT = "from", "to"


class RecentLines:
    """The newest lines of each client, both ways. A line is bytes without a newline in them.

    What comes at once is kept as one piece, so that a busy client costs little: the objects of its lines can go."""

    def __init__(self, clock=utc_s):
        self._clock = clock
        self._kept = OrderedDict()  # id -> _Kept
        self._number = 0

    def note(self, event, client_id, details):
        """Take an event. It is a subscriber of events, so it does little."""
        if event == "received":
            self.add(client_id, FROM_CLIENT, details["lines"])

    def note_sent(self, client_id, line):
        """Take a line to a client, when it is stored. It follows lines, so it does little."""
        self.add(client_id, TO_CLIENT, (line,))

    def add(self, client_id, way, lines):
        """Take lines of one moment. way: FROM_CLIENT or TO_CLIENT; lines: sequence of bytes."""
        if not lines:
            return
        lines = lines[-MAX_LINES:]
        kept = self._kept.get(client_id)
        if kept is None:
            kept = self._kept[client_id] = _Kept()
            if len(self._kept) > MAX_CLIENTS:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(client_id)
        kept.add(self._number + 1, self._clock(), way, lines)
        self._number += len(lines)

    def after(self, client_id, number=0):
        """Returns the lines that are newer than this number, as dicts, the oldest first."""
        kept = self._kept.get(client_id)
        return kept.after(number) if kept else []


class _Kept:
    """The last MAX_LINES lines of one client, and what came together with the first of them: fewer than 200."""

    __slots__ = ("count", "pieces")

    def __init__(self):
        self.count = 0
        self.pieces = deque()  # of (number of the first, lines, UTC, way, the lines joined, their sizes or None)

    def add(self, number, at, way, lines):
        count, joined, sizes = len(lines), b"\n".join(lines), None
        if len(joined) > count * MAX_SHOWN:
            joined, sizes = b"\n".join([line[:MAX_SHOWN] for line in lines]), [len(line) for line in lines]
        self.pieces.append((number, count, at, way, joined, sizes))
        self.count += count
        while self.count - self.pieces[0][1] >= MAX_LINES:
            self.count -= self.pieces.popleft()[1]

    def after(self, number):
        found = []
        for first, count, at, way, joined, sizes in self.pieces:
            if first + count - 1 <= number:
                continue
            lines = joined.split(b"\n")
            for index in range(max(0, number + 1 - first), count):
                size = sizes[index] if sizes else len(lines[index])
                found.append(_shown_line(first + index, at, way, lines[index], size))
        return found[-MAX_LINES:]


class RecentEvents:
    """The newest events of the log. Details are texts."""

    def __init__(self, clock=utc_s):
        self._clock = clock
        self._kept = deque(maxlen=MAX_EVENTS)
        self._number = 0

    def note(self, event, client_id, details):
        """Take a line of the log. It is called for each of them, so it does little."""
        self._number += 1
        shown = {name: str(value)[:MAX_DETAIL] for name, value in details.items() if name != "traceback"}
        self._kept.append(
            {
                "number": self._number, "at": round(self._clock(), 3), "event": event, "client": client_id,
                "level": level_of(event).lower(), "details": shown,
            }
        )  # fmt: skip

    def after(self, number=0, count=MAX_EVENTS):
        """Returns the events that are newer than this number, at most so many, the oldest first."""
        return [entry for entry in self._kept if entry["number"] > number][-count:]


def _shown_line(number, at, way, data, size):
    text = data[:MAX_SHOWN].decode(errors="replace")
    return {"number": number, "at": round(at, 3), "way": way, "text": text, "bytes": size}
