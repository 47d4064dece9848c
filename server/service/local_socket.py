"""A socket for programs of the same user on this computer, which has a path.

Where there are Unix sockets it is one, with permissions for its owner alone. Elsewhere (Windows) it is a port of
127.0.0.1, and the file at the path says which, and a secret: whoever can read the file may connect. There the rights of
the folder say who can.
"""

import asyncio
import contextlib
import hmac
import os
import secrets
import socket
import stat
import sys

from server.gateways.private_file import write_private

HAS_UNIX = hasattr(socket, "AF_UNIX") and hasattr(asyncio, "start_unix_server")
MARK = "pb_link 127.0.0.1:"  # how the file begins
PATH_BYTES = 107 if sys.platform == "linux" else 103  # sun_path has 108 bytes, elsewhere 104, with a NUL
_HOST = "127.0.0.1"
_SECRET_S = 5.0  # for a caller to say it


async def listen(serve, path, limit):
    """Listen at a path, where there may be what a server that was killed has left. Returns the asyncio server.

    Args: serve, limit: as asyncio.start_server takes them. Raises: OSError.
    """
    if not HAS_UNIX:
        return await _listen_on_port(serve, path, limit)
    mask = os.umask(0o177)
    try:
        remove(path)
        return await asyncio.start_unix_server(serve, path, limit=limit)
    finally:
        os.umask(mask)


async def _listen_on_port(serve, path, limit):
    secret = secrets.token_hex(16)

    async def admit(reader, writer):
        try:
            async with asyncio.timeout(_SECRET_S):
                said = await reader.readline()
        except (OSError, ValueError, TimeoutError):
            said = b""
        if hmac.compare_digest(said.strip(), secret.encode()):
            await serve(reader, writer)
        else:
            writer.close()

    server = await asyncio.start_server(admit, _HOST, 0, limit=limit)
    write_private(path, f"{MARK}{server.sockets[0].getsockname()[1]} {secret}\n")
    return server


def is_one(path):
    """Returns True if the file at the path is a socket of this kind. Raises: OSError if there is none."""
    if HAS_UNIX:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    with open(path, "rb") as file:
        return file.read(len(MARK)) == MARK.encode()


def remove(path):
    """Remove what is at the path, if anything is."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def connected(path, limit_s=None):
    """Returns a socket that is connected. limit_s: of each operation, None for no limit. Raises: OSError."""
    if not HAS_UNIX:
        port, secret = _place(path)
        sock = socket.create_connection((_HOST, port), limit_s)
        sock.sendall(secret)
        return sock
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.settimeout(limit_s)
        sock.connect(path)
        return sock
    except BaseException:
        sock.close()
        raise


async def open_connection(path, limit):
    """Returns (reader, writer). Raises: OSError."""
    if HAS_UNIX:
        return await asyncio.open_unix_connection(path, limit=limit)
    port, secret = _place(path)
    reader, writer = await asyncio.open_connection(_HOST, port, limit=limit)
    writer.write(secret)
    return reader, writer


def _place(path):
    """Returns (port, secret and a newline). Raises: OSError: nobody listens there."""
    with open(path, encoding="ascii", errors="replace") as file:
        port, _, secret = file.readline().removeprefix(MARK).strip().partition(" ")
    if not (port.isdecimal() and secret):
        raise ConnectionRefusedError(None, f"{path} is no socket of pb_link")
    return int(port), secret.encode() + b"\n"
