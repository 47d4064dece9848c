"""Transactions of the application in the database of the store: what it does with messages, and that they are
processed, are committed together.

The application's connections are others than the store's: a pool of asyncpg, in the application's event loop. At the
end of its statements comes one that moves the reader's cursor, under the conditions that this process is still the
reader, and that the cursor is where it was. If it moves nothing, the transaction is rolled back.

When the connection breaks in COMMIT, nobody knows what became of it. Then the process claims the reading anew. The
claim does not take a row that the transaction still has locked, so the cursor that it returns tells what became of it.

A server that no longer answers, and a former primary that was replaced and confirms no commit, keep no call for ever:
what this module has done itself ends after STATEMENT_S, and a statement of the application after OUTAGE_S if it names
no limit of its own.
"""

import asyncio
import time
from contextlib import suppress

import asyncpg

from primitives.timeout import Timeout
from protocol.errors import StoreError
from server.core.store import ReadingLost
from server.stores.postgres_database import (
    CLOSE_S,
    CONNECT_S,
    OUTAGE_S,
    PASSING,
    PAUSE_S,
    STATEMENT_S,
    one_by_one,
    within,
)
from server.stores.postgres_reading_statements import MOVE_WITH_EFFECT
from server.stores.postgres_schema import quoted
from server.stores.postgres_statements import PROOF

MOST = 10  # connections of this process for transactions; others wait for one of them
# What became of a transaction.
COMMITTED, ROLLED_BACK, FENCED, UNKNOWN = "committed", "rolled back", "fenced", "unknown"
_SETTINGS = {
    "application_name": "pb_link application", "client_min_messages": "warning",
    "tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
}  # fmt: skip


class Transactions:
    """The transactions of one process. Args: url, schema: as those of PostgresStore; where: for errors; most: of its
    connections at a time (MOST)."""

    def __init__(self, url, schema, where, most=None):
        self.where = where
        self._database = url, schema, where
        self._most = most or MOST
        self._urls = one_by_one(url)
        self._turn = 0  # which of them is next
        self.move = MOVE_WITH_EFFECT.format(schema=quoted(schema))
        self._pool = None
        self._loop = None
        self._opening = None
        self._closed = False

    def beside(self, most):
        """Returns Transactions in the same database, with at most so many connections of their own."""
        return Transactions(*self._database, most)

    def begin(self, *how):
        """Returns the asynchronous context manager of one: see Transaction."""
        return Transaction(self, *how)

    async def connection(self):
        """Returns (connection, its transaction, begun). Waits while the database is away. Raises: StoreError."""
        until = time.monotonic() + OUTAGE_S
        while True:
            connection = None
            try:
                pool = await self._opened()
                connection = await pool.acquire()
                transaction = connection.transaction(isolation="read_committed")
                async with asyncio.timeout(CONNECT_S):
                    await transaction.start()
                return connection, transaction
            except (*PASSING, asyncpg.PostgresError) as error:
                if connection is not None:
                    await self.release(connection, broken=True)
                if not isinstance(error, PASSING) or time.monotonic() > until:
                    raise StoreError(f"{self.where}: {error or type(error).__name__}")
            except BaseException:
                if connection is not None:
                    await self.release(connection, broken=True)
                raise
            await asyncio.sleep(PAUSE_S)

    async def release(self, connection, broken=False):
        """Give a connection back. broken: its state is not known: it is ended, and does not wait for the server."""
        with suppress(Exception):  # it has ended, and another one is made when one is needed
            if broken:
                connection.terminate()
            await self._pool.release(connection, timeout=CLOSE_S)

    def close(self):
        """End all connections. The loop need not run."""
        self._closed = True  # a call that waits for a connection gets none
        pool, self._pool = self._pool, None
        if pool is not None and not self._loop.is_closed():
            pool.terminate()

    async def _opened(self):
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # the former one has ended, and its connections with it
            self._loop, self._pool, self._opening = loop, None, asyncio.Lock()
        async with self._opening:
            if self._closed:
                raise StoreError(f"the store {self.where} is closed")
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    connect=self._connect, min_size=0, max_size=self._most, timeout=CONNECT_S, command_timeout=OUTAGE_S,
                    server_settings=_SETTINGS, target_session_attrs="read-write",
                )  # fmt: skip
        return self._pool

    async def _connect(self, *_, **options):
        """Returns a connection to the first of the hosts that has a commit confirmed."""
        fault = None
        for _ in self._urls:
            try:
                connection = await asyncpg.connect(self._urls[self._turn % len(self._urls)], **options)
                await within(STATEMENT_S, connection, connection.execute(PROOF))
                return connection
            except PASSING as error:
                fault = error
                self._turn += 1
        raise fault


