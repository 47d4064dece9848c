"""The server's keys: from a mapping, or from a JSON file of one object,
{"id": "64 hexadecimal digits", ...}.

While a key is being changed an id has two, ["old", "new"], until the new one
has been used. HELLO does not say which of them the client has, and the server
proves itself first, under one of them: so the two have turns, the old one
first, and the other one after a connection that ended without a proof. HELLO
does have the epoch of the client's life, and a life has one key: what has been
tried with it is remembered, so that it is refused once at most, whatever
others say in its name meanwhile.
"""

import json

from protocol.credentials import parse_id, parse_key

LIVES = 16  # of one client, of which it is known what has been tried: of more, the oldest is forgotten


class Keys:
    """Who may connect. keys: dict from id to key, or to a list of the old and the new one."""

    def __init__(self, keys):
        self._keys = keys
        self._turns = {}  # id -> _Turns
        self.on_used = None  # function (id): the new key of this id was used, and the old one is none any more

    def __contains__(self, client_id):
        return client_id in self._keys

    def __iter__(self):
        return iter(self._keys)

    def choose(self, client_id, life):
        """The key to try now with this life (epoch) of the client, or None."""
        keys = self._keys.get(client_id)
        return keys[self._turns_of(client_id).next(life)] if isinstance(keys, list) else keys

    def failed(self, client_id, key, life):
        """There was no proof with this key, which was tried."""
        keys = self._keys.get(client_id)
        if isinstance(keys, list) and key in keys:
            self._turns_of(client_id).failed(life, keys.index(key))

    def proved(self, client_id, key, life):
        """The client has proved that it has this key."""
        keys = self._keys.get(client_id)
        if isinstance(keys, list) and key == keys[1]:
            self._keys[client_id] = key
            self._turns.pop(client_id, None)
            if self.on_used is not None:
                self.on_used(client_id)
        elif isinstance(keys, list):
            self._turns_of(client_id).proved(life)

    def _turns_of(self, client_id):
        turns = self._turns.get(client_id)
        if turns is None:
            turns = self._turns[client_id] = _Turns()
        return turns

    def replace(self, keys):
        """Other keys from now on. Returns the ids whose connections rest on a key that is none any more."""
        gone = [client_id for client_id in self._keys if not _some(self._keys[client_id], keys.get(client_id))]
        self._turns = {one: turns for one, turns in self._turns.items() if keys.get(one) == self._keys.get(one)}
        self._keys = keys
        return gone


class _Turns:
    """Which of two keys, 0 or 1, is tried next."""

    def __init__(self):
        self._next = 0  # with a life of which nothing is known
        self._lives = []  # (life, number of the key to be tried next), the oldest first
        self._proved = None  # the life that has the old key

    def next(self, life):
        if life == self._proved:
            return 0
        for known, number in self._lives:
            if known == life:
                return number
        return self._next

    def failed(self, life, number):
        self._next = 1 - number
        self._lives = [entry for entry in self._lives if entry[0] != life][1 - LIVES :]
        self._lives.append((life, 1 - number))

    def proved(self, life):
        self._proved = life
        self._next = 0


def _some(before, after):
    """True if a client with one of the keys before may have it still."""
    before = before if isinstance(before, list) else [before]
    return any(key in (after if isinstance(after, list) else [after]) for key in before)


def load_keys(keys):
    """Return a dict from id to key (32 bytes), or to a list of the old and the new key.

    Args: keys: dict from id to key (bytes or hexadecimal str) or list, or the
        path of a JSON file with such an object.
    Raises: TypeError, ValueError, OSError; no message shows a key.
    """
    if isinstance(keys, str):
        keys = _read(keys)
    if not isinstance(keys, dict):
        raise TypeError("keys must map ids to keys, or be the path of a JSON file that does")
    found = {}
    for client_id, key in keys.items():
        client_id = parse_id(client_id)
        try:
            if not isinstance(key, list):
                found[client_id] = parse_key(key)
            elif len(key) == 2:
                found[client_id] = [parse_key(one) for one in key]
            else:
                raise ValueError("a list must have the old key and the new one")
        except ValueError as error:
            raise ValueError("key of %s: %s" % (client_id, error))
    return found


def _read(path):
    try:
        with open(path) as file:
            return json.loads(file.read())
    except ValueError:
        pass  # this error holds the whole file, and would be the context of one raised here
    raise ValueError(path + " is not valid JSON: it must map ids to keys")
