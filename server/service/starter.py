"""`pb-link init`: the files that a first client and its server need, and that belong together."""

import contextlib
import os
from types import SimpleNamespace

from protocol.credentials import parse_id
from server.file_owner import keep_owner
from server.service import client_settings
from server.service.key_file import KeyFile
from server.service.settings import in_full

KEYS, SETTINGS, TOML = "keys.json", client_settings.SETTINGS, "pb_link.toml"
TIMEOUT_MS = 1500

_TOML = """\
# The server's settings, for  pb-link serve --config pb_link.toml . docs/operations.md has all of them.
# What clients must have the same in pb_settings.json: port, timeout_ms.
port = PORT
timeout_ms = TIMEOUT_MS
app = "application:handler"
"""

_APPLICATION = '''\
"""The server's application:  pb-link serve --config pb_link.toml"""

from pb_link.server import Connection


async def handler(conn: Connection) -> None:
    """Called for each client that comes. conn.client_id is its id."""
    async for line in conn.lines():  # each is removed from the store when the next one is requested
        print(conn.client_id, line, end="", flush=True)
        await conn.write("got " + line)
'''

_CLIENT = '''\
"""The client's application, for its board (build/deploy.py --app client.py) or simulated boards (sim up)."""

import asyncio

from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware

INTERVAL_S = 5


class App(AppBase):
    def start(self) -> None:
        self.create_task(self.send())
        self.create_task(self.receive())

    async def send(self) -> None:
        count = 0
        while True:
            count += 1
            await self.write("line " + str(count))
            await asyncio.sleep(INTERVAL_S)

    async def receive(self) -> None:
        while True:
            print(await self.readline(), end="")


asyncio.run(App(conn_id, config, hardware).run())  # docs/client.md: what it does, and how to add a watchdog
'''

FILES = {TOML: _TOML, "application.py": _APPLICATION, "client.py": _CLIENT}
ALL = (SETTINGS, KEYS, *FILES)


def init(client_id, port, server=None):
    """Write the files into the current directory, where none of them may be. Nothing is overwritten.

    Args: client_id: str; port: int; server: the server's address for the board, or None for this computer's.
    Returns: the settings of the client. Raises: TypeError, ValueError, OSError; no file is left then.
    """
    client_id = parse_id(client_id)
    if not client_id.isprintable() or client_id != client_id.strip():
        raise ValueError(f"{client_id!r} is no good name of a client: write visible characters, no blank at its ends")
    _refuse_what_is_there()
    made = []  # by this call: another one may be made at the same time, and the first file decides whose they are
    try:
        for name, text in FILES.items():
            text = text.replace("PORT", str(port)).replace("TIMEOUT_MS", str(TIMEOUT_MS))
            with open(name, "x", encoding="utf-8") as file:
                made.append(name)
                keep_owner(file.fileno(), os.curdir)
                file.write(text)
        options = SimpleNamespace(host=server or "", port=port, timeout_ms=TIMEOUT_MS, path=TOML)
        client_settings.add(KeyFile(KEYS), client_id, SETTINGS, options)
    except BaseException as error:
        if len(made) == len(FILES) and not _somebody_has_a_key():
            made += [KEYS, KEYS + ".lock"]
        for name in made:
            with contextlib.suppress(OSError):
                os.unlink(name)
        if isinstance(error, FileExistsError):
            _refuse_what_is_there()
        raise
    return client_settings.raw(SETTINGS)


def _refuse_what_is_there():
    there = [name for name in ALL if os.path.lexists(name)]
    if there:
        hint = in_full("pb-link keys add ID --settings FILE", SimpleNamespace(path=TOML if TOML in there else None))
        raise ValueError(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} here already, and nothing was written. For one "
            f"more client:  {hint} . Otherwise begin in another folder"
        )


def _somebody_has_a_key():
    """Returns True if the key file has keys that `keys add` has made meanwhile, or is another file."""
    try:
        return bool(KeyFile(KEYS).read())
    except (OSError, TypeError, ValueError):
        return True
