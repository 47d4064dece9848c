"""The other processes that use a store in PostgreSQL: `Others` of core/others.py.

While the store is watched (`used`), this process beats: it lets others see that it lives, and looks at what no hint has
told of. That is one statement each BEAT_S, whatever number of clients there is. Its commit waits for the standby, if
there is one: an old primary that was replaced, and does not know it, would be looked at for ever.
"""

import asyncio
import time
from contextlib import asynccontextmanager, suppress

from protocol.errors import StoreError
from server.core import others
from server.core.others import NOWHERE, SILENT_S, Node, Seen
from server.core.store import StoreGone
from server.stores import postgres_nodes
from server.stores.postgres_arrived import Arrived
from server.stores.postgres_hints import ALL, Hints
from server.stores.postgres_keys import HINT
from server.stores.postgres_letters import Letters
from server.stores.postgres_nodes import GIVEN_UP, MAX_NODES, SILENT
from server.stores.postgres_schema import quoted

TELLS = 30  # beats, at most, at which others are told of a client that was taken from one of them

# What it returns of a client is a Seen. Of a node, `node` is how many clients it has, and `connections` for how many ms
# it has given no sign of life.
_BEAT = f"""
WITH beat AS (UPDATE {{schema}}.node SET seen = now(), address = $2, clients = $4 WHERE id = $1 RETURNING id)
SELECT 'beat' AS what, id AS key, NULL AS id, 0::bigint AS node, false AS connected, 0::bigint AS connections,
    0::bigint AS owner FROM beat
UNION ALL
SELECT 'mail', c.key, NULL, 0, false, 0, 0 FROM {{schema}}.client c WHERE c.node = $1 AND EXISTS (
    SELECT FROM {{schema}}.mail m WHERE m.client = c.key AND m.serial IS NULL AND m.result < 2)
UNION ALL
SELECT 'seen', c.key, c.id, c.node, c.connected AND n.seen > now() - interval '{SILENT}', c.connections,
    c.owner
FROM {{schema}}.client c LEFT JOIN {{schema}}.node n ON n.id = c.node WHERE c.id = ANY($3::text[])
UNION ALL
SELECT 'keys', 0, stamp::text, 0, false, 0, 0 FROM {{schema}}.key_change
UNION ALL (
SELECT 'node', n.id, n.name, n.clients, false, (1000 * extract(epoch FROM now() - n.seen))::bigint, 0
FROM {{schema}}.node n WHERE n.address <> '' AND n.id <> $1 ORDER BY n.seen DESC LIMIT {MAX_NODES})
"""
_ELSEWHERE = f"""
SELECT EXISTS (
    SELECT FROM {{schema}}.client c JOIN {{schema}}.node n ON n.id = c.node
    WHERE c.id = $1 AND c.connected AND c.node <> $2 AND n.seen > now() - interval '{SILENT}')
"""


