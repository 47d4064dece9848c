"""The server's end of a virtual TCP connection: a transport of asyncio on Linux, as the server's program knows it."""

import asyncio
import socket
from errno import ECONNRESET

TCP_QUICKACK = 12  # of Linux, which is modelled: not each computer's Python has the name


class Options:
    """The transport's socket: options can be set, as on Linux."""

    def __init__(self, connection):
        self._connection = connection

    def setsockopt(self, level, option, value):
        if level != socket.IPPROTO_TCP:
            return
        if option == socket.TCP_NODELAY:
            self._connection.down.no_delay = bool(value)
        elif option == TCP_QUICKACK and value:
            self._connection.up.acknowledge_now()


class ServerTransport(asyncio.Transport):
    """The server's end as an asyncio transport."""

    def __init__(self, connection, loop, protocol, peer):
        options = Options(connection)
        options.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as asyncio's transports do
        super().__init__({"peername": peer, "socket": options})
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
        """Closes the socket as Linux does: with a RST if there is unread data, else with a FIN behind what was sent."""
        if not self._closing:
            if self._connection.up.received:
                self._connection.abort("server")
            else:
                self._connection.down.end()
            self._lose(None, silently=True)

    def _lose(self, error, silently=False):
        if self._closing:
            return
        self._closing = True
        self._connection.leave("server")
        self._loop.call_soon(self._protocol.connection_lost, error)

    def vanish(self):
        """Resets the connection of a server process that was killed, as the operating system does."""
        if not self._closing:
            self._closing = True
            self._connection.abort("server")
