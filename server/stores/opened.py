"""Which store an address names: a file's path, a database of PostgreSQL, or a list of such databases."""

import asyncio
import os
import platform
import re
import threading

from protocol.errors import StoreError
from server.stores.sqlite import SQLiteStore

_POSTGRES = ("postgresql://", "postgres://")


def is_postgres(address):
    """Whether the address is one of PostgreSQL, or a list of such, and not the path of a file."""
    return all(one.startswith(_POSTGRES) for one in ([address] if isinstance(address, str) else address))


def own_name(number=None):
    """Returns the name of this process for people, HOST:NUMBER. number: the port of a server; None: the process id."""
    return f"{platform.node() or 'localhost'}:{os.getpid() if number is None else number}"


def open_store(address, *limits, tell=None, name=None, **more):
    """Returns the store: SQLiteStore of a path, PostgresStore of postgresql://.., ShardedStore of a list of these.

    Args: limits, tell, more: as those take them; name: of all but SQLiteStore. Raises: StoreError: it cannot be used,
    or the extra `postgres` is missing."""
    if not is_postgres(address):
        return SQLiteStore(address, *limits, tell=tell, **more)
    need_postgres()
    if not isinstance(address, str):
        from server.stores.sharded import ShardedStore

        return ShardedStore(address, *limits, tell=tell, name=name, **more)
    from server.stores.postgres import PostgresStore

    return PostgresStore(address, *limits, tell=tell, name=name, **more)


async def open_shared(address):
    """Returns the store that several processes share, opened without stopping the loop. Raises: as `open_store`, and
    ValueError: a file is one process's alone."""
    if not is_postgres(address):
        raise ValueError("only a database of PostgreSQL can be attached to: postgresql://..")
    loop = asyncio.get_running_loop()
    opening = loop.run_in_executor(None, open_store, address)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise


def _close(opening):
    """Close what was opened for a caller that is gone, in a thread of its own: the loop and its threads may end."""
    if not opening.cancelled() and opening.exception() is None:
        threading.Thread(target=opening.result().close).start()


def shown_address(address):
    """Returns the address for people: a whole path, or that of a database without its password. Of a list: all."""
    if not isinstance(address, str):
        return ", ".join(map(shown_address, address))
    if not is_postgres(address):
        return os.path.abspath(address)
    scheme, authority, path, rest = re.match(r"(\w+://)([^/?#]*)([^?#]*)(.*)", address, re.DOTALL).groups()
    user, at, hosts = authority.rpartition("@")
    if "@" in path + rest or not all(re.fullmatch(r"[^:]*|\[.*\]|.*:\d*", host) for host in hosts.split(",")):
        return scheme + "..."  # a password with a character that has a meaning there
    return f"{scheme}{user.partition(':')[0]}{at}{hosts}{path}"


def need_postgres():
    """Raises: StoreError: the extra `postgres` is missing."""
    try:
        import asyncpg  # noqa: F401
    except ModuleNotFoundError:
        raise StoreError("a store in PostgreSQL needs the extra postgres: pip install '.[postgres]' in the checkout")
