"""A program without a listener that enters the lines of all clients into a table of its own, each exactly once.

    python3 consumer.py postgresql://app@db.example/links

The servers of the clients keep their lines in that database, and are other programs: `pb-link serve`. Run this one as
often as you like, on any computer: the programs share the clients, and take over from one that ends or dies. What is
entered and that it is processed are one transaction, so nothing is lost or entered twice.
"""

import asyncio
import sys

from pb_link.server import Connection, StoreError, attach, serve

TABLE = "CREATE TABLE IF NOT EXISTS line (place bigserial PRIMARY KEY, client text NOT NULL, text text NOT NULL)"


async def enter(conn: Connection) -> None:
    """Enter what a client says, as long as this program has it."""
    while True:
        try:
            async with conn.transaction() as (lines, db):
                await db.execute(TABLE)
                rows = [(conn.client_id, line.rstrip("\n")) for line in lines]
                await db.executemany("INSERT INTO line (client, text) VALUES ($1, $2)", rows)
        except StoreError as error:  # nothing was done, or another program has the client: the next transaction tells
            print(conn.client_id, error, file=sys.stderr)


async def main(address: str) -> None:
    async with await attach(address):
        await serve(enter)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("consumer: name the database: postgresql://USER@HOST/DATABASE")
    try:
        asyncio.run(main(sys.argv[1]))
    except KeyboardInterrupt:
        pass
    except (StoreError, ValueError) as error:  # the text says what to do
        sys.exit("consumer: %s" % error)
