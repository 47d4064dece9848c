"""What processes do together on a store of several databases (sharded.py): in each shard what they do in one."""

import asyncio
import functools

from server.core import others


def of_all(name, parts="parts"):
    """Returns the property that is this one of all parts. parts: name of the attribute that has them."""

    def get(self):
        return getattr(getattr(self, parts)[0], name)

    def set_all(self, value):
        for part in getattr(self, parts):
            setattr(part, name, value)

    return property(get, set_all)


async def run_all(coroutines):
    """Run them until one raises, or this is cancelled; then cancel the others. Raises: what the first one has raised,
    when all have ended."""
    tasks = [asyncio.create_task(one) for one in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _of_client(name):
    """Returns the method of this name: that of the client's shard."""

    @functools.wraps(getattr(others.Others, name))
    def call(self, client_id, *args):
        return getattr(self._of(client_id), name)(client_id, *args)

    return call


class ShardedOthers(others.Others):
    """Others of all shards. Args: parts: theirs; of: function (client id) that returns that of the client's shard. This
    process has another `node` in each of them."""

    def __init__(self, parts, of):
        self.parts = parts
        self._of = of

    address = of_all("address")
    on_mail = of_all("on_mail")
    on_seen = of_all("on_seen")

    @property
    def name(self):
        return self.parts[0].name

    @property
    def fenced(self):
        return sum(part.fenced for part in self.parts)

    def nodes(self):
        """As Others. A server that uses several shards is one, and lives while it signs in one of them."""
        found = {}
        for node in [node for part in self.parts for node in part.nodes()]:
            before = found.get(node.name, others.Node(node.name, 0, node.silent_s))
            silent_s = min(before.silent_s, node.silent_s)
            found[node.name] = others.Node(node.name, before.clients + node.clients, silent_s)
        return list(found.values())

    moved = _of_client("moved")
    follow = _of_client("follow")
    seen = _of_client("seen")
    elsewhere = _of_client("elsewhere")
    first = _of_client("first")
    channels = _of_client("channels")
    move = _of_client("move")
    watched = _of_client("watched")
    expired = _of_client("expired")
    took = _of_client("took")
    present = _of_client("present")

    async def put(self, client_id, message, watched=False):
        part = self._of(client_id)
        return part, await part.put(client_id, message, watched)

    async def accepted(self, letter):
        part, its = letter
        await part.accepted(its)


class ShardedReadings:
    """Readings (postgres_readings.py) of all shards. Args: store: ShardedStore."""

    def __init__(self, store):
        self._store = store

    def of(self, client_id, channel):
        """Returns the Reading, always the same."""
        return self._store.of(client_id).readings.of(client_id, channel)

    def has_store(self, store):
        """Whether messages that this store has handed out are of these Readings."""
        return store in self._store.parts

    def abandon(self, client_id, channel, number):
        """See Readings."""
        self._store.of(client_id).readings.abandon(client_id, channel, number)

    def sharing(self, start, stop):
        """Returns the sharing of the handlers of `serve`: in each shard, its clients are shared."""
        return ShardedSharing([part.readings.sharing(start, stop) for part in self._store.parts])


class ShardedSharing:
    """Sharing (postgres_sharing.py) of all shards. Args: parts: theirs."""

    def __init__(self, parts):
        self._parts = parts

    async def run(self):
        """Share until cancelled. Then call `leave`."""
        await run_all([part.run() for part in self._parts])

    def look(self):
        """Look at once: a client has come."""
        for part in self._parts:
            part.look()

    def leave(self):
        """Give all back."""
        for part in self._parts:
            part.leave()


class ShardedTimeline:
    """Timeline (timeline.py) of all shards; the server's own rows are in the first of them. Args: parts: theirs; of:
    function (client id) that returns that of the client's shard."""

    def __init__(self, parts, of):
        self._parts = parts
        self._of = of

    @property
    def lost(self):
        return sum(part.lost for part in self._parts)

    @property
    def fault(self):
        return next((part.fault for part in self._parts if part.fault), None)

    def keep(self, client_id, *row):
        """See Timeline."""
        self._part(client_id).keep(client_id, *row)

    def drop(self, *cut):
        """See Timeline."""
        for part in self._parts:
            part.drop(*cut)

    async def read(self, client_id, level, begins):
        """See Timeline."""
        return await self._part(client_id).read(client_id, level, begins)

    async def sizes(self):
        """See Timeline."""
        return [one for part in self._parts for one in await part.sizes()]

    def _part(self, client_id):
        return self._parts[0] if client_id is None else self._of(client_id)
