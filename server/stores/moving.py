"""Adds databases to a store of PostgreSQL, or takes them away: `pb-link store move FROM .. --to TO ..`.

Only the clients move whose database is another one then (rendezvous.py). No server runs meanwhile. The move may be
killed at any moment, and is run again then, to its end:

1. Each database says that clients are being moved, and to which list. In the same transaction it forgets all processes
   (postgres_nodes.py): a server that runs, or was stopped and goes on, claims nothing any more, and ends. None starts.
2. A client that is not where the new list has it is claimed: nobody writes it any more, owner, reader or writer. It is
   written where it belongs, in place of what a killed move has left of it there, and so is what was measured of it;
   and when that is safe, it is removed where it was. So what is in the wrong place is the whole of the client, until
   it is removed in one transaction. Its rows of the timeline stay there, of nobody, until they are old.
3. The keys of clients, if they are in the store, go to the first database of the new list (moved_keys.py).
4. What was measured of the server itself goes to the first database of the new list.
5. Each database says that it is one of the new list.

A server that starts finds 1, and refuses, until all databases of its list have come to 5.
"""

from protocol.errors import StoreError
from server.stores import moved_keys, postgres_shards
from server.stores.copying import CLIENTS_AT_ONCE, count
from server.stores.opened import shown_address
from server.stores.postgres_copy import open_tables
from server.stores.postgres_schema import SCHEMA
from server.stores.rendezvous import Placement

_SERVER = 0  # its key in the timeline


def move(sources, targets, schema=SCHEMA):
    """Make the store in the databases `sources` one in `targets` (lists of addresses). Those that are new have to be
    empty, from `pb-link store init`; those that are in `sources` alone are empty afterwards, and of no store.

    Returns (clients, messages, keys) that have moved. Raises: StoreError: the lists are wrong, or the keys contradict
    each other, and nothing was done; or a database has failed: run it again."""
    if not sources or not targets:
        raise StoreError("name one database at least to move from, and one to move to")
    opened = {}  # id -> Tables
    try:
        old, new = ([open_tables(url, opened, schema) for url in urls] for urls in (sources, targets))
        wanted = {one.id: shown_address(url) for one, url in zip(new, targets)}
        unfinished = _check(old, new, wanted, opened)
        if unfinished:
            added = {one.id for one in unfinished if one.moving is None} - {one.id for one in old}
            moved_keys.check(opened, added)
        for one in unfinished:
            shard = one._replace(installation=old[0].installation, members=_members(old), moving=wanted)
            opened[one.id].perform(postgres_shards.begin_move, shard)
        moved = [_move_from(tables, opened, Placement(wanted)) for tables in opened.values()] if unfinished else []
        keys = moved_keys.move(opened, new[0].id) if unfinished else 0
        if unfinished and old[0].id != new[0].id:
            _copy_history(opened[old[0].id], opened[new[0].id], [_SERVER])
        for one in unfinished:
            opened[one.id].perform(postgres_shards.end_move, wanted)
        return sum(clients for clients, _ in moved), sum(messages for _, messages in moved), keys
    finally:
        for tables in opened.values():
            tables.close()


def check_places(urls, schema=SCHEMA):
    """Raises: StoreError: these databases are not all of one store, or a client is in another one than it should be."""
    opened = {}
    try:
        shards = [open_tables(url, opened, schema) for url in urls]
        postgres_shards.check(shards)
        placement = Placement(opened)
        for tables in opened.values():
            for client_id in tables.ids():
                if placement.of(client_id) != tables.shard.id:
                    where = opened[placement.of(client_id)].shard.where
                    raise StoreError(f"client {client_id} is in {tables.shard.where}, and belongs in {where}")
    finally:
        for tables in opened.values():
            tables.close()


def _members(shards):
    return {one.id: one.where for one in shards}


def _check(old, new, wanted, opened):
    """Returns the Shards that do not say yet that the move is done, new databases first. Raises: StoreError: the lists
    are wrong."""
    postgres_shards.check_same_store(old)
    postgres_shards.check_different(new)
    before = {one.id for one in old}
    done = (old[0].installation, wanted.keys(), None)
    unfinished = {one.id: one for one in (*old, *new) if (one.installation, one.members.keys(), one.moving) != done}
    for one in unfinished.values():
        if one.moving is not None and one.moving.keys() != wanted.keys():
            others = ", ".join(sorted(where or name for name, where in one.moving.items()))
            raise StoreError(f"{one.where}: an earlier move has not ended: run that first, --to {others}")
        if one.id not in before:
            if one.installation != old[0].installation and one.members.keys() != {one.id}:
                raise StoreError(f"{one.where} is one of the databases of another store")
            if one.moving is None and opened[one.id].ids():
                raise StoreError(f"{one.where} has clients already: add an empty database (pb-link store init)")
    postgres_shards.check_members([one for one in old if one.id in unfinished], old)
    return sorted(unfinished.values(), key=lambda one: one.id in before)  # no server starts with the new ones alone


def _copy_history(tables, target, keys):
    """Copy what was measured of these clients, which are written there."""
    for rows in tables.history(keys):
        target.keep(rows)


def _move_from(tables, opened, placement):
    """Move the clients that do not belong here. Returns (clients, messages)."""
    away = {}  # id of a database -> ids of clients
    for client_id in tables.ids():
        away.setdefault(placement.of(client_id), []).append(client_id)
    away.pop(tables.shard.id, None)
    clients = messages = 0
    for target, ids in away.items():
        for first in range(0, len(ids), CLIENTS_AT_ONCE):
            records = tables.read(ids[first : first + CLIENTS_AT_ONCE])
            versions = {record.key: record.version for record in records}
            opened[target].perform(postgres_shards.clear, {record.client_id: record.owner for record in records})
            opened[target].write(records)
            _copy_history(tables, opened[target], list(versions))
            tables.perform(postgres_shards.remove, versions)
            clients += len(records)
            messages += sum(map(count, records))
    return clients, messages
