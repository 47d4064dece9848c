"""The two ends of a virtual TCP connection, as their programs know them: the socket of esp_link.tcp, and a transport of
asyncio."""

import asyncio
from errno import ECONNRESET, ENOTCONN


class BridgeSocket:
    """What esp_link.tcp.connect returns, in the virtual network."""

    def __init__(self, connection, life):
        self._connection = connection
        self._life = life
        self._fault = None
        self._read_waiter = None
        self._write_waiter = None
        connection.down.on_data = lambda: self._wake("_read_waiter")
        connection.up.on_room = lambda: self._wake("_write_waiter")
        connection.on_bridge_reset = self._was_reset
        life.board.at_death(self._vanish)

    def _vanish(self):
        if self._connection is not None:
            self._connection.leave("bridge")
            self._connection = None

    def _was_reset(self):
        self._fault = ECONNRESET
        self._connection.leave("bridge")
        self._wake("_read_waiter")
        self._wake("_write_waiter")

    def _wake(self, which):
        waiter = getattr(self, which)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _check(self):
        if self._connection is None:
            raise OSError(ENOTCONN)
        if self._fault:
            raise OSError(self._fault)

    def readinto(self, buf):
        self._check()
        down = self._connection.down
        if not down.received:
            return 0 if down.at_end else None
        data = down.read(len(buf))
        buf[: len(data)] = data
        return len(data)

    def write(self, buf):
        self._check()
        if self._connection.down.at_end and not self._connection.server_there:
            raise OSError(ECONNRESET)
        return self._connection.up.write(buf)

    async def readable(self):
        while self._connection is not None and not self._fault:
            down = self._connection.down
            if down.received or down.at_end:
                return
            await self._wait("_read_waiter")

    async def writable(self):
        while self._connection is not None and not self._fault and self._connection.up.room <= 0:
            await self._wait("_write_waiter")

    async def _wait(self, which):
        waiter = asyncio.get_running_loop().create_future()
        setattr(self, which, waiter)
        await waiter

    def close(self):
        if self._connection is None:
            return
        connection, self._connection = self._connection, None
        if self._fault or not self._life.alive:
            return
        if connection.down.received:
            connection.abort("bridge")
        else:
            connection.up.end()
            connection.leave("bridge")


class ServerTransport(asyncio.Transport):
    """The server's end, as asyncio knows it."""

    def __init__(self, connection, loop, protocol, peer):
        super().__init__({"peername": peer})
        self._connection = connection
        self._loop = loop
        self._protocol = protocol
        self._buffer = bytearray()
        self._closing = False
        self._protocol_paused = False
        self._reading_paused = False
        self._told = False
        self._high = 65536
        connection.up.on_data = self._has_data
        connection.down.on_room = self._has_room
        connection.on_server_reset = lambda: self._lose(ConnectionResetError(ECONNRESET, "reset by peer"))
        loop.call_soon(protocol.connection_made, self)

    def get_protocol(self):
        return self._protocol

    def set_protocol(self, protocol):
        self._protocol = protocol

    def is_closing(self):
        return self._closing

    def is_reading(self):
        return not self._reading_paused

    def pause_reading(self):
        self._reading_paused = True

    def resume_reading(self):
        self._reading_paused = False
        self._has_data()

    def _has_data(self):
        self._loop.call_soon(self._deliver)

    def _deliver(self):
        if self._closing or self._reading_paused:
            return
        up = self._connection.up
        if up.received:
            self._protocol.data_received(up.read(65536))
        elif up.at_end and not self._told:
            self._told = True
            if not self._protocol.eof_received():
                self.close()

    def set_write_buffer_limits(self, high=None, low=None):
        self._high = 65536 if high is None else high

    def get_write_buffer_size(self):
        return len(self._buffer)

    def write(self, data):
        if self._closing or not data:
            return
        taken = 0 if self._buffer else self._connection.down.write(data)
        self._buffer += data[taken:]
        if len(self._buffer) > self._high and not self._protocol_paused:
            self._protocol_paused = True
            self._protocol.pause_writing()

    def _has_room(self):
        if self._closing or not self._buffer:
            return
        taken = self._connection.down.write(self._buffer)
        del self._buffer[:taken]
        if self._protocol_paused and len(self._buffer) <= self._high // 4:
            self._protocol_paused = False
            self._loop.call_soon(self._protocol.resume_writing)

    def can_write_eof(self):
        return False

    def close(self):
        if not self._closing:
            self._connection.down.end()
            self._lose(None, silently=True)

    def abort(self):
        if not self._closing:
            self._connection.abort("server")
            self._lose(None, silently=True)

    def _lose(self, error, silently=False):
        if self._closing:
            return
        self._closing = True
        self._connection.leave("server")
        self._loop.call_soon(self._protocol.connection_lost, error)

    def vanish(self):
        """Its process was killed: the system resets what it had open."""
        if not self._closing:
            self._closing = True
            self._connection.abort("server")
