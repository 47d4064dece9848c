"""A store made of several databases of PostgreSQL, its *shards*: `store = ["postgresql://a/..", "postgresql://b/.."]`.

All that is kept of a client is in one shard, which follows from its id (rendezvous.py). So no transaction is of two
shards, and each has a thread, connections, a row of this process and its own notifications: one that is away has its
clients wait, and no others. The order of the addresses means nothing: a shard is known by the id in its tables
(postgres_shards.py).
"""

import asyncio
import functools

from protocol.errors import StoreError
from server.core.store import CHANNEL_BYTES, INBOX_BYTES, OUTBOX_BYTES, Store
from server.stores import postgres_shards
from server.stores.begun import Begun
from server.stores.histogram import Histogram
from server.stores.limit import Limit
from server.stores.opened import shown_address
from server.stores.postgres import TOTAL_BYTES, PostgresStore
from server.stores.postgres_schema import SCHEMA
from server.stores.rendezvous import Placement
from server.stores.sharded_use import ShardedOthers, ShardedReadings, ShardedTimeline, of_all, run_all


def _of_client(name):
    """Returns the method of this name: that of the client's shard."""

    @functools.wraps(getattr(Store, name))
    def call(self, client_id, *args, **more):
        return getattr(self.of(client_id), name)(client_id, *args, **more)

    return call


class ShardedStore(Store):
    """Args: urls: of all databases of the store, in any order; the others as those of PostgresStore. tell's details
    have `shard`, the address for people.

    One database of several may be away: its clients wait until it has come, and `trouble` of that part says why.

    Raises: StoreError: as PostgresStore, of whichever database; two are away; the list is not all databases of one
    store."""

    def __init__(
        self, urls, inbox_bytes=INBOX_BYTES, outbox_bytes=OUTBOX_BYTES, *, channel_bytes=CHANNEL_BYTES,
        total_bytes=TOTAL_BYTES, schema=SCHEMA, name=None, tell=None,
    ):  # fmt: skip
        if not urls:
            raise StoreError("a store of several databases needs the address of one at least")
        limit = Limit(total_bytes)
        self.parts = []  # PostgresStores
        self._timeline = None  # before the first call of `timeline`
        try:
            for url in urls:
                self.parts.append(
                    PostgresStore(
                        url, inbox_bytes, outbox_bytes, channel_bytes=channel_bytes, limit=limit, schema=schema,
                        name=name, tell=tell and _telling(tell, url),
                    )
                )  # fmt: skip
            self._by_id = self._checked()
        except BaseException:
            self.close()
            raise
        self._placement = Placement(self._by_id)
        self.others = ShardedOthers([part.others for part in self.parts], lambda client_id: self.of(client_id).others)
        self.readings = ShardedReadings(self)
        self.keys = self.parts[0].keys  # where settings say that the keys are in the store

    def _checked(self):
        """Returns {id of the database: PostgresStore}. Raises: StoreError."""
        there = [one for one in self.parts if one.unreached is None]
        away = [one for one in self.parts if one.unreached is not None]
        by_id = {one.shard.id: one for one in there}
        found = [one.shard for one in there]
        if away:
            missing = found[0].members.keys() - by_id.keys() if found else ()
            if len(away) > 1 or len(missing) != 1:
                raise away[0].unreached
            (name,) = missing
            by_id[name] = away[0]
        postgres_shards.check([*found, *(found[0]._replace(where=one.path, id=name) for one in away)])
        for one in away:
            one.join_later(lambda shard: postgres_shards.check([*found, shard]))
        return by_id

    def of(self, client_id):
        """Returns the shard of this client, a PostgresStore."""
        return self._by_id[self._placement.of(client_id)]

    on_room = of_all("on_room")
    on_read = of_all("on_read")
    on_lost = of_all("on_lost")

    peek = _of_client("peek")
    claim = _of_client("claim")
    renew = _of_client("renew")
    inbox_room = _of_client("inbox_room")
    receive = _of_client("receive")
    unread = _of_client("unread")
    look = _of_client("look")
    take = _of_client("take")
    give_back = _of_client("give_back")
    drop = _of_client("drop")
    remove = _of_client("remove")
    mark = _of_client("mark")
    outbox_room = _of_client("outbox_room")
    put = _of_client("put")
    acknowledge = _of_client("acknowledge")
    expire = _of_client("expire")
    discard = _of_client("discard")
    realign = _of_client("realign")
    named = _of_client("named")
    note = _of_client("note")
    away = _of_client("away")

    @property
    def trouble(self):
        """Why no shard can write now, or None: while one can, this server is of use to its clients."""
        found = [part.trouble for part in self.parts]
        return None if None in found else "; ".join(found)

    @property
    def latency(self):
        """Returns the Histogram of all shards together, as it is now."""
        whole = Histogram(self.parts[0].latency.bounds)
        for part in self.parts:
            whole.counts = [a + b for a, b in zip(whole.counts, part.latency.counts)]
            whole.sum_s += part.latency.sum_s
        return whole

    @property
    def total(self):
        return sum(part.total for part in self.parts)

    @property
    def commits(self):
        """Returns how many transactions there were."""
        return sum(part.commits for part in self.parts)

    def timeline(self):
        if self._timeline is None:
            parts = [part.timeline() for part in self.parts]
            self._timeline = ShardedTimeline(parts, lambda client_id: self.of(client_id).timeline())
        return self._timeline

    async def backlogs(self):
        found = await asyncio.gather(*(part.backlogs() for part in self.parts))
        return sorted((one for some in found for one in some), key=lambda one: one["id"])

    async def together(self, steps):
        for part in self.parts:  # it is not known of which client they are
            part.hold()
        try:
            begun = Begun([step() for step in steps])
        finally:
            for part in self.parts:
                part.release()
        return await begun

    async def watch(self):
        await run_all([part.watch() for part in self.parts])

    def close(self):
        for part in self.parts:
            part.close()


def _telling(tell, url):
    """Returns tell for this shard."""
    where = shown_address(url)
    return lambda event, **details: tell(event, shard=where, **details)
