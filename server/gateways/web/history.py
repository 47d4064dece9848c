"""What was measured of a client (recorder.py) as a series of points, for charts and programs. It knows no HTTP."""

import asyncio

from server.gateways.web.measured import (
    BRIDGE_STARTS,
    BYTES_IN,
    BYTES_OUT,
    CONNECTED,
    HOURS,
    LEAST_MS,
    LEVELS,
    LINES_IN,
    LINES_OUT,
    MOST_MS,
    OUTAGES,
    RECONNECTS,
    ROUND_TRIP_MS,
    ROUND_TRIPS,
    SECONDS,
    STARTS,
    UNREAD,
    WAITING,
    Row,
    add,
    nothing,
)

MAX_POINTS = 2000
POINTS = 500  # unless asked for another number
SPAN_S = 24 * 3600  # likewise
MAX_SPAN_S = HOURS.keep_s + HOURS.row_s
MAX_REASONS = 200  # of a series: the last ones
_ROWS_AT_ONCE = 8  # that are decoded before others have a turn: 2 to 4 ms
# Counts of a point by name. A point of which nothing is known has None in their place.
COUNTS = {
    "outages": OUTAGES, "starts": STARTS, "lines_received": LINES_IN, "lines_acknowledged": LINES_OUT,
    "wire_bytes_received": BYTES_IN, "wire_bytes_sent": BYTES_OUT, "round_trips": ROUND_TRIPS,
    "bridge_starts": BRIDGE_STARTS, "reconnects": RECONNECTS,
}  # fmt: skip
ROUND_TRIP_S = ("round_trip_s", "least_round_trip_s", "longest_round_trip_s")
BACKLOGS = {"waiting_lines": WAITING, "unread_lines": UNREAD}
COLUMNS = ("at", "known_s", "connected_s", *COUNTS, *ROUND_TRIP_S, *BACKLOGS)


class History:
    """Args: recorder: Recorder; clock: function () that returns UTC in s."""

    def __init__(self, recorder, clock):
        self._recorder = recorder
        self._clock = clock

    async def series(self, client_id, from_s, to_s, points):
        """Returns a dict: from, to, step: s; resolution: s, of what the points are made; points: {name of COLUMNS:
        list}; reasons: [{at, reason}] of outages. from_s < to_s, at most MAX_SPAN_S apart; points: 1..MAX_POINTS.

        Raises: StoreError."""
        level = _level(from_s, self._clock())
        step = _step(level, to_s - from_s, points)
        start = int(from_s // step * step)
        made = [_Point() for _ in range(int(-(-(to_s - start) // step)))]
        reasons = []
        for row_s, row in await self._rows(None, level, start, to_s):
            _add_connected(row, level, row_s, start, step, made, "known_ms")
        for row_s, row in await self._rows(client_id, level, start, to_s):
            _add_connected(row, level, row_s, start, step, made, "connected_ms")
            for index, values in row.intervals:
                at = (row_s + index * level.interval_s - start) // step
                if 0 <= at < len(made):
                    made[at].add(values)
            reasons += [(row_s + ms / 1000, text) for ms, text in row.reasons]
        reasons = sorted(one for one in reasons if start <= one[0] <= to_s)[-MAX_REASONS:]
        return {
            "from": start, "to": to_s, "step": step, "resolution": level.interval_s,
            "points": _columns(made, start, step),
            "reasons": [{"at": round(at, 3), "reason": text} for at, text in reasons],
        }  # fmt: skip

    async def _rows(self, client_id, level, from_s, to_s):
        """Returns [(UTC at which it begins, Row)]."""
        begins = list(range(from_s // level.row_s, int(to_s // level.row_s) + 1))
        recorder = self._recorder
        found = {
            (begin, run): data for begin, run, data in await recorder.timeline.read(client_id, level.number, begins)
        }
        now = recorder.open_rows(client_id, level)
        if now is not None:
            found[now[0], recorder.run_number] = now[1]
        rows = []
        for count, ((begin, _), data) in enumerate(sorted(found.items())):
            if count % _ROWS_AT_ONCE == 0:
                await asyncio.sleep(0)
            try:
                rows.append((begin * level.row_s, Row(data)))
            except ValueError:
                continue  # one that nobody can read is as one that nobody has written
        return rows


class _Point:
    __slots__ = ("connected_ms", "known_ms", "last", "values")

    def __init__(self):
        self.known_ms = self.connected_ms = 0
        self.values = None  # or what was in it
        self.last = None  # of its intervals

    def add(self, values):
        if self.values is None:
            self.values = nothing()
        add(self.values, values)
        self.last = values


def _level(from_s, now_s):
    """Returns the finest Level that goes back so far."""
    return next((one for one in LEVELS if from_s >= now_s - one.keep_s - one.row_s), HOURS)


def _step(level, span_s, points):
    """Returns the seconds of a point: a multiple of the level's interval."""
    return -(-int(-(-span_s // points)) // level.interval_s) * level.interval_s


def _add_connected(row, level, row_s, start, step, made, name):
    """Add the time in which it was connected to the points."""
    spans = row.spans
    if level is not SECONDS:
        size_ms = level.interval_s * 1000
        spans = [(index * size_ms, index * size_ms + values[CONNECTED]) for index, values in row.intervals]
    for begin_ms, end_ms in spans:
        begin, end = (row_s - start) * 1000 + begin_ms, (row_s - start) * 1000 + end_ms
        at = begin // 1000 // step
        while begin < end:
            following = min(end, (at + 1) * step * 1000)
            if 0 <= at < len(made):
                setattr(made[at], name, getattr(made[at], name) + following - begin)
            begin, at = following, at + 1


def _columns(made, start, step):
    columns = {name: [] for name in COLUMNS}
    backlog = dict.fromkeys(BACKLOGS, 0)  # it stays until something else is measured
    for number, point in enumerate(made):
        known = point.known_ms or point.connected_ms or point.values
        values = point.values or nothing()
        columns["at"].append(start + number * step)
        columns["known_s"].append(min(step, point.known_ms / 1000))
        columns["connected_s"].append(min(step, point.connected_ms / 1000) if known else None)
        for name, at in COUNTS.items():
            columns[name].append(values[at] if known else None)
        trips = values[ROUND_TRIPS]
        found = (values[ROUND_TRIP_MS] / trips, values[LEAST_MS], values[MOST_MS]) if trips else (None,) * 3
        for name, ms in zip(ROUND_TRIP_S, found):
            columns[name].append(ms if ms is None else round(ms / 1000, 4))
        for name, at in BACKLOGS.items():
            most = backlog[name] if point.values is None else values[at]
            columns[name].append(most if known else None)
            if point.last is not None:
                backlog[name] = point.last[at]
    return columns