class Transaction:
    """`async with conn.transaction() as (messages, db)`: messages: a list of those that are first, one at least; db:
    an asyncpg.Connection in a transaction. When the block ends, the transaction is committed, and with it that all of
    these messages are processed. When it raises, it is rolled back, and the messages come again.

    Raises, at the end: ReadingLost: another process reads now, and gets these messages: all is rolled back; StoreError:
    the database is away, and all is rolled back, or it is not known whether it is. Begin another transaction then: the
    messages that it gets are those that are not processed. What asyncpg raises is passed on, when it was rolled back.
    """

    def __init__(self, transactions, reading, most, wanted, convert):
        self._transactions = transactions
        self._reading = reading
        self._most = most
        self._wanted = wanted
        self._convert = convert
        self._warned = False
        self._outcome = None  # if what is done now raises

    async def __aenter__(self):
        self._found = await self._reading.several(self._most, self._wanted)
        self._fence, self._next = self._reading.fence, self._reading.next
        try:
            messages = [self._convert(*one) for one in self._found]
            self._db, self._transaction = await self._transactions.connection()
        except BaseException:
            self._reading.end()
            raise
        self._db.add_log_listener(self._heard)
        return messages, self._db

    async def __aexit__(self, kind, error, traceback):
        numbers = [number for number, _ in self._found]
        after = max(numbers[-1] + 1, self._next)  # one that waited in RAM is before `next`
        outcome, fault = UNKNOWN, None
        try:
            outcome = await (self._roll_back() if error is not None else self._commit(after))
        except (*PASSING, asyncpg.PostgresError) as fault_of_commit:
            fault, outcome = fault_of_commit, self._outcome
        finally:
            try:
                # A connection in the middle of something is not used again: what it has not committed is rolled back.
                with suppress(asyncpg.InterfaceError):  # it has ended, and is not in the pool any more
                    self._db.remove_log_listener(self._heard)
                await self._transactions.release(self._db, broken=outcome == UNKNOWN or fault is not None)
            finally:  # the call may be cancelled in here too
                if outcome in (UNKNOWN, FENCED):
                    self._reading.lose("fenced" if outcome == FENCED else "unknown")
                # Of one that waited in RAM the cursor does not tell what became of it: it does not come again.
                done = outcome == COMMITTED or outcome == UNKNOWN and numbers[0] < self._next
                self._reading.end(self._fence, numbers if done else (), after if outcome == COMMITTED else None)
        if error is not None or outcome == COMMITTED:
            return False
        if outcome == FENCED:
            raise self._lost("nothing of the transaction was done")
        if outcome == UNKNOWN:
            return await self._find_out(after, fault)
        if isinstance(fault, PASSING):
            raise StoreError(f"{self._transactions.where}: nothing of the transaction was done: {fault}")
        raise fault

    async def _roll_back(self):
        self._outcome = ROLLED_BACK  # also if the connection has broken: nothing is done without COMMIT
        await within(STATEMENT_S, self._db, self._transaction.rollback())
        return ROLLED_BACK

    async def _commit(self, after):
        reading = self._reading
        self._outcome = ROLLED_BACK
        gone = reading.gone_before(after, [number for number, _ in self._found])
        args = reading.key, reading.channel, self._fence, after, self._next, gone
        moved = await within(STATEMENT_S, self._db, self._db.fetchval(self._transactions.move, *args))
        if moved is None:
            self._outcome = FENCED
            await within(STATEMENT_S, self._db, self._transaction.rollback())
            return FENCED
        self._warned, self._outcome = False, UNKNOWN
        try:
            await within(STATEMENT_S, self._db, self.finish())
        except asyncpg.PostgresError as error:
            if not isinstance(error, PASSING):  # such as a constraint that is looked at now
                self._outcome = ROLLED_BACK
            raise
        return UNKNOWN if self._warned else COMMITTED

    async def finish(self):
        """Send COMMIT."""
        await self._transaction.commit()

    async def _find_out(self, after, fault):
        """Return if it was committed. Raises: StoreError, ReadingLost."""
        try:
            alone = await self._reading.again(self._fence, Timeout(round(OUTAGE_S * 1000)))
        except asyncio.TimeoutError:
            alone = False
        if not alone:
            raise self._lost("it is not known whether the transaction was done")
        if self._found[0][0] < self._next:
            raise self._lost("it is not known whether the transaction was done")
        if self._reading.next < after:
            raise StoreError(f"{self._transactions.where}: nothing of the transaction was done: {fault}")

    def _lost(self, what):
        reading = self._reading
        return ReadingLost(f"another process reads channel {reading.channel} of {reading.client_id} now: {what}")

    def _heard(self, connection, message):
        """A commit that was cancelled while it waited for the standby is told as done, with a warning."""
        if getattr(message, "severity", None) == "WARNING" or getattr(message, "severity_en", None) == "WARNING":
            self._warned = True
