"""Sends the file data.bin to examples/file_server.py in chunks of bytes, and says when the server has all of it.

What is lost on the way the link sends again, also after an outage of hours: nothing here cares. A file that is sent
while the board is reset is sent again from its beginning.
In simulation: `pb-link sim up --client examples/file_client.py`, beside file_server.py, where data.bin is.
"""

import asyncio
import os
from hashlib import sha256

from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware

CHANNEL = 21
CHUNK = 500  # bytes of the file in a message
PATH = "data.bin"
TRIES = 3


async def send_file(channel, path):
    """Send a file. Returns its size when the server has it. Raises: OSError: it cannot be read, or is not taken."""
    name = path.split("/")[-1].encode()
    for _ in range(TRIES):
        transfer = os.urandom(4)
        digest = sha256()
        offset = 0
        with open(path, "rb") as file:
            while data := file.read(CHUNK):
                digest.update(data)
                await channel.send(b"D" + transfer + offset.to_bytes(4, "big") + data, wait=False)
                offset += len(data)
        await channel.send(b"E" + transfer + digest.digest() + name)
        answer = await answer_to(channel, transfer)
        if answer == b"good":
            return offset
    raise OSError("%s is not taken: %s" % (path, str(answer, "utf-8")))


async def answer_to(channel, transfer):
    """Returns what the server says of this transfer. Answers to another one came for the program before a reset."""
    while True:
        answer = (await channel.receive()).data
        if answer[:4] == transfer:
            return answer[4:]


class App(AppBase):
    async def start(self):
        print("the server has", await send_file(self.channel(CHANNEL), PATH), "bytes")


if __name__ == "__main__":
    asyncio.run(App(conn_id, config, hardware).run())
