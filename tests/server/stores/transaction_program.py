"""An application that is killed: it counts the lines of a client in a table of its own, in the reader's transaction.

Run: python -m tests.server.stores.transaction_program URL SCHEMA STEP AFTER. It says on its output which step it has
reached, and stops for ever at STEP of its transaction number AFTER, to be killed there.
"""

import asyncio
import os
import sys
import time

from server.core.registry import Registry
from server.stores.postgres import PostgresStore
from server.stores.postgres_transactions import Transaction

STEPS = ("waits", "begun", "effect", "half", "moved", "committed", "ended")


class Stop:
    """Stops the process at a step."""

    def __init__(self, step, after):
        self._step = step
        self._left = after

    def at(self, step):
        if step == "begun":
            self._left -= 1
        if step == self._step and self._left <= 0:
            print("stopped", flush=True)
            while True:
                time.sleep(3600)  # the loop does not go on either


async def main(url, schema, step, after):
    stop = Stop(step, int(after))
    stepped(stop)
    store = PostgresStore(url, schema=schema)
    registry = Registry()
    registry.use(store)
    conn = registry.get("a")
    print("running", flush=True)
    while True:
        stop.at("waits")
        async with conn.transaction(most=3) as (lines, db):
            stop.at("begun")
            for at, line in enumerate(lines):
                await db.execute(f"INSERT INTO {schema}.effect (line, pid) VALUES ($1, $2)", line, os.getpid())
                stop.at("half" if at + 1 < len(lines) else "effect")
        stop.at("ended")


def stepped(stop):
    """Have a transaction stop between its last statement and COMMIT, and between COMMIT and its end."""
    finish = Transaction.finish

    async def stopped(self):
        stop.at("moved")
        await finish(self)
        stop.at("committed")

    Transaction.finish = stopped


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
