"""A client's settings file, made for the server that has its key: pb_settings.json of docs/hardware.md.

The client's key is in two files: in the key file for the server, and in the settings for the client's board. What makes
or changes a key with settings changes both. A rotation that is cut off between the two locks nobody out: the old key
is valid until the new one is used. `rotate` also mends an `add` that was cut off.
"""

import json
import socket
from pathlib import Path

from pb_link.settings import DEFAULTS, FILE, Settings, read
from protocol.credentials import parse_id
from protocol.limits import KEY_BYTES
from server.core.listening import plain_host
from server.core.shown import quoted
from server.gateways.private_file import write_private
from server.service.settings import in_full

SETTINGS = FILE  # the usual name, which boards have
_ALL_ADDRESSES = ("", "0.0.0.0", "::")  # of `host`


def add(keys, client_id, path, server, changes=(), repl=None):
    """Make a key for the client, in the key file and in its settings, which are made if there are none.

    If the settings have a key already, as those of the server's demo, the key file gets this one.

    Args: keys: KeyFile; server: the server's settings: the client gets their port, timeout_ms and the address of their
    host; changes: dict of further items of the client's settings; repl: see KeyFile. Returns: True if the settings
    were made. Raises: TypeError, ValueError, OSError; neither file is changed then.
    """
    client_id = parse_id(client_id)
    if client_id in keys.read():
        words = f"{quoted(client_id)} --settings {quoted(str(path))}"
        hint = in_full(f"pb-link keys rotate {words}", server)
        raise ValueError(f"{client_id} has a key: {hint} gives it another one, in both files")
    items, made = _for(client_id, path, server)
    items.update(changes)
    validate({**items, "key": items.get("key", bytes(KEY_BYTES))})
    key = keys.add(client_id, items.get("key"), repl)
    if changes or "key" not in items:
        try:
            write(path, {**items, "key": key})
        except BaseException:
            keys.revoke(client_id)
            raise
    return made


def rotate(keys, client_id, path, server, repl=None):
    """Give the client a new key, in the key file and in its settings. As `add`. The old one is valid until the new one
    has been used."""
    client_id = parse_id(client_id)
    items, made = _for(client_id, path, server)
    validate({**items, "key": bytes(KEY_BYTES)})
    write(path, {**items, "key": keys.rotate(client_id, repl)})
    return made


def _for(client_id, path, server):
    """Returns (items of the client's settings, True if there is no such file yet)."""
    try:
        items = raw(path)
    except FileNotFoundError:
        fresh = {"id": client_id, "server": address_of(server.host)}
        return {**fresh, "port": server.port, "timeout_ms": server.timeout_ms}, True
    if items.setdefault("id", client_id) != client_id:
        raise ValueError(f"{path} has the settings of {items['id']}, not of {client_id}: name another file")
    return items, False


def raw(path):
    """Returns what is in a settings file, without defaults. Raises: ValueError, OSError that name what is wrong."""
    if Path(path).exists() and not Path(path).is_file():  # to open a FIFO would wait for its writer
        raise ValueError(f"{path} is no file")
    try:
        read(str(path))
    except RecursionError:
        raise ValueError(f"{path} is not valid JSON in UTF-8: brackets within brackets, too many of them") from None
    return json.loads(Path(path).read_text(encoding="utf-8-sig"))


def validate(items):
    """Raises: TypeError, ValueError if they are no settings of a client."""
    Settings({**DEFAULTS, **items})


def write(path, items):
    """Replace the settings file. Only its owner can read it. Raises: TypeError, ValueError, OSError."""
    validate(items)
    # MicroPython's json.loads makes two characters of an escaped pair, so nothing is escaped.
    write_private(path, json.dumps(items, indent=1, ensure_ascii=False) + "\n")


def address_of(host):
    """Returns the address for the clients of a server that listens on `host`. Of a computer that is in no network it is
    127.0.0.1, which only a client in the simulator reaches."""
    host = plain_host(host)
    if host not in _ALL_ADDRESSES:
        return host
    try:
        return own_address()
    except OSError:
        return DEFAULTS["server"]


def own_address():
    """Returns this computer's IPv4 address in its network. Nothing is sent. Raises: OSError if it is in none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("192.0.2.1", 9))  # an address of the documentation, RFC 5737
        return sock.getsockname()[0]
