"""Takes files from examples/file_client.py: they are in the folder `files`, whole and with the right checksum.

Each chunk says where it belongs, so one that is delivered again after a crash of this program is written again in its
place. The file has its name only when all of it is there.
To run it: `python3 examples/file_server.py`, where pb_settings.json is (pb_link installed, or on PYTHONPATH).
"""

import asyncio
import hashlib
import os
import re
import sys
from pathlib import Path

from pb_link.server import Connection, SQLiteStore, StoreError, run, serve
from pb_link.settings import read

CHANNEL = 21
MAX_FILE = 10_000_000  # bytes
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")  # never ".." or a path: it comes from the client


class Files:
    """The files of one client. folder: where they are put."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, message: bytes) -> bytes | None:
        """Take a message of the client. Returns the answer, or None."""
        kind, transfer, rest = message[:1], message[1:5], message[5:]
        part = self._folder / f"{transfer.hex()}.part"
        if kind == b"D" and len(rest) > 4:
            self._write(part, int.from_bytes(rest[:4], "big"), rest[4:])
            return None
        if kind == b"E" and len(rest) > 32:
            return transfer + self._finish(part, rest[:32], rest[32:].decode("utf-8", "replace"))
        return transfer + b"unknown message"

    def _write(self, part: Path, offset: int, data: bytes) -> None:
        if offset == 0:
            for old in self._folder.glob("*.part"):  # of a client that was reset meanwhile
                if old != part:
                    old.unlink()
        if offset + len(data) <= MAX_FILE:  # else the checksum will not be right
            with open(part, "r+b" if part.exists() else "wb") as file:
                file.seek(offset)
                file.write(data)

    def _finish(self, part: Path, digest: bytes, name: str) -> bytes:
        if not NAME.fullmatch(name) or name.endswith(".part"):
            part.unlink(missing_ok=True)
            return b"the name must be 1 to 64 of A-Z a-z 0-9 . _ -"
        file = self._folder / name
        found = part if part.exists() else file  # it has its name already: this message is delivered again
        content = found.read_bytes() if found.exists() else b""
        if hashlib.sha256(content).digest() != digest:
            part.unlink(missing_ok=True)
            return b"the checksum is wrong, or the file is longer than %d bytes" % MAX_FILE
        part.touch()
        with open(part, "r+b") as whole:
            if found != part:
                whole.write(content)
            whole.flush()
            os.fsync(whole.fileno())
        part.replace(file)
        return b"good"


async def receive_files(conn: Connection, folder: Path) -> None:
    """Take what a client sends, as long as the server runs."""
    files, channel = Files(folder), conn.channel(CHANNEL)
    async for message in channel:
        answer = files.take(message.data)
        if answer is not None:
            await channel.send(answer, wait=False)


async def main() -> None:
    settings = read()
    server = run({"demo"}, port=settings["port"], keys={"demo": settings["key"]}, store=SQLiteStore("pb_link.db"))
    await asyncio.gather(server, serve(lambda conn: receive_files(conn, Path("files", conn.client_id))))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
    except (OSError, TypeError, ValueError, StoreError) as error:  # the text says what to do
        sys.exit("file_server: %s" % error)
