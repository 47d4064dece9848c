"""A store's file as earlier versions of pb_link have left it.

FORMAT_3 was dumped from a file that the version before channels had written. Of "pump" a line was taken, two lines
were forgotten by a discard, and others acknowledged: so its numbers in the file and in the protocol differ.
"""

import contextlib
import sqlite3

FORMAT_3 = """
BEGIN TRANSACTION;
CREATE TABLE client (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner INTEGER NOT NULL, epoch TEXT NOT NULL, peer_epoch TEXT,
    next_number INTEGER NOT NULL, inbox_first INTEGER NOT NULL, base INTEGER NOT NULL, outbox_first INTEGER NOT NULL,
    note TEXT NOT NULL DEFAULT '', away_s INTEGER NOT NULL DEFAULT 0, runs TEXT NOT NULL DEFAULT '');
INSERT INTO "client" VALUES(
    1,'pump',3,'72616e646f6d3033','636c69656e742773',7,1,2,4,'a note',60,'72616e646f6d3034:1,72616e646f6d3035:5');
INSERT INTO "client" VALUES(2,'valve',1,'72616e646f6d3036','616e6f746865722e',2,2,1,1,'',0,'72616e646f6d3037:0');
CREATE TABLE inbox (client INTEGER, number INTEGER, line BLOB NOT NULL, PRIMARY KEY (client, number)) WITHOUT ROWID;
INSERT INTO "inbox" VALUES(1,1,X'75702031');
INSERT INTO "inbox" VALUES(1,2,X'FF00');
INSERT INTO "inbox" VALUES(1,3,X'');
CREATE TABLE outbox (client INTEGER, number INTEGER, line BLOB NOT NULL, PRIMARY KEY (client, number)) WITHOUT ROWID;
INSERT INTO "outbox" VALUES(1,4,X'646F776E2031');
INSERT INTO "outbox" VALUES(1,5,X'646F776E2032');
INSERT INTO "outbox" VALUES(1,6,X'646F776E2033');
INSERT INTO "outbox" VALUES(1,7,X'E282AC');
PRAGMA application_id = 1885498475;
PRAGMA user_version = 3;
COMMIT;
"""
# Columns that this format does not have yet.
_LATER = {1: ("note", "away_s", "runs"), 2: ("runs",), 3: ()}


def write_store(path, version=3):
    """Write the file of a store of this format."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(FORMAT_3)
        for column in _LATER[version]:
            database.execute(f"ALTER TABLE client DROP COLUMN {column}")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA user_version = {version}")
