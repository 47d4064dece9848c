"""The server's keys, from a mapping, or from a JSON file of one object,
{"id": "64 hexadecimal digits", ...}.

While a key is being changed, an id has two, ["old", "new"], until the new one
has been used. A client whose key allows the REPL has {"key": ..., "repl": true}
instead. The key hint in a client's HELLO tells which of them it has. So
keys are not tried in turn, and messages that others send in the client's name
have no effect. The hint proves nothing, since anybody may repeat it. So the
state that depends on a key's use changes only after the proof.
"""

import json
import os

from protocol.credentials import parse_id, parse_key
from protocol.limits import KEY_BYTES
from protocol.text import decode_text

_MOST = 2  # keys for one id
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # editors may put one before the text


class Keys:
    """The keys of the clients that may connect. keys: dict from id to key, or to a list of the old and the new one."""

    def __init__(self, keys):
        self._keys = keys
        self._nobodys = os.urandom(KEY_BYTES)
        self._proved = {}  # id -> the key that its last connection was authenticated with
        self.on_unfit = None  # function () -> bool, called if no key fits; True if the keys may have changed since
        self.on_used = None  # function (id, key): the new key of this id was used, and the old one is no longer valid

    def __contains__(self, client_id):
        return client_id in self._keys

    def __iter__(self):
        return iter(self._keys)

    def choose(self, client_id, fits):
        """Returns the key of this id that fits, or None. fits: function (key) -> bool, see Responder.

        It is called equally often whatever the result, as long as the keys do not change. So the response time does
        not reveal which ids have a key, which have two, and which of the two fits.
        """
        found = self._fitting(client_id, fits)
        if found is None and self.on_unfit is not None and self.on_unfit():
            found = self._fitting(client_id, fits)
        return found

    def _fitting(self, client_id, fits):
        keys = _listed(self._keys.get(client_id))
        found = None
        for number in range(_MOST):
            known = number < len(keys)
            key = keys[number] if known else self._nobodys
            if fits(key) and known:
                found = key
        return found

    def proved(self, client_id, key):
        """Note that the client has proved this key. Returns False if the key was removed meanwhile."""
        keys = self._keys.get(client_id)
        if key not in _listed(keys):
            return False
        self._proved[client_id] = key
        if isinstance(keys, list) and key == keys[1]:
            self._keys[client_id] = key
            if self.on_used is not None:
                self.on_used(client_id, key)
        return True

    def replace(self, keys):
        """Use other keys from now on. Returns the ids whose connections were authenticated with a removed key."""
        gone = [client_id for client_id, key in self._proved.items() if key not in _listed(keys.get(client_id))]
        for client_id in gone:
            del self._proved[client_id]
        self._keys = keys
        return gone


def _listed(keys):
    return keys if isinstance(keys, list) else [] if keys is None else [keys]


def load_keys(keys):
    """Returns a dict from id to key (32 bytes), or to a list of the old and the new key.

    Args: keys: dict from id to key (bytes or hexadecimal str), list, or dict of
        key and repl; or the path of a JSON file with such an object.
    Raises: TypeError, ValueError, OSError; no message shows a key.
    """
    found = {}
    for client_id, key in _items(keys):
        client_id = parse_id(client_id)
        try:
            if isinstance(key, dict):
                key = _permitted(key)[0]
            if not isinstance(key, list):
                found[client_id] = parse_key(key)
            elif len(key) == _MOST:
                found[client_id] = [parse_key(one) for one in key]
            else:
                raise ValueError("a list must have the old key and the new one")
        except ValueError as error:
            raise ValueError("key of %s: %s" % (_harmless(client_id), error))
    return found


def load_repl(keys):
    """Returns the set of the ids whose key allows the REPL. Args and what it raises: as `load_keys`."""
    return {parse_id(client_id) for client_id, key in _items(keys) if isinstance(key, dict) and _permitted(key)[1]}


def _items(keys):
    if isinstance(keys, str):
        keys = _read(keys)
    if not isinstance(keys, dict):
        raise TypeError("keys must map ids to keys, or be the path of a JSON file that does")
    return keys.items()


def _permitted(entry):
    """Returns (key or list, whether it allows the REPL). Raises: ValueError."""
    repl = entry.get("repl")
    if set(entry) != {"key", "repl"} or not isinstance(repl, bool):
        raise ValueError('one in braces must have "key" and "repl", which is true or false')
    return entry["key"], repl


def _harmless(client_id):
    """Returns the id for an error, unless it is a key: somebody has put the two the other way round."""
    try:
        parse_key(client_id)
    except ValueError:
        return client_id
    return "an id that is a key itself (the id comes first)"


def _read(path):
    try:
        with open(path, "rb") as file:
            data = file.read()
        return json.loads(decode_text(data[3:] if data[:3] == _BYTE_ORDER_MARK else data))
    except (ValueError, RuntimeError):  # RecursionError is one: brackets within brackets
        pass  # this error contains the whole file, and would be the context of one raised here
    raise ValueError(path + " is not valid JSON in UTF-8: it must map ids to keys")
