"""What was measured of clients, kept for charts: rows without a promise, that cost a store no transaction of their own.

A row is bytes, and has a client (None: the server itself), a level, a begin and a run, all three ints that the writer
chooses: server/gateways/web/recorder.py says which. A store knows only the order of begins.

`keep` and `drop` return at once, and begin nothing. What waits goes along with the next transaction that the store
makes for messages, at most ROWS_AT_ONCE rows with each; and with one more when the store is closed. So rows that no
message has followed are lost when the process is killed.

A transaction of messages never fails because of rows: if it fails with them, it is done again without them
(SQLiteTaken.guard, PostgresTaken.first), and for PAUSE_S none go along: the event
`history_not_written` tells why, and how many rows were lost so far.
"""

import time
from contextlib import suppress
from itertools import chain, islice

from protocol.errors import StoreError

ROWS_AT_ONCE = 500  # with one transaction: 2 to 4 ms in SQLite
DROPS_AT_ONCE = 500  # rows that one transaction deletes, and DROPS_OF_A_ROW for each that it writes
DROPS_OF_A_ROW = 4  # the levels take turns, and most rows are of one level: more than that grows without end
DROP_S = 0.25  # between two transactions that delete
WAITING_BYTES = 8 << 20  # of rows that wait; beyond it a fiftieth goes, first of the finest level what waits longest
PAUSE_S = 600.0  # after rows have made a transaction fail
ROW_COST = 48  # bytes that a row takes beyond its data


class Timeline:
    """The rows of a store that has transactions. A subclass reads what has been written.

    Args: key_of: function (client id) that returns the key that its rows have, or None: it has none; tell: function
    (event, **details), called in any thread, or None."""

    def __init__(self, key_of, tell=None, clock=time.monotonic):
        self.lost = 0  # rows that found no room, have no key, or failed
        self.fault = None  # the last exception with which a transaction has failed
        self._key_of = key_of
        self._tell = tell or (lambda event, **details: None)
        self._clock = clock
        self._waiting = {}  # level -> {(level, begin, client id, run): data}, what waits longest first
        self._bytes = 0
        self._runs = set()  # of the rows that were ever kept here: one for each writer
        self._taken = {}  # (level, begin, client id, run) -> data of the last transaction, which may not have ended
        self._cuts = {}  # level -> (begin before which its rows go, utc_s, row_s)
        self._cut_next = []  # levels whose turn is still to come
        self._paused_until = self._dropped_at = float("-inf")
        self._given_back = False  # the rows of the last transaction were not written, and wait again

    def keep(self, client_id, level, begin, run, data):
        """Have a row written, in place of one with the same client, level, begin and run."""
        place = level, begin, client_id, run
        self._forget(place)
        self._add(place, data)
        self._runs.add(run)
        self._make_room()

    def drop(self, level, before, utc_s=0, row_s=1):
        """Have the rows of this level that begin before this deleted, some with each transaction.

        utc_s: by which `before` was reckoned; row_s: what 1 is of a begin. With them a store that several servers have
        keeps what only looks old by this one's clock, which is ahead of the database's."""
        self._cuts[level] = before, utc_s, row_s

    async def read(self, client_id, level, begins):
        """Returns [(begin, run, data)] of a client's rows of a level with these begins (list). Raises: StoreError."""
        found = {(begin, run): data for begin, run, data in await self._read(client_id, level, begins)}
        for waiting in (self._taken, self._waiting.get(level, {})):
            for run in self._runs:
                for begin in begins:
                    data = waiting.get((level, begin, client_id, run))
                    if data is not None:
                        found[begin, run] = data
        return [(*place, data) for place, data in found.items()]

    async def sizes(self):
        """Returns [(level, begin, bytes)] of what has been written. Raises: StoreError."""
        raise NotImplementedError("sizes")

    async def _read(self, client_id, level, begins):
        raise NotImplementedError("_read")

    def _made(self, rows, cut):
        return Taken(rows, cut, self._failed)

    # For the store

    def take(self):
        """Returns Taken for the transaction that begins now, or None."""
        return None if self._paused() else self._take(ROWS_AT_ONCE)

    def close(self, write, trouble=None):
        """Have all that waits written by write(Taken), and count it if that cannot be, or if write raises.

        trouble: why it cannot be, or None."""
        trouble = trouble or self._paused() and _said(self.fault)
        taken = self._take(None)
        if taken is None:
            return
        try:
            if trouble:
                raise StoreError(trouble)
            write(taken)
        except Exception as error:  # it is a chart's: the store closes
            taken.failed(error)

    def _paused(self):
        return self._clock() < self._paused_until

    def _take(self, most):
        self._take_back()
        coarsest_first = [self._waiting[level] for level in sorted(self._waiting, reverse=True)]  # these are few
        places = list(islice(chain.from_iterable(coarsest_first), most))
        self._taken = {place: self._forget(place) for place in places}
        rows = []
        for (level, begin, client_id, run), data in self._taken.items():
            key = 0 if client_id is None else self._key_of(client_id)
            if key is None:
                self.lost += 1
            else:
                rows.append((level, begin, key, run, data))
        cut = self._next_cut(DROPS_AT_ONCE + DROPS_OF_A_ROW * len(rows))
        return self._made(rows, cut) if rows or cut else None

    def _take_back(self):
        """Have the rows that were given back wait before the others."""
        if self._given_back:
            self._given_back = False
            newer = chain.from_iterable(rows.items() for rows in self._waiting.values())
            rows = {**self._taken, **dict(newer)}
            self._taken, self._waiting, self._bytes = {}, {}, 0
            for place, data in rows.items():
                self._add(place, data)
            self._make_room()

    def _next_cut(self, most):
        """Returns `cut` of Taken, of so many rows at most, for the level whose turn it is, or None."""
        now = self._clock()
        if now < self._dropped_at + DROP_S or not self._cuts:
            return None
        self._dropped_at = now
        self._cut_next = self._cut_next or sorted(self._cuts)
        level = self._cut_next.pop(0)
        return (level, *self._cuts[level], most)

    def _add(self, place, data):
        self._waiting.setdefault(place[0], {})[place] = data
        self._bytes += len(data) + ROW_COST

    def _make_room(self):
        if self._bytes <= WAITING_BYTES:
            return
        excess, places = self._bytes - WAITING_BYTES * 49 // 50, []
        for level in sorted(self._waiting):
            for place, data in self._waiting[level].items():
                if excess <= 0:
                    break
                excess -= len(data) + ROW_COST
                places.append(place)
        for place in places:
            self._forget(place)
        self.lost += len(places)

    def _forget(self, place):
        data = self._waiting.get(place[0], {}).pop(place, None)
        if data is not None:
            self._bytes -= len(data) + ROW_COST
        return data

    def _failed(self, taken, error, again=False):
        """It is called in the thread of the transaction. again: the rows are to go along with a later one."""
        self.fault = error
        if again:
            self._given_back = True
        else:
            self.lost += len(taken.rows)
        self._paused_until = self._clock() + PAUSE_S
        with suppress(Exception):  # what is told must not fail a transaction
            self._tell("history_not_written", reason=_said(error), lost=self.lost)


