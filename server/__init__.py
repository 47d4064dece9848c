"""The server: run it, and talk to clients through their Connections.

    async def echo():
        conn = await client_conn("demo")
        while True:
            await conn.write(await conn.readline())

    async def main():
        asyncio.create_task(echo())
        await run({"demo"}, keys={"demo": KEY})

Runs under CPython 3.11+ and, with the store in memory, under MicroPython. What
is CPython's alone is in modules of its own: sqlite.py, ..
"""

from protocol.credentials import parse_id
from protocol.errors import StoreError
from server.core.connection import Connection
from server.core.keys import Keys, load_keys
from server.core.listener import Listener
from server.core.registry import Registry
from server.stores.memory import MemoryStore

__all__ = ["Connection", "MemoryStore", "StoreError", "client_conn", "run", "wait_all"]

# One set of clients for a process: the API's functions have no other place to find it.
_registry = Registry()
Connection.registry = _registry


async def run(
    expected, verbose=False, port=8123, timeout=1500, *, keys, store=None, host="0.0.0.0"
):
    """Serve for ever; when cancelled, close the listener and all connections.

    Args:
        expected: ids of the clients that the application is written for.
            Others are served if they have a key, and logged.
        verbose: True: print one line an event; 2: also one a frame, as docs/protocol.md section 4 names them.
        port: TCP port, 1..65535.
        timeout: ms of silence after which a connection is given up; the
            clients' configuration must have the same.
        keys: dict from id to key (32 bytes or 64 hexadecimal digits), or the
            path of a JSON file of the same, or a Keys (keys.py).
        store: see store.py; None: the file pb_link.db in the current
            directory, which survives the process (under MicroPython a
            MemoryStore that lives as long as the process). One process at a
            time may use it.
        host: address to listen on.

    Raises: TypeError, ValueError that name the argument; StoreError if the
        file cannot be had, StoreGone if it goes while it is used; OSError if
        the port cannot be had.
    """
    if isinstance(expected, str):
        raise TypeError("expected must be a collection of ids, not one str")
    if not isinstance(port, int) or not 1 <= port <= 65535:
        raise ValueError("port must be 1..65535")
    if not isinstance(timeout, int) or timeout < 200:
        raise ValueError("timeout must be at least 200 ms")
    expected = {parse_id(client_id) for client_id in expected}
    _registry.verbose = verbose
    keys = keys if isinstance(keys, Keys) else load_keys(keys)
    listener = Listener(_registry, keys, _registry.use(store), timeout)
    _registry.expect(expected)
    await listener.serve(host, port)


async def client_conn(client_id):
    """Wait until the client is connected. Returns its Connection."""
    connection = _registry.get(parse_id(client_id))
    await connection
    return connection


async def wait_all(client_id=None, peers=None):
    """Wait until all of peers are connected (None: all that `run` expects).

    Returns: the Connection of client_id, which is waited for as well, or None.
    """
    while peers is None and _registry.expected is None:
        await _registry.changed.wait()
    for peer in _registry.expected if peers is None else peers:
        await client_conn(peer)
    return None if client_id is None else await client_conn(client_id)


def __getattr__(name):
    """SQLiteStore is loaded when it is asked for: MicroPython has no SQLite."""
    if name != "SQLiteStore":
        raise AttributeError("module server has no attribute " + name)
    from server.stores.sqlite import SQLiteStore

    return SQLiteStore
