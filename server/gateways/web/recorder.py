"""Measures what clients do, second by second, and gives a store's timeline the rows of it (measured.py).

An event costs a few additions. Each second, the clients that have had one are looked at; each minute all others, some
at a time. So a client that only is connected costs little, and one that is away and waits for nothing costs no row. The
server has rows of its own, of the time in which it measured: what is between them is not known.

A row of seconds is written when its minute is over. The rows of minutes and hours are written again as they grow, each
REWRITE_MINUTES and each hour: a server that is killed loses no more than that. All rows have the number of this run, so
nothing has to be read before they are written; who reads adds them up. A clock that is set back writes over them.
"""

import asyncio
import contextlib
import random

from protocol.errors import LinkError
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
    MAX_REASONS,
    MAX_SPANS,
    MINUTES,
    MOST_MS,
    OUTAGES,
    RECONNECTS,
    ROUND_TRIP_MS,
    ROUND_TRIPS,
    SECONDS,
    STARTS,
    UNREAD,
    WAITING,
    WHOLE_MINUTE,
    add,
    encode,
    encode_reason,
    encode_span,
    nothing,
    packed,
)
from server.gateways.web.utc import utc_s

REWRITE_MINUTES = 10  # after which the minutes of an hour that is not over are written
SLICE = 50  # clients whose minute is ended at once: 1 to 2 ms
PAUSE_S = 0.01  # between two slices
JUMP_S = 5.0  # of the clock between two looks: then it was set, or this process stood still
SIZES_S = 600.0  # between looks at what the rows take
MINUTE_MS = 60_000
RUN_BITS = 48


