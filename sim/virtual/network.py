"""TCP between the ESP8266 and the server, in virtual time.

A connection is two flows of bytes, each with a bounded send buffer, a bounded receive window and a one-way delay.
Nothing is lost on the way as long as the connection stands (TCP repeats it); what fails are connections: reset, half
open, stalled. While the Wi-Fi is away, or a connection is stalled, segments wait, as TCP's repetition would have it.
"""

import asyncio
from errno import ECONNREFUSED, ECONNRESET, EHOSTUNREACH, ENOTCONN

SEGMENT = 1460
BRIDGE_SEND = 2 * SEGMENT  # lwIP's TCP_SND_BUF and TCP_WND on the ESP8266
BRIDGE_RECEIVE = 2 * SEGMENT
SERVER_BUFFER = 65536
# After an outage TCP tries again after its time-out, which has grown meanwhile.
RETRY_S = 0.3


class Flow:
    """One direction: bytes from a sender to a receiver."""

    def __init__(self, world, connection, name, send_limit, receive_limit, delay_s):
        self._world = world
        self._connection = connection
        self._name = name
        self._send_limit = send_limit
        self._window = receive_limit  # bytes that the sender may still send, as it knows
        self._delay_s = delay_s
        self._unsent = bytearray()
        self._unacknowledged = 0
        self._waiting = []  # segments that cannot travel now
        self._read_since = 0  # bytes read that the sender does not know of
        self.received = bytearray()
        self.ended = False  # a FIN has been sent
        self.at_end = False  # and received
        self.on_data = None  # the receiver's
        self.on_room = None  # the sender's

    @property
    def room(self):
        return self._send_limit - len(self._unsent) - self._unacknowledged

    def write(self, data):
        """Returns how many bytes were taken."""
        n = min(len(data), self.room)
        if n > 0:
            self._unsent += data[:n]
            self._push()
        return n

    def end(self):
        self.ended = True
        self._push()

    def _push(self):
        while self._unsent and self._window > 0:
            n = min(len(self._unsent), self._window, SEGMENT)
            segment = bytes(self._unsent[:n])
            del self._unsent[:n]
            self._window -= n
            self._unacknowledged += n
            self._travel(segment)
        if self.ended and not self._unsent:
            self.ended = None
            self._travel(b"")

    def _travel(self, segment):
        if self._connection.passing and not self._waiting:
            self._world.after(self._delay_s, self._arrive, segment)
        else:
            self._waiting.append(segment)

    def go_on(self):
        """Segments travel again."""
        waiting, self._waiting = self._waiting, []
        for segment in waiting:
            self._world.after(self._delay_s, self._arrive, segment)

    def _arrive(self, segment):
        connection, world = self._connection, self._world
        if connection.over:
            return
        if not connection.passing:
            self._waiting.append(segment)
            return
        if world.numbering is not None:
            world.number("segment", self._name)
            if connection.over:
                return
        if self._name == "up" and not connection.server_there or self._name == "down" and not connection.bridge_there:
            connection.answer_from_nowhere(self._name)
            return
        if connection.meddle is not None:
            segment = connection.meddle(self._name, segment)
        world.trace("tcp", f"{self._name} {len(segment) or 'FIN'}")
        if segment:
            self.received += segment
        else:
            self.at_end = True
        world.after(self._delay_s, self._acknowledged, len(segment))
        if self.on_data is not None:
            self.on_data()

    def _acknowledged(self, n):
        self._unacknowledged = max(0, self._unacknowledged - n)
        if n and self.on_room is not None:
            self.on_room()

    def read(self, n):
        """Takes up to n received bytes."""
        data = bytes(self.received[:n])
        del self.received[:n]
        if data:
            self._world.after(self._delay_s, self._opened, len(data))
        return data

    def _opened(self, n):
        self._window += n
        self._push()


