"""What `pb-link keys` does to the key of one client: pure, for a key file and for a table of keys.

Each function takes the client's id and Entry, or None if it has no key, and returns the Entry that it has from then on.

Raises: TypeError, ValueError that name the id and the remedy; none shows a key.
"""

import secrets
from collections import namedtuple

from protocol.credentials import parse_id, parse_key
from protocol.limits import KEY_BYTES
from server.core.shown import harmless, quoted

# key: bytes, or [old, new] until the new one has been used; repl: True if the client's key allows the REPL.
Entry = namedtuple("Entry", ("key", "repl"))


def added(client_id, entry, key=None, repl=None):
    """A new client. key: the one that it has already, 64 hexadecimal digits, or None: a new one."""
    client_id = parse_id(client_id)
    if entry is not None:
        name = quoted(client_id)
        raise ValueError(f"{harmless(client_id)} has a key: pb-link keys rotate {name} gives it another one")
    return Entry(parse_key(key) if key else secrets.token_bytes(KEY_BYTES), bool(repl))


def rotated(client_id, entry, repl=None):
    """A new key beside the old one. repl: True or False, or None: as before."""
    entry = _known(client_id, entry)
    old = entry.key[0] if isinstance(entry.key, list) else entry.key
    return Entry([old, secrets.token_bytes(KEY_BYTES)], entry.repl if repl is None else repl)


def revoked(client_id, entry):
    """Returns None: the client has no key any more."""
    _known(client_id, entry)


def used(client_id, entry, key):
    """This key was used. If it is still the new one, the old one is no longer valid."""
    if entry is not None and isinstance(entry.key, list) and entry.key[1] == key:
        return entry._replace(key=key)
    return entry


def missing(there, entries):
    """Returns those of the entries that are not there yet. Args: dicts from id to Entry.

    Raises: ValueError: there is another one for an id."""
    other = sorted(client_id for client_id in entries if there.get(client_id, entries[client_id]) != entries[client_id])
    if other:
        names = ", ".join(map(harmless, other[:5])) + (", .." if len(other) > 5 else "")
        raise ValueError(
            f"{len(other)} clients have another key there, or another right to the REPL: {names}. Nothing was copied: "
            "pb-link keys revoke takes away the wrong one"
        )
    return {client_id: entry for client_id, entry in entries.items() if client_id not in there}


def entries(keys, repl):
    """Returns a dict from id to Entry. Args: keys: from id to key; repl: ids whose key allows the REPL."""
    return {client_id: Entry(key, client_id in repl) for client_id, key in keys.items()}


def newest(entry):
    """Returns the key that the client is to have, 64 hexadecimal digits."""
    return (entry.key[1] if isinstance(entry.key, list) else entry.key).hex()


def _known(client_id, entry):
    if entry is None:
        name = quoted(client_id)
        raise ValueError(
            f"{harmless(client_id)} has no key: pb-link keys list shows who has one, keys add {name} gives one"
        )
    return entry
