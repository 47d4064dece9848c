"""The server: run it, and talk to clients through their Connections.

    async def echo(conn):  # called for each client
        async for line in conn.lines():
            await conn.write(line)

    async def main():
        await asyncio.gather(run({"demo"}, keys={"demo": KEY}), serve(echo))

`run`, `serve`, `client_conn` and `wait_all` use the one default Server of the process.
A program that needs more servers creates them. `Server` has methods of the
same names.

Runs under CPython 3.11+ and, with the store in memory, under MicroPython.
"""

# By themselves, since MicroPython's stack is short for all that a Connection imports:
import primitives.broadcast  # noqa: F401
import protocol.session  # noqa: F401
from protocol import channels, server_session  # noqa: F401
from protocol.errors import RequestFailed, RequestTimeout, StoreError
from server.core import line_reader, sharing  # noqa: F401
from server.core.connection import Connection
from server.core.server import Server
from server.stores.default import default_store
from server.stores.memory import MemoryStore

__all__ = [
    "Connection", "MemoryStore", "RequestFailed", "RequestTimeout", "Server", "StoreError", "attach", "client_conn",
    "run", "serve", "wait_all",
]  # fmt: skip

# The API's functions have no other place to find it.
_server = Server(default_store)
# As in micropython-iot: close the TCP connections of all clients. They may reconnect.
Connection.close_all = staticmethod(lambda: _server.close_all())


def default_server():
    """Returns the Server that `run`, `serve`, `client_conn` and `wait_all` use."""
    return _server


async def run(expected, verbose=False, port=8123, timeout=1500, *, keys, store=None, host="0.0.0.0"):
    """Serve until cancelled. Then close the listener and all connections.

    Args:
        expected: ids of the clients that the application is written for.
            Others are served if they have a key, and logged.
        verbose: True: print one line an event; 2: also one a frame, as docs/protocol.md section 4 names them.
        port: TCP port, 1..65535.
        timeout: ms of silence after which a connection is given up; the
            clients' configuration must have the same.
        keys: dict from id to key (32 bytes or 64 hexadecimal digits), or the
            path of a JSON file of the same, or a Keys (core/keys.py).
        store: see core/store.py; None: the file pb_link.db in the current
            directory, which survives the process (under MicroPython a
            MemoryStore that lives as long as the process). One process at a
            time may use it.
        host: address to listen on.

    Raises: TypeError, ValueError that name the argument; StoreError if the
        file cannot be had, StoreGone if it goes while it is used; OSError if
        the port cannot be had.
    """
    await _server.run(expected, verbose, port, timeout, keys=keys, store=store, host=host)


def serve(handler):
    """Serve each client that connects by a call of handler(conn), until cancelled. Await it beside `run`.

    handler: coroutine function. There is one call at a time for each client, and it lasts through outages. When it
        returns, it is made again once the client has connected since it began. When it raises, the error is reported
        with its traceback and the client's id (`handler_failed`), and the call is made again after 1 s, then 2, 4, ..
        60. Other clients are not affected. A line of `conn.lines()` that was not processed comes again then.

    Clients whose lines a gateway reads are left to it. Use one handler: it has the id in conn.client_id.

    With a store in PostgreSQL, several processes that serve share the clients: each client has one handler, in one of
    them, and it is cancelled when another one is to have it, before the next line. docs/operations.md has the details.

    Raises: TypeError for a handler that is none; LocalProtocolError when it is awaited while another one serves.
    """
    return _server.serve(handler)


async def attach(store):
    """Use the clients of the servers that share a store, in a process without a listener. Returns an Attached:

        async with await server.attach("postgresql://pb_link@db.example/links") as clients:
            await clients["pump"].write("on")

    store: the address of a database of PostgreSQL, a list of those of all databases of a store, a PostgresStore or a
        ShardedStore. Before `run`, and not beside it.

    A client is written to whether or not it is connected, and to whichever server: `write`, and `send` of channels,
    with all that they promise. `client_conn`, `wait_connected`, `status()` and `nconns` are those of all servers.
    Lines and messages are read by one process at a time, and by another one when that ends; `serve` shares the clients
    among the processes. Requests and `discard` raise LocalProtocolError.

    Raises: StoreError: the database cannot be used; ValueError: the store is one of a single process;
    LocalProtocolError: this Server has a store already.
    """
    if isinstance(store, (str, list, tuple)):
        from server.stores.opened import open_shared

        store = await open_shared(store)
    return await _server.attach(store)


async def client_conn(client_id):
    """Wait until the client is connected. Returns its Connection."""
    return await _server.client_conn(client_id)


async def wait_all(client_id=None, peers=None):
    """Wait until all of peers are connected (None: all that `run` expects).

    Returns: the Connection of client_id, which is waited for as well, or None.
    """
    return await _server.wait_all(client_id, peers)


def __getattr__(name):
    """Load a store on first use: MicroPython has no SQLite, and those in PostgreSQL need the extra `postgres`."""
    if name == "SQLiteStore":
        from server.stores.sqlite import SQLiteStore

        return SQLiteStore
    if name in ("PostgresStore", "ShardedStore"):
        from server.stores.opened import need_postgres

        need_postgres()
        from server.stores import postgres, sharded

        return postgres.PostgresStore if name == "PostgresStore" else sharded.ShardedStore
    raise AttributeError("module server has no attribute " + name)
