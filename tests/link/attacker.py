"""Somebody between bridge and server: a TCP proxy that knows the framing and harms the frames that pass.

It holds no key. `harm` names what it does to a frame now and then: see `_harmed`; None passes everything on.
"""

import asyncio

from protocol.framing import MAX_FRAME, PREAMBLE
from tests.server.peer import HOST, open_stream

HARMS = ("flip", "drop", "repeat", "reorder", "reflect", "replay", "insert", "cut short", "close")
MAX_OLD = 50


class Attacker:
    def __init__(self, rng):
        self.server_port = None
        self.rng = rng
        self.harm = None
        self.rate = 0.15  # share of the frames
        self.limit = 0  # frames that may still be harmed
        self.harmed = 0
        self.connections = 0
        self._old = []  # frames of all connections so far, both directions
        self._tasks = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader, writer):
        self.connections += 1
        task = asyncio.create_task(self._relay(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _relay(self, reader, writer):
        try:
            far_reader, far_writer = await open_stream(self.server_port)
            try:
                up = self._pass(reader, far_writer, writer, len(PREAMBLE))
                down = self._pass(far_reader, writer, far_writer)
                tasks = [asyncio.ensure_future(one) for one in (up, down)]
                try:
                    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
            finally:
                far_writer.transport.abort()
        finally:
            writer.transport.abort()

    async def _pass(self, reader, writer, back, preamble=0):
        held = b""
        writer.write(await reader.readexactly(preamble))
        while True:
            prefix = await reader.readexactly(2)
            frame = prefix + await reader.readexactly(int.from_bytes(prefix, "big"))
            if len(frame) > 2 and self.harm and self.limit > 0 and self.rng.random() < self.rate:
                self.limit -= 1
                self.harmed += 1
                if self.harm == "reorder":
                    held += frame
                    continue
                frame = self._harmed(frame, back)
                if frame is None:
                    return
            writer.write(frame + held)
            held = b""
            await writer.drain()
            if len(frame) > 2:
                self._old = self._old[1 - MAX_OLD :] + [frame]

    def _harmed(self, frame, back):
        """The bytes to pass on instead of the frame; None: close the connection."""
        if self.harm == "flip":
            frame = bytearray(frame)
            frame[self.rng.randrange(len(frame))] ^= 1 << self.rng.randrange(8)
            return bytes(frame)
        if self.harm == "drop":
            return b""
        if self.harm == "repeat":
            return frame + frame
        if self.harm == "reflect":
            back.write(frame)
            return frame
        if self.harm == "replay" and self._old:
            return frame + self.rng.choice(self._old)
        if self.harm == "insert":
            size = self.rng.randrange(1, MAX_FRAME - 2)
            return size.to_bytes(2, "big") + self.rng.randbytes(size) + frame
        if self.harm == "cut short":
            return (len(frame) - 3).to_bytes(2, "big") + frame[2:-1]
        return None
