"""The keys of clients in the databases of a store (postgres_keys.py), when `pb-link store move` changes what these are.

They are in the first database of the list, so they go to the first one of the new list: they are added there, and when
that is safe, removed where they were. A move that was killed in between is run again: what is there already is the
same. No key is shown, and none is lost or replaced: different keys of one client in two databases are an error, of
which nothing is done. A server that has not ended yet may complete a rotation meanwhile: the key that is left counts.
"""

from protocol.errors import StoreError
from server.stores import postgres_keys

ROUNDS = 5  # over a database whose keys change while they are copied; none changes more often than its rotation ends


def check(opened, added):
    """Check that the keys of all databases are those of one store. Args: opened: {id: Tables} of all old and new ones;
    added: ids of those that are new, and to which nothing was moved yet.

    Raises: StoreError: two have different keys of a client, or one that is new has keys that the others lack."""
    known = {}  # id of a client -> (its key, Tables)
    for name in sorted(opened, key=lambda name: name in added):
        tables = opened[name]
        for client_id, entry in entries(tables).items():
            before, where = known.setdefault(client_id, (entry, tables))
            if where is tables and name in added:
                where = tables.shard.where
                raise StoreError(f"{where} has a key of {client_id}, which the store lacks: revoke it there")
            if not (_completes(before, entry) or _completes(entry, before)):
                _differ(client_id, tables, where)


def move(opened, first):
    """Have all keys in the database with this id. Args: opened: as of `check`. Returns how many were moved there.

    Raises: StoreError: as `check`, or a database has failed: run it again."""
    target, count = opened[first], 0
    for name, tables in opened.items():
        if name == first:
            continue
        for _ in range(ROUNDS):
            found = entries(tables)
            if not found:
                break
            count += target.perform(postgres_keys.add_all, _lacking(found, tables, target))
            for client_id in _others(found, entries(target)):
                target.perform(postgres_keys.change, client_id, _completed(found[client_id]))
            tables.perform(postgres_keys.remove, found)
        else:
            raise StoreError(f"the keys in {tables.shard.where} are being changed: end all servers, and begin again")
    return count


def entries(tables):
    """Returns {id of a client: (key or [old, new], whether it allows the REPL)}. Raises: StoreError."""
    try:
        _, keys, repl = tables.perform(postgres_keys.read)
    except ValueError as error:
        raise StoreError(f"{tables.shard.where}: {error}")
    return {client_id: (key, client_id in repl) for client_id, key in keys.items()}


def _lacking(found, tables, target):
    """Returns the function for `add_all`."""

    def lacking(there):
        for client_id in _others(found, there):
            if not (_completes(there[client_id], found[client_id]) or _completes(found[client_id], there[client_id])):
                _differ(client_id, tables, target)
        return {client_id: entry for client_id, entry in found.items() if client_id not in there}

    return lacking


def _others(found, there):
    return [client_id for client_id, entry in found.items() if there.get(client_id, entry) != entry]


def _completed(entry):
    """Returns the function for `change`: a rotation that has ended in one of the two has ended."""
    return lambda before: entry if before is not None and _completes(before, entry) else before


def _completes(before, after):
    """Whether the one is the other, or what it is when its rotation has ended."""
    return before == after or isinstance(before[0], list) and (before[0][1], before[1]) == after


def _differ(client_id, one, other):
    raise StoreError(
        f"{client_id} has different keys in {one.shard.where} and {other.shard.where}: "
        "pb-link keys revoke the one that is not in use, with --store and its address"
    )
