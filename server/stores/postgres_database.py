"""What the store in PostgreSQL reads and writes, over one connection of asyncpg.

The calls are not coroutines: the store's thread makes them (disk_thread.py), and the connection has a loop of its own
that runs during each of them. So a store serves one event loop after another, and closes without one.

**The fence.** Each write of a client's row names the version that it must have, and leaves it one higher. So a server
that has not seen the last write of a client, because another server has claimed it, writes nothing of it. It also names
the transaction that has written the row last: after a failover that has lost the newest commits, or with a restored
copy, others may have brought the row to the same version. The check,
the cursors and the messages of all clients of a batch are one statement. PostgreSQL looks again at a row that it had to
wait for (READ COMMITTED, which each connection asks for), so the statement sees a claim that was committed while it
waited.

**What is not known.** When a connection breaks, or a time limit passes, a statement may have been committed. Each batch
has a random name, which its rows keep. After connecting again the statement is sent again; it changes only rows that
the first one has not changed. Rows that it has not changed and that have the batch's name are those of the first one.

**A statement whose time is over** is not cancelled, but its connection is ended. A commit that is cancelled while it
waits for the standby is done, and visible to all, without the standby having it.
"""

import asyncio
import os
import re
import time
from contextlib import suppress

import asyncpg

from protocol.errors import StoreError
from server.core.message import Message
from server.core.store import LINE_COST, StoreGone
from server.stores import postgres_mail, postgres_nodes, postgres_schema
from server.stores.box import box_of
from server.stores.opened import shown_address
from server.stores.postgres_reading_statements import move_statement
from server.stores.postgres_record import attributes_of, client_rows
from server.stores.postgres_schema import quoted
from server.stores.postgres_statements import BOXES, CLIENT, MESSAGE, PROOF, columns_of, commit_statement

CONNECT_S = 10.0  # for a connection
STATEMENT_S = 15.0  # for a statement, also one that waits for a lock or a standby
CLOSE_S = 2.0  # for saying good-bye: a frozen server never answers
OUTAGE_S = 60.0  # so long a call waits for a server that is away
PAUSE_S = 0.5  # between two attempts to connect
BATCH_BYTES = 8  # the random name of a transaction
# Turns of the connection's loop, which has not run since the last call, in which the end of the connection is noticed:
# for the server's last word, the end, and what follows from it.
_TURNS = 4
# What a server says when it cannot do this now and may be able to later, or when another one has to be asked. asyncpg
# says InternalClientError when a connection ends at the moment at which it is used.
PASSING = (
    asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, asyncpg.IdleSessionTimeoutError,
    asyncpg.InsufficientResourcesError, asyncpg.QueryCanceledError, asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError, asyncpg.ReadOnlySQLTransactionError, asyncpg.LockNotAvailableError,
    asyncpg.TargetServerAttributeNotMatched, asyncpg.IdleInTransactionSessionTimeoutError, OSError, TimeoutError,
)  # fmt: skip
# A commit that was cancelled while it waited for the standby is told as done, with this class of warnings.
_WARNING = "WARNING"
# A server that dies in the middle of a claim leaves its locks for no longer than this.
SETTINGS = {
    "application_name": "pb_link", "client_min_messages": "warning", "idle_in_transaction_session_timeout": "5s",
    "default_transaction_isolation": "read committed",
    "tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
}  # fmt: skip
# A statement that waits for a lock ends when its connection has ended. Where PostgreSQL runs on Windows it cannot tell.
_LOOK_FOR_CLIENT = "SET client_connection_check_interval = '5s'"


