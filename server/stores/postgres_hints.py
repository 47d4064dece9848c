"""Hints between the processes that use one store in PostgreSQL: "look", and at what.

A hint makes things quick, and nothing depends on it: whoever waits for something also looks at each beat. So hints may
be lost, and they are sent outside of the transactions that they tell of. NOTIFY takes a lock over the whole database
server when it commits, which would stop those that accept lines. One connection of its own listens and tells, in the
event loop of the server. What one process tells another one within COALESCE_S is one NOTIFY.

A payload is words with keys: "mail:12,45 result:"; a word without keys means all of them.
"""

import asyncio
import hashlib

import asyncpg

from protocol.errors import StoreError
from server.core.store import StoreGone
from server.stores.postgres_database import CONNECT_S, PASSING, SETTINGS, STATEMENT_S, one_by_one
from server.stores.postgres_nodes import BEAT_S

COALESCE_S = 0.05  # between two hints to one process
PAUSE_S = 0.5  # between two attempts to connect
ALL = 0  # in place of a node: all processes
MAX_KEYS = 400  # of one word: with more, all are meant. PostgreSQL takes payloads of less than 8,000 bytes
# It waits for no disk and no standby: what is told may be lost.
_NOTIFY = (
    "SELECT pg_notify(n.channel, n.payload) FROM unnest($1::text[], $2::text[]) AS n (channel, payload), "
    "set_config('synchronous_commit', 'off', true)"
)


def channel_of(schema, node):
    """Returns the name of the channel on which a process listens: at most 63 bytes, whatever the schema is called."""
    return f"pb_link_{hashlib.sha256(schema.encode()).hexdigest()[:12]}_{node}"


def encode_hint(found):
    """Returns the payload. found: {word: set of keys, or None for all}."""
    return " ".join(f"{word}:{','.join(map(str, sorted(keys or ())))}" for word, keys in found.items())


def decode_hint(payload):
    """Returns {word: set of keys, or None for all}. What is no hint is left out: others may use the channel."""
    found = {}
    for part in payload.split(" "):
        word, colon, keys = part.partition(":")
        keys = keys.split(",") if keys else []
        if colon and all(key.isascii() and key.isdigit() for key in keys):
            found[word] = {int(key) for key in keys} or None
    return found


class Hints:
    """Args: url, schema: as those of the store; joined: coroutine function that returns the id of this process, once it
    has one; beat: coroutine function (connection) that is
    called after connecting and then each BEAT_S; heard: function (word, set of keys or None for all);
    warn: function (text), told what nobody has expected."""

    def __init__(self, url, schema, joined, beat, heard, warn):
        self._urls = one_by_one(url)
        self._turn = 0  # which of them is next
        self._schema = schema
        self._joined = joined
        self._node = None
        self._beat = beat
        self._heard = heard
        self._warn = warn
        self._due = {}  # node -> {word: set of keys or None} that it is to be told
        self._told = {}  # node -> when it was told last, by the loop's clock
        self._wake = asyncio.Event()
        self._loop = None  # in which `run` runs
        self._beat_at = 0.0
        self.sent = 0  # notifications so far

    def tell(self, node, word, key=None):
        """Have a process (ALL: all others) look. It is a hint: without a connection it is lost."""
        if self._loop is None:
            return
        if node == self._node:
            self._loop.call_soon(self._heard, word, None if key is None else {key})
            return
        words = self._due.setdefault(node, {})
        keys = words.setdefault(word, set())
        if key is None or keys is not None and len(keys) >= MAX_KEYS:
            words[word] = None
        elif keys is not None:
            keys.add(key)
        self._wake.set()

    def look(self):
        """Have the next beat at once."""
        self._beat_at = 0.0
        self._wake.set()

    async def run(self):
        """Listen, tell and beat until cancelled. Raises: StoreGone that `joined` or `beat` raises."""
        self._node = await self._joined()
        self._wake, self._loop = asyncio.Event(), asyncio.get_running_loop()
        try:
            while True:
                connection = None
                try:
                    async with asyncio.timeout(CONNECT_S):
                        connection = await self._connect()
                    await self._serve(connection)
                except StoreGone:
                    raise
                except (*PASSING, asyncpg.PostgresError, ValueError, StoreError):
                    self._turn += 1
                except Exception as error:  # without the heartbeat this process is dead to others: it begins anew
                    self._turn += 1
                    self._warn(f"the heartbeat has failed: {error!r}")
                finally:
                    if connection is not None:
                        connection.terminate()
                await asyncio.sleep(PAUSE_S)
        finally:
            self._loop = None
            self._due.clear()
            self._told.clear()

    async def _connect(self):
        settings = {**SETTINGS, "application_name": "pb_link hints"}
        connection = await asyncpg.connect(
            self._urls[self._turn % len(self._urls)], command_timeout=STATEMENT_S, server_settings=settings,
            target_session_attrs="read-write",
        )  # fmt: skip
        try:
            for node in (self._node, ALL):
                await connection.add_listener(channel_of(self._schema, node), self._notified)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _serve(self, connection):
        loop, self._beat_at = self._loop, 0.0  # what was not heard meanwhile is seen by the first beat
        while True:
            if loop.time() >= self._beat_at:
                self._beat_at = loop.time() + BEAT_S
                async with asyncio.timeout(STATEMENT_S + 1):
                    await self._beat(connection)
            self._wake.clear()
            now = loop.time()
            ready = [node for node in self._due if now >= self._told.get(node, 0.0) + COALESCE_S]
            if ready:
                await self._notify(connection, ready, now)
                continue
            until = min([self._beat_at] + [self._told[node] + COALESCE_S for node in self._due])
            try:
                async with asyncio.timeout_at(until):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _notify(self, connection, nodes, now):
        channels = [channel_of(self._schema, node) for node in nodes]
        payloads = [encode_hint(self._due.pop(node)) for node in nodes]
        self._told = {node: at for node, at in self._told.items() if now < at + COALESCE_S}
        self._told.update(dict.fromkeys(nodes, now))
        async with asyncio.timeout(STATEMENT_S + 1):
            await connection.execute(_NOTIFY, channels, payloads)
        self.sent += len(nodes)

    def _notified(self, connection, pid, channel, payload):
        if not connection.is_closed() and pid != connection.get_server_pid():
            for word, keys in decode_hint(payload).items():
                self._heard(word, keys)
