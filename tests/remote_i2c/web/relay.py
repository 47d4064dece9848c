"""What stands between a page and a door: it can delay, hold and cut."""

import asyncio
import contextlib


class Relay:
    """Args: target: (host, port); delay_s: each way. `flowing`: an asyncio.Event, without which nothing passes;
    `opened`: connections so far. Use: `async with Relay(..) as relay`, then `relay.port`."""

    def __init__(self, target, delay_s=0.0):
        self._target = target
        self._delay_s = delay_s
        self._writers = set()
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.opened = 0
        self.port = None

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error):
        self._server.close()
        self.cut()

    def cut(self):
        """End all connections at once, with a reset."""
        for writer in self._writers:
            writer.transport.abort()

    async def refuse(self):
        """Listen no more."""
        self._server.close()

    async def listen_again(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _serve(self, reader, writer):
        self.opened += 1
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))
        self._writers -= {writer, far_writer}

    async def _pass(self, reader, writer):
        loop = asyncio.get_running_loop()
        later = lambda data: writer.write(data) if not writer.is_closing() else None
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self.flowing.wait()
                if self._delay_s:
                    loop.call_later(self._delay_s, later, data)
                else:
                    later(data)
        writer.close()