class PostgresDatabase:
    """The tables of a store. Args: url: as libpq and asyncpg take it; schema: name of the tables' schema; tell:
    function (event, **details), called in the thread, or None.

    All calls raise StoreError when the server has been away for OUTAGE_S, or refuses what it is told."""

    def __init__(self, url, schema=postgres_schema.SCHEMA, tell=None):
        self.where = shown_address(url)
        self._urls = one_by_one(url)
        self._turn = 0  # which of them is next
        self._schema_name = schema
        self._schema = quoted(schema)
        self._tell = tell or (lambda event, **details: None)
        self._loop = asyncio.new_event_loop()
        self._connection = None
        self._warned = False  # the server has said something about the last statement
        self.trouble = None  # or why it does not answer
        self.closing = False  # nothing is to be waited for
        self._away_since = 0.0  # while there is trouble: all calls of that time share one limit

    # What the store calls

    def open(self):
        """Connect, to the first of the hosts that can be written, and look at the tables. Raises: StoreError."""
        said = []
        for _ in self._urls:
            try:
                self._run(self._connected())
                return
            except StoreGone:
                raise
            except (StoreError, *PASSING) as error:
                said.append(_said(error))
        raise StoreError(f"{self.where} cannot be reached: {'; '.join(said)}")

    def total_cost(self):
        """Returns the cost of all messages of all clients."""
        return self._run(self._again(self._total))

    def check(self):
        """Returns total_cost, or None if the server is away. Raises: StoreGone: these are not our tables any longer."""
        try:
            return self._run(self._checked())
        except StoreGone:
            raise
        except (*PASSING, asyncpg.PostgresError, StoreError) as error:
            self._run(self._drop())
            self.is_away(error)
            return None

    def perform(self, function, *args):
        """Returns what the coroutine function (connection, schema, *args) returns. It may be called again when the
        connection has broken: what was done then may have been done already."""

        async def call():
            return await function(self._connection, self._schema, *args)

        return self._run(self._again(call))

    def backlogs(self):
        """Returns a list of a dict for each client with messages in its outbox."""
        rows = self._run(
            self._again(
                self._fetch,
                f"SELECT id, count(*) AS lines, sum(octet_length(data)) AS bytes, away_s FROM ("
                f"SELECT client, data FROM {self._schema}.outbox UNION ALL "
                f"SELECT client, data FROM {self._schema}.mail WHERE serial IS NULL AND result < 2) m "
                f'JOIN {self._schema}.client ON client.key = m.client GROUP BY client.key ORDER BY id COLLATE "C"',
            )
        )
        return [dict(row) for row in rows]

    def ids(self):
        """Returns the ids of all clients."""
        rows = self._run(self._again(self._fetch, f"SELECT id FROM {self._schema}.client ORDER BY id"))
        return [row["id"] for row in rows]

    def peek(self, ids):
        """Returns {id: (owner, epoch)} of those of these clients that are known."""
        statement = f"SELECT id, owner, epoch FROM {self._schema}.client WHERE id = ANY($1::text[])"
        rows = self._run(self._again(self._fetch, statement, list(ids)))
        return {row["id"]: (row["owner"], row["epoch"]) for row in rows}

    def claim(self, wanted, node=None):
        """Claim clients. Args: wanted: list of (id, epoch of a client that is new, function). function(loaded) is
        called with the attributes of a Record, and returns a record (postgres_record.py) that has claimed itself;
        node: of the process that claims them (postgres_nodes.hold).

        Returns: {id: record, or StoreError}, all safe. The records have everything that was committed before."""
        batch = os.urandom(BATCH_BYTES)
        return self._run(self._again(self._claim, sorted(wanted, key=lambda one: one[0]), node, batch, {}))

    def commit(self, changes):
        """Commit one transaction. changes: (Changes, list of `PostgresRecord.row`, name of the transaction, bytes).
        Returns the keys of the clients of which nothing was done, because their version is another one. `moved` of
        the Changes has the readers that have moved on; `repeated`: the batch was sent again, so what it has of those
        clients may have been done before they were claimed elsewhere."""
        rows, clients, _ = changes
        if clients:
            done, rows.moved, rows.repeated = self._run(self._committed(*changes))
            return {row[0] for row in clients} - done
        # Then there are no messages either.
        statement, columns, times = move_statement(self._schema), rows.move_columns(), []

        async def move():
            times.append(None)
            return await self._fetch(statement, *columns)

        found = self._run(self._again(move))
        rows.moved, rows.repeated = {(row["client"], row["channel"]) for row in found}, len(times) > 1
        return set()

    def close(self):
        """End the connection."""
        self._run(self._drop(politely=True))
        self._loop.close()

    # The connection

    def _run(self, coroutine):
        return self._loop.run_until_complete(coroutine)

    async def _connected(self):
        """Have a connection. Raises: of PASSING; StoreError, StoreGone."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        await self._drop()
        try:
            async with asyncio.timeout(CONNECT_S):
                connection = await asyncpg.connect(
                    self._urls[self._turn % len(self._urls)], target_session_attrs="read-write",
                    server_settings=SETTINGS,
                )  # fmt: skip
        except PASSING:
            self._turn += 1  # the next host
            raise
        except (asyncpg.PostgresError, ValueError) as error:
            self._turn += 1
            raise StoreError(f"{self.where}: {error}")
        connection.add_log_listener(self._heard)
        try:
            await within(STATEMENT_S, connection, self._greet(connection))
            await self._prove(connection)
        except BaseException:
            self._turn += 1
            await _end(connection)
            raise
        self._connection = connection
        return connection

    async def _greet(self, connection):
        """Look at what has been connected to. Raises: StoreError, StoreGone."""
        await postgres_schema.check(connection, self._schema_name, self.where)
        if await connection.fetchval("SHOW synchronous_commit") == "off":
            raise StoreError(f"{self.where} has synchronous_commit = off: it would lose what was acknowledged")
        with suppress(asyncpg.InvalidParameterValueError):
            await connection.execute(_LOOK_FOR_CLIENT)

    async def _prove(self, connection):
        """Have a commit done: an old primary that was replaced waits for its standby then, and is found by that.

        Nothing depends on this commit. So it is cancelled when its time is over: one that nobody waits for any longer
        would keep its place at the server as long as the standby is away, and each attempt would add one."""
        self._warned = False
        async with asyncio.timeout(STATEMENT_S):
            await connection.execute(PROOF)
        if self._warned:
            raise TimeoutError("the server has not had a commit confirmed by its standby")

    def _heard(self, connection, message):
        if getattr(message, "severity_en", None) == _WARNING or getattr(message, "severity", None) == _WARNING:
            self._warned = True
            self.say("store_warning", text=str(message))

    def say(self, event, **details):
        with suppress(Exception):  # what is told must not fail a transaction
            self._tell(event, **details)

    async def _drop(self, politely=False):
        """End the connection, whatever state it is in."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if politely:
            await _end(connection)
        connection.terminate()

    async def _again(self, function, *args):
        """Returns what the coroutine function returns, which may be called again when the connection has broken."""
        while True:
            try:
                connection = await self._connected()
                self._warned = False
                result = await within(STATEMENT_S, connection, function(*args))
                if self._warned:
                    raise TimeoutError("a commit that was not confirmed")
                self.answers()
                return result
            except PASSING as error:
                if self._connection is not None:
                    self._turn += 1  # the next host: this one may have been replaced. If not, the turn comes back
                await self._drop()
                self.is_away(error)
                if self.closing or time.monotonic() > self._away_since + OUTAGE_S:
                    raise StoreError(f"{self.where} has been away for {OUTAGE_S:.0f} s: {_said(error)}")
                await asyncio.sleep(PAUSE_S)
            except asyncpg.PostgresError as error:
                await self._drop()
                if isinstance(error, (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)):
                    raise StoreGone(f"{self.where}: {error}")
                raise StoreError(f"{self.where}: {error}")

    def is_away(self, error):
        """Note that the server does not answer, and tell that."""
        was_away, self.trouble = self.trouble is not None, _said(error)
        if not was_away:
            self._away_since = time.monotonic()
            self.say("store_away", reason=self.trouble)

    def answers(self):
        """Note that it does."""
        if self.trouble is not None:
            self.trouble = None
            self.say("store_back")

    # In the connection's loop

    async def _fetch(self, statement, *args):
        return await self._connection.fetch(statement, *args)

    async def _checked(self):
        connection = await self._connected()
        total = await within(STATEMENT_S, connection, self._looked(connection))
        self.answers()
        return total

    async def _looked(self, connection):
        await postgres_schema.check(connection, self._schema_name, self.where)
        return await self._total()

    async def _total(self):
        statement = (
            f"SELECT (SELECT coalesce(sum(cost), 0) FROM {self._schema}.client)::bigint + (SELECT coalesce(sum("
            f"octet_length(data) + {LINE_COST}), 0) FROM {self._schema}.mail WHERE serial IS NULL)::bigint"
        )
        return await self._connection.fetchval(statement)

    async def _committed(self, changes, clients, batch):
        """Returns (keys of the clients whose changes are safe, (key, channel) of the readers that have moved on,
        whether it was sent more than once)."""
        attempts, columns = 0, columns_of(clients)

        async def send(timeline):
            statement, values = changes.statement(self._schema, timeline)
            return await self._fetch(statement, batch, *columns, *values)

        async def attempt():
            nonlocal attempts
            attempts += 1
            with_rows = changes.timeline is not None and attempts == 1
            rows = await (changes.timeline.first(self._connection, send) if with_rows else send(None))
            done = {row["key"] for row in rows if row["channel"] is None}
            moved = {(row["key"], row["channel"]) for row in rows if row["channel"] is not None}
            if attempts > 1 and len(done) < len(columns[0]):
                found = f"SELECT key FROM {self._schema}.client WHERE key = ANY($1::bigint[]) AND batch = $2"
                done |= {row["key"] for row in await self._fetch(found, columns[0], batch)}
                # What was found may wait for its standby yet. A later commit is there when that one is.
                await self._prove(self._connection)
            return done, moved, attempts > 1

        return await self._again(attempt)

    async def _claim(self, wanted, node, batch, made):
        """See `claim`. batch: name of the transaction; made: results of an attempt before, whose outcome is unknown: a
        client whose row has the name was claimed by it."""
        connection, schema = self._connection, self._schema
        ids = [one[0] for one in wanted]
        async with connection.transaction(isolation="read_committed"):
            await postgres_nodes.hold(connection, schema, node)
            await connection.execute(
                f"INSERT INTO {schema}.client (id, epoch) SELECT * FROM unnest($1::text[], $2::bytea[]) "
                "ON CONFLICT (id) DO NOTHING",
                ids, [one[1] for one in wanted],
            )  # fmt: skip
            rows = await connection.fetch(
                f"SELECT id, {', '.join(CLIENT)} FROM {schema}.client WHERE id = ANY($1::text[]) "
                "ORDER BY key FOR UPDATE",
                ids,
            )
            keys = [row["key"] for row in rows]
            boxes = {table: await self._boxes(table, keys) for table in BOXES}
            found, results, mail = {}, {}, {}
            for row in await postgres_mail.of_clients(connection, schema, keys):
                mail.setdefault(row["client"], []).append(row)
            for row in rows:
                of_it = {table: boxes[table].get(row["key"], {}) for table in BOXES}
                found[row["id"]] = attributes_of(row, of_it, mail.get(row["key"], ()))
            done = {row["id"] for row in rows if row["batch"] == batch}
            for client_id, _, function in wanted:
                loaded = made[client_id] if client_id in done else found[client_id]
                is_it = client_id in done or isinstance(loaded, StoreError)
                results[client_id] = loaded if is_it else function(loaded)
            made.update(results)
            records = [one for name, one in results.items() if name not in done and not isinstance(one, StoreError)]
            if records:
                columns = columns_of(client_rows(records, batch))
                rows = await connection.fetch(commit_statement(schema, []), batch, *columns)
                if len(rows) != len(records):
                    raise asyncpg.SerializationError("a client has changed while it was claimed")
        return results

    async def _boxes(self, table, keys):
        """Returns {key: {channel: Box}}."""
        found = {}
        rows = await self._fetch(
            f"SELECT {', '.join(MESSAGE)} FROM {self._schema}.{table} WHERE client = ANY($1::bigint[]) "
            "ORDER BY client, number",
            keys,
        )
        for key, number, channel, kind, at, data in rows:
            box_of(found.setdefault(key, {}), channel).append(number, Message(channel, kind, at, data))
        return found