class Connection:
    """One TCP connection. `up`: from the bridge to the server, `down`: to the bridge."""

    def __init__(self, world, network, delay_s):
        self.world = world
        self.network = network
        self.up = Flow(world, self, "up", BRIDGE_SEND, SERVER_BUFFER, delay_s)
        self.down = Flow(world, self, "down", SERVER_BUFFER, BRIDGE_RECEIVE, delay_s)
        self.delay_s = delay_s
        self.bridge_there = True
        self.server_there = True
        self.on_bridge_reset = None
        self.on_server_reset = None
        self.server_loop = None
        self.meddle = None  # function(flow name, segment) -> segment: an attacker, or noise
        self._stalled = False

    @property
    def passing(self):
        return self.network.up and not self._stalled

    @property
    def over(self):
        return not (self.bridge_there or self.server_there)

    def stall(self, seconds):
        """Nothing arrives for this long; then TCP repeats it."""
        self._stalled = True
        self.world.after(seconds, self._unstall)

    def _unstall(self):
        self._stalled = False
        self.go_on()

    def go_on(self):
        if self.passing and not self.over:
            self.up.go_on()
            self.down.go_on()

    def abort(self, end):
        """The program of `end` ("bridge" or "server") has closed it, with unread or unsent data: a RST travels."""
        self.leave(end)
        self.world.after(self.delay_s, self._reset_arrives, "server" if end == "bridge" else "bridge")

    def leave(self, end):
        """`end` knows nothing of the connection any more, and says nothing."""
        if end == "bridge":
            self.bridge_there = False
            self.on_bridge_reset = self.down.on_data = self.up.on_room = None
        else:
            self.server_there = False
            self.on_server_reset = self.up.on_data = self.down.on_room = None
        if self.over:
            self.network.forget(self)

    def reset(self, end):
        """A RST reaches this end, wherever it comes from."""
        told = self.on_bridge_reset if end == "bridge" else self.on_server_reset
        there = self.bridge_there if end == "bridge" else self.server_there
        if there and told is not None:
            told()

    def _reset_arrives(self, end):
        if self.passing:
            self.reset(end)

    def answer_from_nowhere(self, flow):
        """A segment for an end that does not know the connection: a RST comes back, if anybody is there at all."""
        end, sender = ("server", "bridge") if flow == "up" else ("bridge", "server")
        if end == "server" or self.network.bridge_answers():
            self.world.after(self.delay_s, self._reset_arrives, sender)


class BridgeSocket:
    """esp_link.tcp.TcpSocket, in the virtual network."""

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


class VirtualServer(asyncio.AbstractServer):
    def __init__(self, network, loop, protocol_factory, port):
        self.network = network
        self.loop = loop
        self.protocol_factory = protocol_factory
        self.port = port
        self.sockets = ()
        self.transports = []

    def is_serving(self):
        return self.network.listener is self

    def get_loop(self):
        return self.loop

    async def start_serving(self):
        pass

    async def wait_closed(self):
        pass

    def close(self):
        if self.network.listener is self:
            self.network.listener = None

    def accept(self, connection, peer):
        transport = ServerTransport(connection, self.loop, self.protocol_factory(), peer)
        self.transports = [old for old in self.transports if not old.is_closing()]
        self.transports.append(transport)


class Network:
    """Args: joined(): is the bridge on the Wi-Fi network; bridge_answers(): has it an address at all."""

    def __init__(self, world, costs, joined):
        self._world = world
        self._costs = costs
        self._joined = joined
        self.listener = None
        self.connections = []
        self.opened = 0

    @property
    def up(self):
        return self._joined()

    def bridge_answers(self):
        return self._joined()

    def forget(self, connection):
        if connection in self.connections:
            self.connections.remove(connection)

    def came_back(self):
        """The Wi-Fi has come back: what waits travels, after TCP's next repetition."""
        for connection in list(self.connections):
            self._world.after(RETRY_S, connection.go_on)

    def listen(self, loop, protocol_factory, port):
        if self.listener is not None:
            raise OSError(98, "address already in use")
        self.listener = VirtualServer(self, loop, protocol_factory, port)
        return self.listener

    def reset_all(self, ends=("bridge", "server")):
        """A fault: connections are reset, at both ends or at one, which leaves the other half open."""
        for connection in list(self.connections):
            for end in ends:
                connection.reset(end)

    def process_killed(self, loop):
        """The operating system closes what a killed process had open."""
        listener = self.listener
        if listener is not None and listener.loop is loop:
            listener.close()
        for connection in list(self.connections):
            if connection.server_loop is loop and connection.server_there:
                connection.abort("server")

    async def connect(self, life, host, port):
        """esp_link.tcp.connect of this life of the bridge."""
        await asyncio.sleep(self._costs.connect_s)
        if not self.up:
            raise OSError(EHOSTUNREACH)
        listener = self.listener
        if listener is None or listener.port != port:
            raise OSError(ECONNREFUSED)
        self.opened += 1
        connection = Connection(self._world, self, self._costs.delay_s)
        connection.server_loop = listener.loop
        self.connections.append(connection)
        self._world.trace("tcp", f"connection {self.opened}")
        sock = BridgeSocket(connection, life)
        self._world.after(self._costs.delay_s, self._accept, listener, connection, self.opened)
        return sock

    def _accept(self, listener, connection, number):
        if self.listener is not listener:
            connection.abort("server")
            return
        listener.accept(connection, ("10.0.0.2", 40000 + number % 20000))

