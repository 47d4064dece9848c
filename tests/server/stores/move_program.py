"""`pb-link store move` that is killed: `python3 -m tests.server.stores.move_program STEP SCHEMA COUNT FROM .. TO ..`.

It ends by SIGKILL when the database has done its call number STEP (from 0 on), and before the move knows; COUNT: how
many FROMs there are. It prints how many calls there were, if it comes to its end.
"""

import os
import signal
import sys

from server.stores import moving
from server.stores.postgres_database import PostgresDatabase

CALLS = ("perform", "claim", "commit", "ids")


class Killing:
    """Kills this process behind one of the calls that change a database."""

    def __init__(self, step):
        self.calls = 0
        self._step = step
        for name in CALLS:
            setattr(PostgresDatabase, name, self._counted(getattr(PostgresDatabase, name)))

    def _counted(self, true):
        def call(database, *args):
            result = true(database, *args)
            if self.calls == self._step:
                os.kill(os.getpid(), signal.SIGKILL)
            self.calls += 1
            return result

        return call


def main(step, schema, count, *urls):
    killing = Killing(int(step))
    moving.CLIENTS_AT_ONCE = 2  # so that there are several parts of several clients
    moving.move(urls[: int(count)], urls[int(count) :], schema)
    print(killing.calls)


if __name__ == "__main__":
    main(*sys.argv[1:])