async def within(seconds, connection, coroutine):
    """Returns what the coroutine, which uses the connection, returns. When its time is over, or its caller cancelled,
    the connection is ended, and nothing is cancelled at the server. Raises: TimeoutError."""
    task = asyncio.ensure_future(coroutine)
    try:
        done, _ = await asyncio.wait([task], timeout=seconds)
    except asyncio.CancelledError:
        connection.terminate()
        task.add_done_callback(lambda task: task.cancelled() or task.exception())  # it is known
        raise
    if not done:
        connection.terminate()
        await asyncio.wait([task], timeout=CLOSE_S)  # its statement has failed by that
        if not task.cancel() and not task.cancelled():
            task.exception()  # it is known
        raise TimeoutError(f"no answer for {seconds:g} s")
    return task.result()


async def _end(connection):
    """End a connection with a word, if it can be had in time: a cancel that is on its way is sent. Raises nothing."""
    if not connection.is_closed():
        with suppress(Exception):
            async with asyncio.timeout(CLOSE_S + 1):
                await connection.close(timeout=CLOSE_S)
    connection.terminate()


def one_by_one(url):
    """Returns the addresses of the hosts that an address names, each with all the rest: asyncpg would give all of them
    one time limit, which a host that is dead would use up."""
    scheme, _, rest = url.partition("://")
    authority = re.match(r"[^/?#]*", rest)[0]
    user, at, hosts = authority.rpartition("@")
    return [f"{scheme}://{user}{at}{host}{rest[len(authority) :]}" for host in hosts.split(",")]


def _said(error):
    if isinstance(error, asyncpg.InternalClientError):
        return "the connection has ended"
    return str(error) or type(error).__name__
