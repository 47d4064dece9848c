"""Copies a store into another one of any kind, with nothing lost: `pb-link store copy FROM .. --to TO ..`.

No server may use either of them. A file is locked meanwhile. Of PostgreSQL each client is claimed, which ends its
connection to a server that still runs; but when the client comes again, that server stores for it again: end it first.

What was measured of the clients and of the server (timeline.py) is copied after them.
"""

import os

from protocol.errors import StoreError
from server.stores.opened import is_postgres, need_postgres, shown_address
from server.stores.sqlite_file import SQLiteFile
from server.stores.sqlite_record import SQLiteRecord
from server.stores.sqlite_rows import Rows
from server.stores.sqlite_timeline import SQLiteTaken, all_rows
from server.stores.timeline import raised

CLIENTS_AT_ONCE = 100  # in RAM, and in one transaction
# What a record has of a client, whatever kind it is.
_HAS = (
    "owner", "epoch", "peer_epoch", "cursors", "bases", "expired", "pasts", "inbox", "inbox_next", "outbox", "serial",
    "note", "runs", "away_s",
)  # fmt: skip


def copy(source, target):
    """Copy the store with the address `source` into that with the address `target`, which has to be empty. An address
    is a path, that of a database, or a list of those of all databases of a store.

    Returns (clients, messages). Raises: StoreError: they are the same, one of them cannot be used, or `target` has
    clients already. An error in the middle leaves a part in `target`: remove that, and begin again."""
    if source == target:
        raise StoreError("a store cannot be copied into itself")
    clients = messages = 0
    origin = _side(source, must_exist=True)
    try:
        copied = _side(target)
        try:
            if copied.ids():
                raise StoreError(f"the store {shown_address(target)} has clients already: copy into an empty one")
            ids = origin.ids()
            for first in range(0, len(ids), CLIENTS_AT_ONCE):
                records = origin.read(ids[first : first + CLIENTS_AT_ONCE])
                copied.write(records)
                clients += len(records)
                messages += sum(count(record) for record in records)
            for rows in origin.history():
                copied.keep(rows)
        finally:
            copied.close()
    finally:
        origin.close()
    return clients, messages


def _side(address, must_exist=False):
    if not is_postgres(address):
        return _File(address, must_exist)
    need_postgres()
    from server.stores.postgres_copy import Databases

    return Databases([address] if isinstance(address, str) else address)


def moved(record, other):
    """Give `other`, a new record of another kind, all that `record` has. Returns it."""
    for name in _HAS:
        setattr(other, name, getattr(record, name))
    if hasattr(record, "connections") and hasattr(other, "connections"):  # only databases have them
        other.connections = record.connections
    other.cost = sum(box.cost for boxes in (other.inbox, other.outbox) for box in boxes.values())
    return other


def insert_all(rows, record):
    """Have all messages of a record written. rows: Rows or Changes."""
    for table, boxes in (("inbox", record.inbox), ("outbox", record.outbox)):
        for box in boxes.values():
            for at in range(len(box.numbers)):
                rows.insert(table, record.key, *box.row(at))


def with_keys(rows, keys):
    """Returns the rows of a history with the keys of their clients. keys: by id; of others, rows are left out."""
    return [(*row[:2], keys[row[2]], *row[3:]) for row in rows if row[2] in keys]


def count(record):
    """Returns how many messages it has."""
    return sum(len(box.numbers) for boxes in (record.inbox, record.outbox) for box in boxes.values())


class _File:
    """A store in a file of SQLite."""

    def __init__(self, path, must_exist):
        if must_exist and not os.path.exists(path):
            raise StoreError(f"there is no store {path}")
        self._file = SQLiteFile(path)
        self._path = path
        self._keys = {None: 0}  # of the clients that are written; None: the server

    def ids(self):
        return self._file.ids()

    def read(self, ids):
        return [SQLiteRecord(client_id, self._file.load(client_id)) for client_id in ids]

    def write(self, records):
        rows, clients, channels = Rows(), [], []
        for record in records:
            new = moved(record, SQLiteRecord(record.client_id, self._file.load(record.client_id)))
            insert_all(rows, new)
            self._keys[new.client_id] = new.key
            clients.append(new.row())
            channels += new.changed_channels()
        self._file.commit((rows, clients, channels))

    def history(self):
        return all_rows(self._path)

    def keep(self, rows):
        changes = Rows()
        changes.timeline = SQLiteTaken(with_keys(rows, self._keys), None, raised)
        self._file.commit((changes, [], []))

    def close(self):
        self._file.close()
