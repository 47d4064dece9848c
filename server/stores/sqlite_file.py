"""The tables of the durable store, and the statements that read and write
them. This module does not use loops, batches or owners.

    client   key, id, owner, epoch, peer_epoch, next_number, base: what
             ClientState has, the last two for channel 0; inbox_next,
             outbox_next: numbers of the next messages below; messages: how many
             they are; note, away_s: see sqlite.py;
             runs: NAME:START,.. (see history.py)
    channel  client (its key), channel, next_number, base, past, expired: as
             above, for each other channel that was ever used. With the first
             of them channel 0 gets a row too, for its past alone
    inbox    client (its key), number, channel, kind, time, line: the data
    outbox   likewise; the number is the serial, `base` is one of the protocol

sqlite_rows.py has the changes of a transaction, and the statements that write
them.
"""

import os
import sqlite3

from protocol.errors import StoreError
from server.core.message import Message
from server.core.store import LINE_COST
from server.file_owner import make_private
from server.stores.box import box_of
from server.stores.restore import finish, sync_folder
from server.stores.sqlite_paths import StoreFiles
from server.stores.sqlite_rows import CHANNEL_COLUMNS, CLIENT_COLUMNS, write

APPLICATION_ID = 0x70626C6B  # "pblk"
SCHEMA_VERSION = 4
CHECKPOINT_PAGES = 1000  # a checkpoint follows when about so many pages have been written into the -wal
# The -wal gets larger while another program reads, such as a back-up. It is cut to this when it begins anew after that.
WAL_BYTES = 16 << 20
_BOX = """
CREATE TABLE {} (client INTEGER, number INTEGER, line BLOB NOT NULL, channel INTEGER DEFAULT 0, kind INTEGER DEFAULT 0,
    time INTEGER DEFAULT 0, PRIMARY KEY (client, number)) WITHOUT ROWID;
"""
_CLIENT = """
CREATE TABLE client (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner INTEGER NOT NULL, epoch TEXT NOT NULL, peer_epoch TEXT,
    next_number INTEGER NOT NULL, inbox_next INTEGER NOT NULL, base INTEGER NOT NULL, outbox_next INTEGER NOT NULL,
    messages INTEGER NOT NULL, note TEXT NOT NULL, away_s INTEGER NOT NULL, runs TEXT NOT NULL);
CREATE TABLE channel (client INTEGER, channel INTEGER, next_number INTEGER NOT NULL, base INTEGER NOT NULL,
    past INTEGER NOT NULL, expired INTEGER NOT NULL, PRIMARY KEY (client, channel)) WITHOUT ROWID;
"""
_SCHEMA = f"""
BEGIN IMMEDIATE;
{_CLIENT}{_BOX.format("inbox")}{_BOX.format("outbox")}
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
# Migrations from version 1 (before the first release) to 2, from 2 to 3, and so on, each in a transaction of its own.
# In version 3 the numbers of both boxes had no gap, from inbox_first and outbox_first on, and a run began at a number
# of the protocol. So the first serial in version 4 is the base. The counts are those that version 3 should have: a
# missing line is still found.
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
    3: f"""
BEGIN IMMEDIATE;
ALTER TABLE client RENAME TO client_3;
ALTER TABLE inbox RENAME TO inbox_3;
ALTER TABLE outbox RENAME TO outbox_3;
{_CLIENT}{_BOX.format("inbox")}{_BOX.format("outbox")}
INSERT INTO inbox (client, number, line) SELECT client, number, line FROM inbox_3;
INSERT INTO outbox (client, number, line)
    SELECT client, number - outbox_first + base, line FROM outbox_3 JOIN client_3 ON key = client;
INSERT INTO client
    SELECT key, id, owner, epoch, peer_epoch, next_number, inbox_end, base, base + outbox_end - outbox_first,
        inbox_end - inbox_first + outbox_end - outbox_first, note, away_s, runs
    FROM (SELECT *,
        coalesce((SELECT max(number) + 1 FROM inbox_3 WHERE client = key), inbox_first) AS inbox_end,
        coalesce((SELECT max(number) + 1 FROM outbox_3 WHERE client = key), outbox_first) AS outbox_end
        FROM client_3);
DROP TABLE client_3;
DROP TABLE inbox_3;
DROP TABLE outbox_3;
PRAGMA user_version = 4;
COMMIT;
""",
}

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
            make_private(name, like=self._files.real)
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
        database = self._database
        row = database.execute(
            f"SELECT {', '.join(CLIENT_COLUMNS)} FROM client WHERE id = ?", (client_id,)
        ).fetchone()
        if row is None:
            self._next_key += 1
            return {"key": self._next_key - 1}
        key, _, owner, epoch, peer_epoch, next_number, inbox_next, base, outbox_next, messages, note, away_s, runs = row
        inbox, outbox = self._boxes("inbox", key), self._boxes("outbox", key)
        found = sum(len(box.numbers) for boxes in (inbox, outbox) for box in boxes.values())
        if found != messages:
            raise sqlite3.DatabaseError(f"client {key} has {found} messages, and {messages} is what was written")
        select = f"SELECT {', '.join(CHANNEL_COLUMNS)} FROM channel WHERE client = ?"
        channels = database.execute(select, (key,)).fetchall()
        pasts = {row[1]: row[4] for row in channels}
        # As long as there is no other channel, the serials before those in the outbox are all of channel 0.
        pasts.setdefault(0, outbox_next - sum(len(box.numbers) for box in outbox.values()))
        return {
            "key": key, "owner": owner, "epoch": bytes.fromhex(epoch), "inbox_next": inbox_next, "serial": outbox_next,
            "peer_epoch": peer_epoch and bytes.fromhex(peer_epoch), "inbox": inbox, "outbox": outbox,
            "cursors": {**{row[1]: row[2] for row in channels}, 0: next_number},
            "bases": {**{row[1]: row[3] for row in channels}, 0: base}, "pasts": pasts,
            "expired": {row[1]: row[5] for row in channels if row[5]},
            "channels": {row[1]: row for row in channels}, "note": note, "away_s": away_s,
            "runs": [_run(text) for text in runs.split(",") if text],
        }  # fmt: skip

    def ids(self):
        """Returns the ids of all clients."""
        return [row[0] for row in self._database.execute("SELECT id FROM client ORDER BY id")]

    def _boxes(self, table, key):
        """Returns {channel: Box}."""
        boxes = {}
        rows = self._database.execute(
            f"SELECT number, channel, kind, time, line FROM {table} WHERE client = ? ORDER BY number", (key,)
        )
        for number, channel, kind, time, line in rows:
            box_of(boxes, channel).append(number, Message(channel, kind, time, bytes(line)))
        return boxes

    def commit(self, changes):
        """Commit one transaction. changes: (Rows, rows of table client, rows of table channel).
        Raises: sqlite3.Error: nothing was done; StoreGone: what was done is not safe."""
        self._files.check()
        try:
            if changes[0].timeline is None:
                self._transact(changes)
            else:
                changes[0].timeline.guard(self._transact, changes)
        finally:
            self._files.check()
        self._pages += changes[0].pages
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

    def _transact(self, changes):
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        try:
            write(database, *changes)
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise

    def backlogs(self):
        """Returns a list of a dict for each client with messages in its outbox."""
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
        """Returns the cost of all messages, as `cost` counts them."""
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


def _damaged(path, what):
    return StoreError(
        f"the store {path} is damaged or no store ({what}): put a back-up in its place, "
        "or move it away to begin with an empty one"
    )
