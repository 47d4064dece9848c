"""How a process joins a database of a store: it connects, gets its row in table `node`, and reads which database it is.
And how it ends its use of it.

It does so when it opens the store. One of several databases (sharded.py) may be away then, and is joined later: the
store's thread tries again and again, and all that it is to do for the clients of that database waits behind that.
"""

import time

from protocol.errors import StoreError
from server.core.store import StoreGone
from server.stores import postgres_database, postgres_nodes, postgres_shards


class Joining:
    """A part of PostgresStore."""

    node = None  # id of this process, once it has joined
    shard = None  # Shard, likewise
    unreached = None  # StoreError, if the database could not be reached at first

    def _join(self):
        """Connect, and add this process. Returns (its id, cost of all messages, Shard). It runs in the thread. Raises:
        StoreError."""
        database = self._database
        database.open()
        total, node = database.total_cost(), database.perform(postgres_nodes.join, self.name)
        return node, total, database.perform(postgres_shards.read, database.where)

    def join_later(self, check):
        """Join as soon as the database can be reached. check: function (Shard), called in the thread, which raises
        StoreGone if this is not the database that is expected: the store is gone then."""
        self._database.is_away(self.unreached)
        self._disk.start(lambda: self._keep_joining(check), lambda result, error: None)

    def _keep_joining(self, check):
        while self.node is None and not self._database.closing:
            time.sleep(postgres_database.PAUSE_S)
            try:
                node, self._total, self.shard = self._join()
                try:
                    check(self.shard)
                except StoreGone as error:
                    self._gone = error  # what waits claims nothing, since it has no id
                    self._database.perform(postgres_nodes.leave, node)
                    return
                self.node = node
                self._database.answers()
            except StoreError as error:
                self._database.is_away(error)

    async def joined(self):
        """Returns `node`, once this process has joined. Raises: StoreError."""
        if self.node is None:
            self._check_usable()
            if not self._database.closing:  # then the thread may have ended
                await self._call(lambda: None)  # the thread has joined before it comes to this
            self._check_usable()
            if self.node is None:
                raise StoreError(f"the store {self.path} is closed")
        return self.node

    async def watch(self):
        async with self.others.used():
            self.readings.begin()
            try:
                await super().watch()
            except StoreGone:
                self._let_go()
                raise

    def close(self):
        if self._database is None:
            return
        self._database.closing = True
        super().close()
        if self.readings is not None:  # else it could not be opened
            self._let_go()

    def _let_go(self):
        """This store never works again: calls that wait raise that, and no task of it goes on."""
        self.others.end()
        self.readings.end()
