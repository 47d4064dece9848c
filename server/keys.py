"""The server's keys: from a mapping, or from a JSON file of one object,
{"id": "64 hexadecimal digits", ...}."""

import json

from protocol.credentials import parse_id, parse_key


def load_keys(keys):
    """Return a dict from id to key (32 bytes).

    Args: keys: dict from id to key (bytes or hexadecimal str), or the path of
        a JSON file with such an object.
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
            found[client_id] = parse_key(key)
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