class Recorder:
    """Args: registry: Registry; store: see core/store.py; max_bytes: that the rows may take, about; told: function
    (exception), which is told why nothing is measured any more; clock: function () that returns UTC in s."""

    def __init__(self, registry, store, max_bytes, told, clock=utc_s):
        self.run_number = random.SystemRandom().getrandbits(RUN_BITS)
        self.timeline = store.timeline()
        self._registry = registry
        self._store = store
        self._max_bytes = max_bytes
        self._told = told
        self._clock = clock
        self._now = self._ms()  # of the last look
        self._server = _Measured(None, self._now // MINUTE_MS)
        self._server.up = self._now
        self._clients = {None: self._server}
        self._touched = set()
        self._stored = {}  # id -> lines that wait for a client which has not come since this run began
        self._limits = {}  # number of a level -> begin before which its rows go, since they take too much

    def note(self, event, client_id, details):
        """Take an event. It is a subscriber of events, so it does little."""
        if event == "received":
            self._of(client_id).now[LINES_IN] += len(details["lines"])
        elif event == "acknowledged":
            self._of(client_id).now[LINES_OUT] += details["count"]
        elif event == "connected":
            self._connected(self._of(client_id), details["peer"])
        elif event == "disconnected":
            self._disconnected(self._of(client_id), details["peer"], details["reason"])
        elif event == "new_life":
            self._of(client_id).now[STARTS] += 1
        elif event == "bridge_report":
            client = self._of(client_id)
            if details["number"] <= client.report:  # it counts them from 0 anew
                client.now[BRIDGE_STARTS] += 1
            client.report = details["number"]

    async def run(self):
        """Measure until cancelled. A fault ends the measuring, and nothing else."""
        try:
            await self._find_stored()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_sizes())
                await self._keep_looking(group)
        except* Exception as faults:
            self._told(faults.exceptions[0])

    async def _find_stored(self):
        """Have a row of clients that stay away and have lines that wait since a former run."""
        if self._store.others is not None:
            return  # another server may have such a client, or get it
        with contextlib.suppress(LinkError):  # the store's own events tell
            self._stored = {one["id"]: one["lines"] for one in await self._store.backlogs()}
        for client_id in self._stored:
            self._of(client_id)

    async def _keep_looking(self, group):
        """Look each second. What takes longer has its own task: a late look is taken for a jump of the clock."""
        while True:
            await asyncio.sleep(1.0 - self._clock() % 1.0)
            over = self.look()
            if over:
                group.create_task(self._finish_minutes(over))

    def look(self):
        """Take what the last second has brought. Returns a list of the clients whose minute is over."""
        before, self._now = self._now, self._ms()
        touched, self._touched = self._touched, set()
        for client in touched:
            self._end_second(client, self._second_of(client, before))
        if not 0 <= self._now - before <= JUMP_S * 1000:
            self._jump(before)
        minute = self._now // MINUTE_MS
        if before // MINUTE_MS == minute:
            return []
        for level in LEVELS:
            kept = (self._now // 1000 - level.keep_s) // level.row_s
            old = max(kept, self._limits.get(level.number, kept))
            self.timeline.drop(level.number, old, self._now // 1000, level.row_s)
        return [client for client in self._clients.values() if client.minute < minute]

    def _second_of(self, client, before):
        """Returns the second that is over for a client, at the look `before`: an event may have put it into a later
        minute already, and into an earlier one when the clock was set back."""
        if self._now < before and client.minute <= self._now // MINUTE_MS:
            return self._now // 1000
        return max(before // 1000, client.minute * 60)

    def close(self):
        """Have all that is open written: the server ends."""
        self._now = self._ms()
        for client in self._touched:
            self._end_second(client, self._now // 1000)
        self._touched = set()
        for client in self._clients.values():
            self._up_to_date(client)
            client.leave(self._now)
            self._sample_idle(client)
            client.roll_minute()
            client.roll_hour()
            for level in LEVELS:
                self._keep(client, level)

    def open_rows(self, client_id, level):
        """Returns (begin, row) of what is not written, or not all of it, or None."""
        client = self._clients.get(client_id)
        if client is None:
            return None
        data = client.open_row(level, self._ms())
        return (client.begin(level), data) if data else None

    def _ms(self):
        return int(self._clock() * 1000)

    def _of(self, client_id):
        client = self._clients.get(client_id)
        if client is None:
            client = self._clients[client_id] = _Measured(client_id, self._ms() // MINUTE_MS)
            self._sample_traffic(client)  # what was before is no part of this second
            client.now = nothing()
        self._touched.add(client)
        return client

    def _connected(self, client, peer):
        self._up_to_date(client)
        client.peer = peer
        if client.up is None:
            client.up = self._ms()
        else:
            client.now[RECONNECTS] += 1

    def _disconnected(self, client, peer, reason):
        if client.up is None or client.peer != peer:
            return  # a newer connection has replaced it
        self._up_to_date(client)
        client.leave(self._ms())
        client.now[OUTAGES] += 1
        client.add_reason(self._ms(), reason)

    def _up_to_date(self, client):
        """Have the client in the present minute."""
        minute = self._ms() // MINUTE_MS
        if client.minute != minute:
            self._end_minute(client, minute)

    def _end_second(self, client, second):
        if client.minute != second // 60:
            self._end_minute(client, second // 60)
        self._sample_traffic(client)
        self._sample_backlog(client)
        client.end_second(second % 60)

    async def _finish_minutes(self, clients):
        """End the minute of these clients, some at a time, unless an event of theirs, or the next minute, has."""
        for first in range(0, len(clients), SLICE):
            minute = self._now // MINUTE_MS
            for client in clients[first : first + SLICE]:
                if client.minute < minute:
                    self._end_minute(client, minute)
            await asyncio.sleep(PAUSE_S)

    def _end_minute(self, client, minute):
        """The client's minute is over, and this one begins."""
        self._sample_idle(client)
        client.end_minute()
        self._keep(client, SECONDS)
        over = client.minute
        if over % REWRITE_MINUTES == client.phase or minute // 60 != over // 60:
            self._keep(client, MINUTES)
        if minute // 60 != over // 60:
            client.roll_hour()
            self._keep(client, HOURS)
        client.begin_minute(minute)

    def _keep(self, client, level):
        data = client.row(level)
        if data:
            self.timeline.keep(client.id, level.number, client.begin(level), self.run_number, data)

    def _jump(self, before):
        """The clock has jumped: what was since is not known."""
        minute = self._now // MINUTE_MS
        for client in self._clients.values():
            if client.minute == minute and before // MINUTE_MS != minute:
                continue  # an event has put it there since
            up = client.up is not None
            client.leave(before)
            if client.minute != minute:
                self._end_minute(client, minute)
            client.up = self._now if up else None

    def _sample_idle(self, client):
        """What has no event: keepalives, and lines that wait."""
        if client.id is not None:
            self._sample_traffic(client)
            self._sample_backlog(client)
            if client.now[WAITING] or client.now[UNREAD] or client.backlog[0]:
                client.end_second(59)

    def _sample_traffic(self, client):
        connection = self._registry.get(client.id)
        traffic, (received, sent) = connection.traffic, connection.wire_bytes
        trips, took_ms = traffic.round_trips, traffic.round_trip_ms
        before, client.sampled = client.sampled, (received, sent, trips, took_ms)
        now = client.now
        now[BYTES_IN] += received - before[0]
        now[BYTES_OUT] += sent - before[1]
        if trips != before[2]:
            add_trips(now, trips - before[2], took_ms - before[3], *traffic.extremes())

    def _sample_backlog(self, client):
        now, connection = client.now, self._registry.get(client.id)
        if connection.here():
            self._stored.pop(client.id, None)
            waiting = connection.waiting_lines
        else:
            waiting = self._stored.get(client.id, 0)  # what another server has is for that one to measure
        now[WAITING] = max(now[WAITING], waiting)
        try:
            now[UNREAD] = max(now[UNREAD], self._store.unread(client.id)[0])
        except LinkError:
            pass  # it is not this server's now

    async def _keep_sizes(self):
        while True:
            await self._look_at_sizes()
            await asyncio.sleep(SIZES_S)

    async def _look_at_sizes(self):
        """Shorten all levels alike while the rows take too much."""
        try:
            sizes = await self.timeline.sizes()
        except LinkError:
            return  # at the next look
        self._limits = cuts(sizes, self._clock(), self._max_bytes)


def add_trips(values, count, took_ms, least_ms, most_ms):
    """Add round trips to an interval."""
    more = nothing()
    more[ROUND_TRIPS], more[ROUND_TRIP_MS], more[LEAST_MS], more[MOST_MS] = count, took_ms, least_ms, most_ms
    add(values, more)


def cuts(sizes, now_s, max_bytes):
    """Returns {number of a level: begin before which its rows are to go} so that the rest takes at most max_bytes.

    Each level loses the same part of its time. sizes: [(number of a level, begin, bytes)]."""
    left, found = sum(size for _, _, size in sizes) - max_bytes, {}

    def age(row):
        level = LEVELS[row[0]]
        return (now_s - row[1] * level.row_s) / level.keep_s

    for number, begin, size in sorted(sizes, key=age, reverse=True):
        if left <= 0:
            break
        found[number] = max(found.get(number, 0), begin + 1)
        left -= size
    return found


class _Measured:
    """What is measured of one client, or of the server (id None), and is not written yet."""

    __slots__ = (
        "id", "minute", "phase", "up", "peer", "now", "sampled", "spans", "reasons", "rows", "minute_sum", "hour_sum",
        "report", "backlog",
    )  # fmt: skip

    def __init__(self, client_id, minute):
        self.id = client_id
        self.minute = minute  # the present one, since 1970
        self.phase = hash(client_id) % REWRITE_MINUTES  # so that not all are written at once
        self.up = None  # since when it is connected, UTC in ms
        self.peer = None
        self.now = nothing()  # of this second
        self.sampled = (0, 0, 0, 0)  # counts of its Connection when they were looked at last
        self.spans = []  # of this minute, in which it was connected: (from, to) in ms
        self.reasons = [0, 0, 0]  # in the row of each level
        self.rows = [bytearray(), bytearray(), bytearray()]  # entries of the present row of each level
        self.minute_sum = nothing()
        self.hour_sum = nothing()
        self.report = -1  # number of its bridge's last report
        self.backlog = [False] * len(LEVELS)  # of each level, the last entry has lines that wait or are unread

    def begin(self, level):
        return self.minute * 60 // level.row_s

    def leave(self, now_ms):
        """It is not connected any more."""
        if self.up is not None:
            self._add_span(self.up, now_ms)
            self.up = None

    def add_reason(self, now_ms, text):
        for level in LEVELS:
            if self.reasons[level.number] < MAX_REASONS:
                self.reasons[level.number] += 1
                at_ms = max(0, now_ms - self.begin(level) * level.row_s * 1000)
                self.rows[level.number] += encode_reason(at_ms, text)

    def end_second(self, index):
        if self._enter(0, index, self.now):
            add(self.minute_sum, self.now)
            self.now = nothing()

    def end_minute(self):
        """Roll the minute up into the hour. The row of its seconds is complete then."""
        if self.up is not None:
            self._add_span(self.up, (self.minute + 1) * MINUTE_MS)
        self.roll_minute()

    def roll_minute(self):
        """Roll what there is of the minute up."""
        add(self.minute_sum, self.now)  # what no second has
        self.now = nothing()
        self.minute_sum[CONNECTED] = sum(end - begin for begin, end in self.spans)
        if self._enter(1, self.minute % 60, self.minute_sum):
            add(self.hour_sum, self.minute_sum)
        self.minute_sum = nothing()

    def roll_hour(self):
        """Roll the hour up into the day. The row of its minutes is complete then."""
        self._enter(2, self.minute // 60 % 24, self.hour_sum)
        self.hour_sum = nothing()

    def _enter(self, number, index, values):
        """Add an entry to the row of a level, unless it would say nothing. Returns whether it was added."""
        if not any(values) and not self.backlog[number]:
            return False
        self.backlog[number] = bool(values[WAITING] or values[UNREAD])
        self.rows[number] += encode(index, values)
        return True

    def begin_minute(self, minute):
        """Begin this minute, and the rows that begin with it."""
        before, self.minute = [self.begin(level) for level in LEVELS], minute
        self.spans = []
        for level in LEVELS:
            if self.begin(level) != before[level.number]:
                self.rows[level.number] = bytearray()
                self.reasons[level.number] = 0

    def row(self, level):
        """Returns the row of this level as it is now, or None."""
        entries = self.rows[level.number]
        if level is SECONDS:
            if not entries and self.spans == [(0, MINUTE_MS)]:
                return WHOLE_MINUTE
            entries = entries + b"".join(encode_span(*span) for span in self.spans)
        return packed(entries) if entries else None

    def open_row(self, level, now_ms):
        """As `row`, with what is not rolled up yet."""
        spans = self.spans
        if self.up is not None:
            spans = spans + [self._span(self.up, min(now_ms, (self.minute + 1) * MINUTE_MS))]
        entries = bytes(self.rows[level.number])
        if level is SECONDS:
            second = now_ms // 1000 % 60 if now_ms // MINUTE_MS == self.minute else 59
            last = encode(second, self.now) if any(self.now) else b""
            return packed(entries + last + b"".join(encode_span(*span) for span in spans))
        minute = self.minute_sum[:]
        add(minute, self.now)
        minute[CONNECTED] = sum(end - begin for begin, end in spans)
        if level is HOURS:
            hour = self.hour_sum[:]
            add(hour, minute)
            return packed(entries + encode(self.minute // 60 % 24, hour))
        return packed(entries + encode(self.minute % 60, minute))

    def _add_span(self, begin_ms, end_ms):
        span = self._span(begin_ms, end_ms)
        if len(self.spans) == MAX_SPANS:  # the outages are counted all the same
            self.spans[-1] = self.spans[-1][0], span[1]
        elif span[1] > span[0]:
            self.spans.append(span)

    def _span(self, begin_ms, end_ms):
        start = self.minute * MINUTE_MS
        begin = min(max(begin_ms - start, 0), MINUTE_MS)
        return begin, min(max(end_ms - start, begin), MINUTE_MS)
