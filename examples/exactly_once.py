"""A server application whose clients send readings on channel 20. Each is entered into a database exactly once, and
in order, whatever kills the server and whenever.

The server's store keeps a message until the application asks for the next one. So an application that is killed between
its own transaction and that request gets the message again. It notices by the message's number, which never changes,
and which it has stored in the same transaction as what the message has caused.

The numbers begin again with a new store (pb_link.db): then begin with a new readings.db as well.
To run it: `python3 examples/exactly_once.py`, where pb_settings.json is (pb_link installed, or on PYTHONPATH).
"""

import asyncio
import sqlite3
import sys
from typing import Any

from pb_link.server import Connection, SQLiteStore, StoreError, run, serve
from pb_link.settings import read

CHANNEL = 20
TABLES = """
    CREATE TABLE IF NOT EXISTS reading (client TEXT NOT NULL, received_at INTEGER NOT NULL, data BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS seen (client TEXT PRIMARY KEY, number INTEGER NOT NULL);
"""


def open_database(path: str) -> sqlite3.Connection:
    """Returns the database with its tables: `reading`, and for each client the number of the last message in it."""
    database = sqlite3.connect(path)
    database.executescript(TABLES)
    return database


def enter(database: sqlite3.Connection, client_id: str, message: Any) -> bool:
    """Enter a message, unless it is in the database. Returns True if it was not."""
    with database:  # one transaction: both rows, or neither
        row = database.execute("SELECT number FROM seen WHERE client = ?", (client_id,)).fetchone()
        if row is not None and row[0] >= message.number:
            return False
        database.execute("INSERT INTO reading VALUES (?, ?, ?)", (client_id, message.received_at, message.data))
        database.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", (client_id, message.number))
    return True


async def follow(conn: Connection, database: sqlite3.Connection) -> None:
    """Enter what a client sends, as long as the server runs."""
    async for message in conn.channel(CHANNEL).messages():
        if enter(database, conn.client_id, message):
            print(conn.client_id, message.number, message.data)


async def main() -> None:
    settings = read()
    database = open_database("readings.db")
    server = run({"demo"}, port=settings["port"], keys={"demo": settings["key"]}, store=SQLiteStore("pb_link.db"))
    await asyncio.gather(server, serve(lambda conn: follow(conn, database)))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
    except (OSError, TypeError, ValueError, StoreError, sqlite3.Error) as error:  # the text says what to do
        sys.exit("exactly_once: %s" % error)
