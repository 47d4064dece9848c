"""The settings of simulated clients: those that are there are used, those that are missing are made.

The first client has the folder of the user, as on its board: with pb_settings.json, made as the demo server makes it.
Each further one has a folder of its own with the same settings under another id. Their keys are in keys.json of the
user's folder, which the demo server and `pb-link serve` read.
"""

import os
import secrets
import socket
from collections import namedtuple
from pathlib import Path

from pb_link.settings import FILE, read_or_create
from protocol.limits import KEY_BYTES
from server.service import client_settings
from server.service.key_file import KeyFile
from sim.mpy.server_process import free_port

KEYS = "keys.json"
MAX_CLIENTS = 9  # a key of the keyboard selects each

Ready = namedtuple("Ready", "id folder made")  # id: None if nobody has looked; made: its settings were made


def prepare(folder, count, scratch, *, look, say):
    """Returns a list of Ready, one a client.

    Args: folder: the user's; count: clients; scratch: where the folders of the further ones are; look: whether the id
    has to be known, so that the settings must be good; say(text). Raises: OSError, TypeError, ValueError.
    """
    if count > MAX_CLIENTS:
        raise ValueError(f"{count} clients are too many: {MAX_CLIENTS} at most")
    path = Path(folder) / FILE
    if path.exists() and count == 1 and not look:
        return [Ready(None, folder, False)]  # the program itself says what is wrong with them
    items, made = read_or_create(str(path))
    if made:
        _have_free_port(path, items)
        say(f"made {path.name} with a fresh key, for client and server: port {items['port']}, id {items['id']}")
    first = Ready(items["id"], folder, made)
    if count == 1:
        return [first]
    keys = KeyFile(Path(folder) / KEYS)
    if items["id"] not in keys.read():
        keys.add(items["id"], items["key"])
    return [first, *(_further(items, number, keys, scratch, say) for number in range(2, count + 1))]


def _further(items, number, keys, scratch, say):
    client_id = f"{items['id']}-{number}"
    known = keys.read().get(client_id)
    if known is None:
        key = keys.add(client_id)
        say(f"made a key for {client_id} in {KEYS}")
    else:
        key = (known[-1] if isinstance(known, list) else known).hex()
    folder = Path(scratch) / client_id
    folder.mkdir()
    client_settings.write(folder / FILE, {**_told(items), "id": client_id, "key": key})
    return Ready(client_id, folder, True)


def _told(items):
    """The items as a file has them; `read` gives those of the demo as well."""
    return {name: value for name, value in items.items() if value is not None}


def _have_free_port(path, items):
    """The usual port may be another server's."""
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", items["port"]))
            return
        except OSError:
            items["port"] = free_port()
    client_settings.write(path, items)


def make(folder, client_id, items):
    """Writes the settings of a client with a fresh key, which only their owner can read."""
    client_settings.write(Path(folder) / FILE, {**items, "id": client_id, "key": secrets.token_hex(KEY_BYTES)})
