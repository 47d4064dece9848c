"""The tables of the durable store, and the statements that read and write
them. This module does not use loops, batches or owners.

    client  key, id, owner, epoch, peer_epoch, next_number, inbox_first,
            base, outbox_first: what ClientState has, and the numbers of the
            first lines below; note, away_s: see sqlite.py;
            runs: NAME:START,.. (see history.py)
    inbox   client (its key), number, line
    outbox  client (its key), number, line; these numbers only count, `base`
            is that of the protocol

A transaction is five statements, whatever it holds. The rows are passed as
JSON, the lines as one blob that the rows point into. With a statement for each
row, each one would switch between the disk thread and the loop's thread.
"""

import json
import os
import sqlite3

from protocol.errors import StoreError
from server.core.store import LINE_COST
from server.stores.restore import finish, sync_folder
from server.stores.sqlite_paths import StoreFiles

APPLICATION_ID = 0x70626C6B  # "pblk"
SCHEMA_VERSION = 3
CHECKPOINT_PAGES = 1000  # a checkpoint follows when about so many pages have been written into the -wal
# The -wal gets larger while another program reads, such as a back-up. It is cut to this when it begins anew after that.
WAL_BYTES = 16 << 20
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE client (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner INTEGER NOT NULL, epoch TEXT NOT NULL, peer_epoch TEXT,
    next_number INTEGER NOT NULL, inbox_first INTEGER NOT NULL, base INTEGER NOT NULL, outbox_first INTEGER NOT NULL,
    note TEXT NOT NULL DEFAULT '', away_s INTEGER NOT NULL DEFAULT 0, runs TEXT NOT NULL DEFAULT '');
CREATE TABLE inbox (client INTEGER, number INTEGER, line BLOB NOT NULL, PRIMARY KEY (client, number)) WITHOUT ROWID;
CREATE TABLE outbox (client INTEGER, number INTEGER, line BLOB NOT NULL, PRIMARY KEY (client, number)) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
# Migrations from version 1 (before the first release) to 2, and from 2 to 3, each in a transaction of its own.
_UPGRADES = {
    1: """
BEGIN IMMEDIATE;
ALTER TABLE client ADD COLUMN note TEXT NOT NULL DEFAULT '';
ALTER TABLE client ADD COLUMN away_s INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = 2;
COMMIT;
""",
    2: """
BEGIN IMMEDIATE;
ALTER TABLE client ADD COLUMN runs TEXT NOT NULL DEFAULT '';
PRAGMA user_version = 3;
COMMIT;
""",
}
_COLUMNS = "key, id, owner, epoch, peer_epoch, next_number, inbox_first, base, outbox_first, note, away_s, runs"
_WRITE_CLIENTS = f"""
INSERT INTO client ({_COLUMNS})
SELECT {", ".join(f"json_extract(value, '$[{at}]')" for at in range(12))} FROM json_each(?) WHERE true
ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, epoch = excluded.epoch, peer_epoch = excluded.peer_epoch,
    next_number = excluded.next_number, inbox_first = excluded.inbox_first, base = excluded.base,
    outbox_first = excluded.outbox_first, note = excluded.note, away_s = excluded.away_s, runs = excluded.runs
"""
_INSERT = """
INSERT OR REPLACE INTO {} (client, number, line)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),
       substr(?2, json_extract(value, '$[2]'), json_extract(value, '$[3]'))
FROM json_each(?1)
"""
_DELETE = """
DELETE FROM {} WHERE (client, number) IN
    (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))
"""


class Rows:
    """The changes of one transaction to the lines."""

    def __init__(self):
        self.inserts = {"inbox": [], "outbox": []}  # (client, number, where its line is, how long)
        self.deletes = {"inbox": {}, "outbox": {}}  # (client, number) of rows: not of those inserted after
        self._lines = [b"-"]  # substr of an empty blob returns NULL
        self._at = 2  # SQL counts from 1

    def insert(self, table, key, number, lines):
        for line in lines:
            self.inserts[table].append((key, number, self._at, len(line)))
            self.deletes[table].pop((key, number), None)
            self._lines.append(line)
            self._at += len(line)
            number += 1

    def delete(self, table, key, number, count):
        self.deletes[table].update(((key, number + i), None) for i in range(count))

    @property
    def blob(self):
        return b"".join(self._lines)

    @property
    def pages(self):
        """Returns about how many pages are written. The measured number is a third to three times as many."""
        rows = sum(map(len, self.inserts.values())) + sum(map(len, self.deletes.values()))
        return 2 + self._at // 1000 + rows // 8