class PostgresOthers(others.Others):
    """Args: own: Own (postgres.py); url, schema: of its store."""

    def __init__(self, own, url, schema):
        self.name = own.name
        self._own = own
        self._nodes = {}  # id of another server -> (its name, its clients, when it has signed last: time.monotonic)
        self._schema = quoted(schema)
        self._hints = Hints(url, schema, own.joined, self._beat, self._heard, own.warn)
        self._seen = {}  # client id -> Seen
        self._followed = {}  # client id -> its key, or None of one that is not known yet
        self._asked = set()  # ids of clients of this process that may be another's: the next beat asks
        self._taken = {}  # id of a client that was taken from another process -> beats at which that is told
        self.beaten = time.monotonic()  # when this process has signed last that it lives
        self._users = 0
        self._running = None  # task
        self._looks = set()  # tasks
        self.arrived = Arrived(own, self._hints.tell, self._arrived_for)
        self._letters = Letters(own.perform, own.joined, own.mail_limits, own.epoch_of, self._hints.tell)

    @property
    def node(self):
        return self._own.node

    @asynccontextmanager
    async def used(self):
        """Beat while the block runs. Several may run."""
        if not self._users:
            self.beaten = time.monotonic()  # from now on it is to beat
        self._users += 1
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._running.cancel()

    def end(self):
        """The store does not work any longer: end the heartbeat, and have the calls that wait learn it. The loop need
        not run."""
        if self._running is not None:
            with suppress(RuntimeError):  # it has been closed, and nobody waits
                self._running.get_loop().call_soon_threadsafe(self._end)

    def _end(self):
        self._running.cancel()
        self._letters.end()

    def silent_s(self):
        """Returns for how many seconds this process has given no sign of life, 0 if it is to give none."""
        return time.monotonic() - self.beaten if self._users else 0.0

    async def _run(self):
        try:
            await self._hints.run()
        except StoreGone as error:
            self._own.gone(error)

    async def _beat(self, connection):
        own, asked, self._asked = self._own, self._asked, set()
        ids = [*asked, *(client_id for client_id in self._followed if not own.serves(client_id))]
        begun = time.monotonic()
        args = self.node, self.address, ids, own.clients()
        try:
            rows = await connection.fetch(_BEAT.format(schema=self._schema), *args)
        except BaseException as error:
            self._asked |= asked
            if isinstance(error, TimeoutError):
                self._doubt()
            raise
        if not any(row["what"] == "beat" for row in rows):
            if await own.perform(postgres_nodes.is_joined, self.node):
                raise TimeoutError("this server was replaced before this process has come")
            raise StoreGone(GIVEN_UP)
        self.beaten = begun
        self._nodes = {
            row["key"]: (row["id"], row["node"], begun - row["connections"] / 1000)
            for row in rows
            if row["what"] == "node"
        }
        for row in rows:
            if row["what"] == "keys":
                own.keys_stamp(row["id"])
            if row["what"] == "seen":
                if row["id"] in self._followed:
                    self._followed[row["id"]] = row["key"]
                self._see(row["id"], Seen(row["node"], bool(row["connected"]), row["connections"], row["owner"]))
        self._fetch([row["key"] for row in rows if row["what"] == "mail"])
        self._tell_taken()
        self._letters.retry()
        self._letters.look()

    def _doubt(self):
        """The store's own connection may be to the same server, which confirms no commit: have it do one."""
        if not self._looks:
            self._look_with(self._own.perform(postgres_nodes.is_joined, self.node))

    def _heard(self, word, keys):
        if word == "mail":
            self._fetch(self._own.keys() if keys is None else keys)
        elif word in ("inbox", "read"):
            self._own.heard(word, keys)
        elif word == HINT:
            self._hints.look()
        elif word == "result":
            self._letters.retry()
            self._letters.look()
        elif word == "seen":
            records = [self._own.record_of(key) for key in (self._own.keys() if keys is None else keys)]
            self._asked.update(record.client_id for record in records if record is not None)
            followed = {*self._followed.values()}
            if self._asked or keys is None or keys & followed or None in followed:
                self._hints.look()

    # For any process

    async def put(self, client_id, message, watched=False):
        self._own.check_id(client_id)
        return await self._letters.put(client_id, message, watched)

    async def accepted(self, letter):
        await self._letters.accepted(letter)

    async def moved(self, client_id, channel):
        futures = self._letters.under_way(client_id, channel)
        if futures:
            await asyncio.wait(futures)
        key = self._own.key_of(client_id)
        if key is not None:
            await self.arrived.fetch(key)

    def tell(self, node, word, key):
        """Have another process look: see Hints."""
        self._hints.tell(node, word, key)

    def follow(self, client_id):
        if client_id not in self._followed:
            self._followed[client_id] = None
            self._hints.look()

    def seen(self, client_id):
        return self._seen.get(client_id, NOWHERE)

    def _see(self, client_id, seen):
        if seen != self._seen.get(client_id):
            self._seen[client_id] = seen
            if self.on_seen is not None:
                self.on_seen(client_id)

    async def elsewhere(self, client_id):
        async def ask(connection, schema):
            return await connection.fetchval(_ELSEWHERE.format(schema=schema), client_id, self.node)

        return await self._own.perform(ask)

    def nodes(self):
        now = time.monotonic()
        found = [(name, clients, now - signed) for name, clients, signed in self._nodes.values()]
        if self.address:
            found.append((self.name, self._own.clients(), now - self.beaten))
        return [Node(name, clients if silent_s < SILENT_S else 0, silent_s) for name, clients, silent_s in found]

    # For the owner

    def first(self, client_id, channel):
        queue = self._mail_of(client_id).get(channel)
        return queue[0][1] if queue else None

    def channels(self, client_id):
        return [*self._mail_of(client_id)]

    def _mail_of(self, client_id):
        record = self._own.record(client_id)
        return record.mail.waiting if record is not None else {}

    async def move(self, client_id, owner, channel, most):
        return await self._own.move(client_id, owner, channel, most)

    def watched(self, client_id):
        record = self._own.record(client_id)
        return [serial for serial, (_, watched) in record.mail.moved.items() if watched] if record is not None else []

    def expired(self, client_id, serial):
        record = self._own.record(client_id)
        if record is not None:
            self.arrived.expired(record, serial)

    def doubt(self, client_id):
        """The database has refused a change of this client: look who has it now."""
        self._asked.add(client_id)
        self._hints.look()

    def took(self, client_id):
        self._taken[client_id] = TELLS
        self._hints.look()

    def _tell_taken(self):
        """Until the client is connected somewhere, the server that had it may not know that it has it no longer."""
        for client_id, left in [*self._taken.items()]:
            record = self._own.record(client_id)
            if not left or record is None or record.connected:
                del self._taken[client_id]
            else:
                self._taken[client_id] = left - 1
                self._hints.tell(ALL, "seen", record.key)

    def present(self, client_id, owner, connected):
        with suppress(StoreError):  # it was claimed elsewhere, and that one tells where it is
            self._own.present(client_id, owner, connected, lambda key: self._hints.tell(ALL, "seen", key))

    def _fetch(self, keys):
        keys = [key for key in keys if self._own.record_of(key) is not None]
        if keys:
            self._look_with(self._fetch_all(keys))

    def _look_with(self, coroutine):
        task = asyncio.get_running_loop().create_task(_without_error(coroutine))
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)

    async def _fetch_all(self, keys):
        await asyncio.gather(*[self.arrived.fetch(key) for key in keys], return_exceptions=True)

    def _arrived_for(self, client_id):
        if self.on_mail is not None:
            self.on_mail(client_id)


async def _without_error(coroutine):
    """The database is away: the calls that need it say so."""
    with suppress(StoreError):
        await coroutine
