"""The keys in the database of the store, for settings with `keys = "store"`: what KeyFile is for a key file.

`KeyTable` is for commands, each of which connects by itself. `FollowedKeys` is for a server, which must not wait for
the database while a client authenticates: it has all keys in RAM, and reads them again when they have changed.
"""

import asyncio
import functools

from protocol.credentials import parse_id
from server.gateways.setting import SettingsError
from server.service import key_changes
from server.service.key_changes import Entry
from server.stores.opened import is_postgres, need_postgres, shown_address

STORE = "store"  # the value of the setting
_APART_S = 1.0  # between two looks at the table: a rotation of many keys is not one for each


class KeyTable:
    """Args: address: of the database, or a list of those of a store: the keys are in the first one. Raises:
    SettingsError: it is none.

    Every method raises StoreError, and ValueError that names the id and the remedy; none shows a key."""

    def __init__(self, address):
        if not is_postgres(address):
            raise SettingsError(
                'keys = "store" needs a database: store = "postgresql://..". Beside a store that is a file, the keys '
                'are in a key file: keys = "keys.json"'
            )
        need_postgres()
        self._address, *self._others = [address] if isinstance(address, str) else address
        self.where = shown_address(self._address)

    def snapshot(self):
        """Returns (stamp, keys, repl): see postgres_keys.read. Raises: SettingsError: another database has the keys."""
        found = _admin().keys(self._address)
        for other in self._others if not found[1] else ():
            if _admin().keys(other)[1]:
                raise SettingsError(
                    f"the keys are in {shown_address(other)}, and {self.where} has none: name that one first, as all "
                    "servers do, or copy them with pb-link keys copy"
                )
        return found

    def read(self):
        return self.snapshot()[1]

    def repl(self):
        return self.snapshot()[2]

    def add(self, client_id, key=None, repl=None):
        return key_changes.newest(self._change(client_id, key_changes.added, key, repl))

    def rotate(self, client_id, repl=None):
        return key_changes.newest(self._change(client_id, key_changes.rotated, repl))

    def revoke(self, client_id):
        self._change(client_id, key_changes.revoked)

    def add_all(self, entries):
        """Add the keys of these clients, all or none. Returns how many were not there yet."""
        return _admin().add_keys(self._address, lambda there: key_changes.missing(_entries(there), entries))

    def _change(self, client_id, function, *args):
        client_id = parse_id(client_id)
        return _admin().change_key(self._address, client_id, functools.partial(_changed, function, client_id, args))


class FollowedKeys:
    """The keys as a server has them.

    Args: table: PostgresKeys of its store; snapshot: of a KeyTable; unwritable: function (id, error), called when a
    completed rotation could not be stored."""

    def __init__(self, table, snapshot, unwritable):
        self._table = table
        self._stamp, self._keys, self._repl = snapshot
        self._unwritable = unwritable
        self._wake = asyncio.Event()
        self._writing = set()  # tasks
        table.on_changed = self._wake.set

    def read(self):
        return dict(self._keys)

    def repl(self):
        return set(self._repl)

    def stamp(self):
        return self._stamp

    async def next_look(self):
        """Return when the keys have been read again. Raises: StoreError, ValueError: they cannot be read."""
        await asyncio.sleep(_APART_S)
        while self._table.stamp in (None, self._stamp):
            self._wake.clear()
            await self._wake.wait()
        self._stamp, self._keys, self._repl = await self._table.read()

    def used(self, client_id, key):
        """Store that this key was used, without waiting for it."""
        task = asyncio.get_running_loop().create_task(self._store_used(client_id, key))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _store_used(self, client_id, key):
        try:
            await self._table.change(client_id, functools.partial(_changed, key_changes.used, client_id, (key,)))
        except Exception as error:  # of the database, of which there are many; it must not be lost in a task
            self._unwritable(client_id, error)


def _changed(function, client_id, args, entry):
    return function(client_id, None if entry is None else Entry(*entry), *args)


def _entries(found):
    return {client_id: Entry(*entry) for client_id, entry in found.items()}


def _admin():
    from server.stores import postgres_admin

    return postgres_admin
