"""The changes of one transaction of the durable store, and the statements that write them.

A statement for each row would switch between the disk thread and the loop's thread for each. So the rows are parameters
of statements for SIZES rows: of the common ones a transaction has one to ten, however many rows it writes.
"""

from itertools import chain

from server.stores.box import only_lines

CLIENT_COLUMNS = (
    "key", "id", "owner", "epoch", "peer_epoch", "next_number", "inbox_next", "base", "outbox_next", "messages",
    "note", "away_s", "runs",
)  # fmt: skip
CHANNEL_COLUMNS = ("client", "channel", "next_number", "base", "past", "expired")
LINE_COLUMNS = ("client", "number", "line")
MESSAGE_COLUMNS = (*LINE_COLUMNS, "channel", "kind", "time")
SIZES = (64, 32, 16, 8, 4, 2, 1)  # rows of a statement; 64 of 13 columns are fewer parameters than SQLite's old limit


class Statement:
    """A statement for any number of rows. Args: sql: with a %s for the rows; row: of one; between: rows."""

    def __init__(self, sql, row, between):
        width = row.count("?")
        self._by_size = [(size * width, sql % between.join([row] * size)) for size in SIZES]

    def run(self, database, parameters):
        """Run it for rows whose columns are in this list, one after the other."""
        at, end = 0, len(parameters)
        for count, sql in self._by_size:
            while end - at >= count:
                database.execute(sql, parameters[at : at + count])
                at += count


def _row(columns):
    return "(%s)" % ", ".join("?" * len(columns))


def _insert(start, columns, end=""):
    return Statement(f"{start} ({', '.join(columns)}) VALUES %s{end}", _row(columns), ", ")


_WRITE_CLIENTS = _insert(
    "INSERT INTO client", CLIENT_COLUMNS,
    f" ON CONFLICT (key) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in CLIENT_COLUMNS[2:])}",
)  # fmt: skip
_WRITE_CHANNELS = _insert("INSERT OR REPLACE INTO channel", CHANNEL_COLUMNS)
_BOXES = ("inbox", "outbox")
_INSERT_LINES = {table: _insert(f"INSERT OR REPLACE INTO {table}", LINE_COLUMNS) for table in _BOXES}
_INSERT = {table: _insert(f"INSERT OR REPLACE INTO {table}", MESSAGE_COLUMNS) for table in _BOXES}
# With `IN (VALUES ..)` SQLite 3.40 looks at each row of the table: 80 us for a row of 100 clients' boxes, not 2.
_DELETE = {
    table: Statement(f"DELETE FROM {table} WHERE %s", "(client = ? AND number = ?)", " OR ") for table in _BOXES
}  # fmt: skip


class Rows:
    """The changes of one transaction to the messages. timeline: Taken (timeline.py), which goes along, or None."""

    timeline = None

    def __init__(self):
        self.lines = {"inbox": [], "outbox": []}  # LINE_COLUMNS of new lines, one after the other
        self.others = {"inbox": [], "outbox": []}  # MESSAGE_COLUMNS likewise: these rows replace those
        self.deletes = {"inbox": {}, "outbox": {}}  # (client, number) of rows: not of those inserted after
        self._bytes = 0  # of the messages

    def append(self, table, key, number, messages):
        """Insert messages that are new, with numbers from this one on, which no message has ever had."""
        lines = self.lines[table]
        if only_lines(messages):
            for data in messages:
                lines += (key, number, data)
                self._bytes += len(data)
                number += 1
            return
        for message in messages:
            channel, kind, time, data = (0, 0, 0, message) if type(message) is bytes else message
            if channel or kind or time:
                self.others[table] += (key, number, data, channel, kind, time)
            else:
                lines += (key, number, data)
            self._bytes += len(data)
            number += 1

    def insert(self, table, key, number, message):
        """Insert a message that was there before, or replace what is there."""
        channel, kind, time, data = message
        self.others[table] += (key, number, data, channel, kind, time)
        self.deletes[table].pop((key, number), None)
        self._bytes += len(data)

    def delete(self, table, key, numbers):
        """Delete the messages with these numbers."""
        deletes = self.deletes[table]
        for number in numbers:
            deletes[key, number] = None

    @property
    def pages(self):
        """Returns about how many pages are written. The measured number is a third to three times as many."""
        count = lambda found, columns: sum(map(len, found.values())) // len(columns)
        rows = count(self.lines, LINE_COLUMNS) + count(self.others, MESSAGE_COLUMNS) + count(self.deletes, ("row",))
        return 2 + self._bytes // 1000 + rows // 8 + (self.timeline.bytes // 4000 if self.timeline else 0)


def write(database, rows, clients, channels):
    """Write the changes. database: in a transaction; rows: Rows; clients, channels: list of rows of these tables."""
    _WRITE_CLIENTS.run(database, list(chain.from_iterable(clients)))
    _WRITE_CHANNELS.run(database, list(chain.from_iterable(channels)))
    for statements, tables in ((_INSERT_LINES, rows.lines), (_INSERT, rows.others)):
        for table, parameters in tables.items():
            statements[table].run(database, parameters)
    for table, found in rows.deletes.items():
        _DELETE[table].run(database, list(chain.from_iterable(found)))
    if rows.timeline is not None:
        rows.timeline.write(database)