class SQLiteFile:
    """The database file of a store. Args: path. Raises: StoreError that names the file and the remedy."""

    def __init__(self, path):
        self.path = path
        self._files = StoreFiles(path)
        self._lock = None
        self._database = None
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        self._next_key = self._database.execute("SELECT coalesce(max(key), 0) + 1 FROM client").fetchone()[0]

    @classmethod
    def lock_only(cls, path):
        """Returns an object that holds the locks of a store until `close`, without opening it. Raises: StoreError."""
        one = cls.__new__(cls)
        one.path, one._files, one._lock, one._database = path, StoreFiles(path), None, None
        try:
            one._take_lock()
            if os.path.exists(one._files.real):
                one._files.lock()
        except BaseException:
            one.close()
            raise
        return one

    def _open(self):
        self._take_lock()
        try:
            real = self._files.real
            finish(real)
            made = make_private(real)
            self._files.lock()
            self._database = database = _connect(real)
            mode = database.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA wal_autocheckpoint = 0")  # see _checkpoint
            database.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
            if made or not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                database.executescript(_SCHEMA)
                sync_folder(real)
            self._check(mode)
            database.execute("BEGIN IMMEDIATE")  # fails if it cannot be written
            database.execute("ROLLBACK")
            self._files.begin()
            self._pages = os.path.getsize(real + "-wal") // 4096  # left by a server that was killed
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"the store {self.path} cannot be written ({error}): "
                "see to the permissions and the space of its folder"
            )
        except sqlite3.DatabaseError as error:
            raise _damaged(self.path, error)
        except OSError as error:
            raise StoreError(f"the store {self.path} cannot be opened: {error.strerror}")

    def _take_lock(self):
        """Take the lock file, before any other file is created, on every system. StoreFiles locks the database."""
        name = self._files.real + "-lock"
        try:
            make_private(name)
            self._lock = _connect(name, timeout=0)
            self._lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise StoreError(
                    f"the store {self.path} is in use by another server: end that one, or give this one its own store"
                )
            raise StoreError(f"the store {self.path} cannot be locked, its folder cannot be written ({error})")
        except sqlite3.DatabaseError as error:
            raise _damaged(name, error)
        except OSError as error:
            raise StoreError(f"the store {self.path} cannot be opened: {error.strerror}")

    def _check(self, mode):
        database = self._database
        if database.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise StoreError(f"{self.path} is a database of another program: give the server another store")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StoreError(f"the store {self.path} is of a newer pb_link (format {version}): upgrade this one")
        if mode != "wal":
            raise StoreError(f"the store {self.path} is where SQLite's WAL cannot be, on a network perhaps ({mode})")
        found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise _damaged(self.path, found.splitlines()[-1])
        if version < 1:
            raise _damaged(self.path, "a format 0")
        for number in range(version, SCHEMA_VERSION):
            database.executescript(_UPGRADES[number])

    def load(self, client_id):
        """Returns the data of a client, as the attributes of a Record. For an unknown client it has a new key."""
        row = self._database.execute(
            f"SELECT {_COLUMNS} FROM client WHERE id = ?", (client_id,)
        ).fetchone()
        if row is None:
            self._next_key += 1
            return {"key": self._next_key - 1}
        found = dict(zip(_COLUMNS.split(", "), row))
        del found["id"]
        found["epoch"] = bytes.fromhex(found["epoch"])
        found["peer_epoch"] = found["peer_epoch"] and bytes.fromhex(found["peer_epoch"])
        found["runs"] = [_run(text) for text in found["runs"].split(",") if text]
        for table in ("inbox", "outbox"):
            found[table] = self._lines(table, found["key"], found[table + "_first"])
        return found

    def _lines(self, table, key, first):
        rows = self._database.execute(f"SELECT number, line FROM {table} WHERE client = ? ORDER BY number", (key,))
        lines = []
        for number, line in rows:
            if number != first + len(lines):
                raise sqlite3.DatabaseError(f"line {first + len(lines)} of client {key} is missing in {table}")
            lines.append(bytes(line))
        return lines

    def commit(self, rows, clients):
        """Commit one transaction. clients: JSON list of the rows of table client. Raises: sqlite3.Error: nothing was
        done; StoreGone: what was done is not safe."""
        self._files.check()
        try:
            self._transact(rows, clients)
        finally:
            self._files.check()
        self._pages += rows.pages
        if self._pages >= CHECKPOINT_PAGES:
            self._checkpoint()

    def _checkpoint(self):
        """Move the contents of the -wal into the database. It is done here, and not by SQLite during a commit. So if
        the database changes at another time, another process has written it."""
        self._pages = 0
        try:
            self._database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error:
            pass  # e.g. the disk is full: everything is safe in the -wal, and the next checkpoint moves it
        finally:
            self._files.check(written=True)

    def check(self):
        """Check that the files are still the same: see sqlite_paths.py. Raises: StoreGone if not."""
        self._files.check()

    def _transact(self, rows, clients):
        database = self._database
        blob = rows.blob
        database.execute("BEGIN IMMEDIATE")
        try:
            database.execute(_WRITE_CLIENTS, (clients,))
            for table, found in rows.inserts.items():
                if found:
                    database.execute(_INSERT.format(table), (json.dumps(found), blob))
            for table, found in rows.deletes.items():
                if found:
                    database.execute(_DELETE.format(table), (json.dumps(list(found)),))
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise

    def backlogs(self):
        """Returns a list of a dict for each client with lines in its outbox."""
        found = self._database.execute(
            "SELECT id, count(*), sum(length(line)), away_s FROM outbox JOIN client ON client.key = outbox.client "
            "GROUP BY client.key ORDER BY id"
        )
        return [dict(zip(("id", "lines", "bytes", "away_s"), row)) for row in found]

    def wal_bytes(self):
        """Returns the size of the -wal."""
        try:
            return os.path.getsize(self._files.real + "-wal")
        except OSError:
            return 0  # it is gone: the next check says so

    def total_cost(self):
        """Returns the cost of all lines, as `cost` counts them."""
        lines = "SELECT line FROM inbox UNION ALL SELECT line FROM outbox"
        total = f"SELECT coalesce(sum(length(line) + {LINE_COST}), 0) FROM ({lines})"
        return self._database.execute(total).fetchone()[0]

    def close(self):
        for database in (self._database, self._lock):
            if database is not None:
                database.close()
        self._files.unlock()


def _run(text):
    name, _, start = text.partition(":")
    return bytes.fromhex(name), int(start)


def _connect(path, timeout=5.0):
    return sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)


def make_private(path):
    """Create the file if there is none, readable by its owner alone. Returns True if there was none."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    return True


def _damaged(path, what):
    return StoreError(
        f"the store {path} is damaged or no store ({what}): put a back-up in its place, "
        "or move it away to begin with an empty one"
    )
