"""The timeline of the store in a file of SQLite: one table, which the first row makes.

    timeline  level, begin, client (its key; 0: the server), run, data: see timeline.py

Rows of one time are beside each other, whichever client's they are: what is written together costs few pages. Reading
looks for each row by its begin.

An earlier release leaves the table alone. Reading has a connection of its own, so no transaction waits for it.
"""

import asyncio
import json
import os
import sqlite3
from contextlib import closing
from urllib.parse import quote

from protocol.errors import StoreError
from server.stores.timeline import ROW_COST, ROWS_AT_ONCE, Taken, Timeline

_MAKE = """
CREATE TABLE IF NOT EXISTS timeline (level INTEGER, begin INTEGER, client INTEGER, run INTEGER, data BLOB NOT NULL,
    PRIMARY KEY (level, begin, client, run)) WITHOUT ROWID
"""
_INSERT = "INSERT OR REPLACE INTO timeline (level, begin, client, run, data) VALUES (?, ?, ?, ?, ?)"
# The rows as JSON and one blob, for the reason in sqlite_file.py.
_INSERT_ALL = """
INSERT OR REPLACE INTO timeline (level, begin, client, run, data)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
    json_extract(value, '$[3]'), substr(?2, json_extract(value, '$[4]'), json_extract(value, '$[5]')) FROM json_each(?1)
"""
_DROP = """
DELETE FROM timeline WHERE (level, begin, client, run) IN
    (SELECT level, begin, client, run FROM timeline WHERE level = ? AND begin < ? LIMIT ?)
"""
_READ = """
SELECT t.begin, t.run, t.data FROM json_each(?1) AS b CROSS JOIN timeline AS t
WHERE t.level = ?2 AND t.begin = b.value
    AND t.client = CASE WHEN ?3 IS NULL THEN 0 ELSE (SELECT key FROM client WHERE id = ?3) END
"""
_ALL = """
SELECT t.level, t.begin, c.id, t.run, t.data FROM timeline AS t LEFT JOIN client AS c ON c.key = t.client
WHERE t.client = 0 OR c.id IS NOT NULL
"""
_SIZES = f"SELECT level, begin, sum(length(data) + {ROW_COST}) FROM timeline GROUP BY level, begin"
_FEW = 2  # rows
_BUSY_S = 5.0  # for a reader, while SQLite recovers the file


class SQLiteTimeline(Timeline):
    """Args: path: of the file; key_of, tell: see Timeline."""

    def __init__(self, path, key_of, tell=None):
        super().__init__(key_of, tell)
        self._uri = _uri(path)

    async def sizes(self):
        return await asyncio.to_thread(self._ask, _SIZES)

    async def _read(self, client_id, level, begins):
        return await asyncio.to_thread(self._ask, _READ, json.dumps(begins), level, client_id)

    def _ask(self, statement, *args):
        return [row for rows in _asked(self._uri, statement, *args) for row in rows]

    def _made(self, rows, cut):
        return SQLiteTaken(rows, cut, self._failed)


def all_rows(path):
    """Yields [(level, begin, client id or None: the server, run, data)] of what is written, some at a time. Raises:
    StoreError."""
    return _asked(_uri(path), _ALL)


def _uri(path):
    return f"file:{quote(os.path.realpath(path))}?mode=ro"


def _asked(uri, statement, *args):
    """Yields the rows of an answer, ROWS_AT_ONCE at a time. Raises: StoreError."""
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S)) as database:
            if not database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'timeline'").fetchone()[0]:
                return
            answer = database.execute(statement, args)
            while rows := answer.fetchmany(ROWS_AT_ONCE):
                yield rows
    except sqlite3.Error as error:
        raise StoreError(f"the timeline cannot be read: {error}")


class SQLiteTaken(Taken):
    """See Taken."""

    def guard(self, commit, changes):
        """Returns what commit(changes) returns, with these rows in it; if that raises, what it returns without them.

        changes: its first item has this as `timeline`. What commit has not finished is undone when it raises."""
        try:
            return commit(changes)
        except Exception as error:
            changes[0].timeline = None
            self.failed(error)
            return commit(changes)

    def write(self, database):
        """Do it in the transaction that has been begun. Raises: sqlite3.Error."""
        database.execute(_MAKE)
        if len(self.rows) > _FEW:
            places, at = [], 1  # SQL counts from 1
            for *place, data in self.rows:
                places.append((*place, at, len(data)))
                at += len(data)
            database.execute(_INSERT_ALL, (json.dumps(places), b"".join(row[-1] for row in self.rows)))
        elif self.rows:
            database.executemany(_INSERT, self.rows)
        if self.cut:
            level, before, _, _, most = self.cut
            database.execute(_DROP, (level, before, most))