class Taken:
    """What goes along with one transaction. rows: list of (level, begin, key, run, data); cut: (level, begin before
    which rows go, utc_s, row_s, how many go at most), or None; failed: Timeline._failed."""

    def __init__(self, rows, cut, failed):
        self.rows = rows
        self.cut = cut
        self._failed = failed

    def failed(self, error, again=False):
        """These rows were not written. It counts once. Args: error: exception; again: see Timeline._failed."""
        failed, self._failed = self._failed, lambda *args: None
        failed(self, error, again)

    @property
    def bytes(self):
        return sum(len(row[4]) + ROW_COST for row in self.rows)


class MemoryTimeline:
    """The rows of the store in RAM: as a Timeline, and written at once."""

    def __init__(self):
        self.lost = 0
        self.fault = None
        self._rows = {}  # (level, begin) -> {(client id, run): data}

    def keep(self, client_id, level, begin, run, data):
        """See Timeline."""
        self._rows.setdefault((level, begin), {})[client_id, run] = data

    def drop(self, level, before, utc_s=0, row_s=1):
        """See Timeline."""
        for place in [place for place in self._rows if place[0] == level and place[1] < before]:
            del self._rows[place]

    async def read(self, client_id, level, begins):
        """See Timeline."""
        return [
            (begin, run, data) for begin in begins
            for (its_client, run), data in self._rows.get((level, begin), {}).items() if its_client == client_id
        ]  # fmt: skip

    async def sizes(self):
        """See Timeline."""
        return [(*place, sum(len(data) + ROW_COST for data in rows.values())) for place, rows in self._rows.items()]


def raised(taken, error, again=False):
    """In place of Timeline._failed, for who has nothing but these rows to write. Raises: StoreError."""
    raise StoreError(f"the history cannot be written: {_said(error)}")


def _said(error):
    return str(error) or type(error).__name__
