"""The network between the ESP8266 and the server, in virtual time: its listeners and its connections."""

import asyncio

from sim.virtual.tcp import SEGMENT, Connection
from sim.virtual.tcp_ends import ServerTransport
from sim.wires import dns

# After an outage TCP repeats after its time-out, which has grown meanwhile.
RETRY_S = 0.3
SYN_AGAIN_S = 1.0  # a lost request for a connection is repeated after this time
ADDRESS, NAME_SERVER = "10.0.0.1", "10.0.0.1"  # of the server, and of the name server
NO_NAME = ".invalid"  # the end of names that do not exist (RFC 2606)


class VirtualServer(asyncio.AbstractServer):
    def __init__(self, network, loop, protocol_factory, port):
        self.network = network
        self.loop = loop
        self.protocol_factory = protocol_factory
        self.port = port
        self.sockets = ()
        self.transports = []

    def is_serving(self):
        return self.network.listeners.get(self.port) is self

    def get_loop(self):
        return self.loop

    async def start_serving(self):
        pass

    async def wait_closed(self):
        pass

    def close(self):
        if self.is_serving():
            del self.network.listeners[self.port]

    def accept(self, connection, peer):
        transport = ServerTransport(connection, self.loop, self.protocol_factory(), peer)
        self.transports = [old for old in self.transports if not old.is_closing()]
        self.transports.append(transport)


class Networks:
    """The networks of several links with one server, for the loop of its process."""

    def __init__(self, networks):
        self._networks = networks

    def listen(self, loop, protocol_factory, port):
        return Listeners([network.listen(loop, protocol_factory, port) for network in self._networks])


class Listeners(asyncio.AbstractServer):
    """A VirtualServer in each of several networks, which are closed together."""

    sockets = ()

    def __init__(self, listeners):
        self._listeners = listeners

    def is_serving(self):
        return all(one.is_serving() for one in self._listeners)

    def get_loop(self):
        return self._listeners[0].loop

    async def start_serving(self):
        pass

    async def wait_closed(self):
        pass

    def close(self):
        for one in self._listeners:
            one.close()


class Network:
    """The network of one link. Args: world; costs; joined(): whether the bridge is on the Wi-Fi."""

    def __init__(self, world, costs, joined):
        self._world = world
        self._costs = costs
        self._joined = joined
        self.listeners = {}  # port -> VirtualServer
        self.gone = set()  # ports of machines that are gone: nothing answers
        self.connections = []
        self.opened = 0
        self.name_server = NAME_SERVER
        self.answers_names = True
        self.no_memory = False  # lwIP has no memory for the data to be sent
        self.overfull = 0  # pauses of the chip because lwIP's queue was full: the bridge must prevent them

    @property
    def up(self):
        return self._joined()

    def bridge_answers(self):
        return self._joined()

    def forget(self, connection):
        if connection in self.connections:
            self.connections.remove(connection)

    def came_back(self):
        """Notes that the Wi-Fi is back: waiting segments travel after TCP's next repetition."""
        for connection in list(self.connections):
            self._world.after(RETRY_S, connection.go_on)

    def listen(self, loop, protocol_factory, port):
        if port in self.listeners:
            raise OSError(98, "address already in use")
        self.listeners[port] = VirtualServer(self, loop, protocol_factory, port)
        return self.listeners[port]

    def reset_all(self, ends=("bridge", "server")):
        """Injects a fault: connections are reset, at both ends or at one, which leaves the other half open."""
        for connection in list(self.connections):
            for end in ends:
                connection.reset(end)

    def process_killed(self, loop):
        """Closes what a killed process had open, as the operating system does."""
        for listener in list(self.listeners.values()):
            if listener.loop is loop:
                listener.close()
        for connection in list(self.connections):
            if connection.server_loop is loop and connection.server_there:
                connection.abort("server")

    @property
    def delay_s(self):
        return self._costs.delay_s

    def open(self, sock, host, port):
        """Starts a connect of the bridge's socket. The socket is told the result, if there is one."""
        self._world.after(self._costs.connect_s, self._syn, sock, host, port)

    def _syn(self, sock, host, port):
        if not sock.connecting:
            return  # closed, or its chip is dead
        if not self.up or host != ADDRESS or port in self.gone:  # an unreachable address does not answer
            self._world.after(SYN_AGAIN_S, self._syn, sock, host, port)
            return
        listener = self.listeners.get(port)
        if listener is None:
            sock.failed()
            return
        self.opened += 1
        connection = Connection(self._world, self, self._costs.delay_s)
        connection.server_loop, connection.port = listener.loop, port
        self.connections.append(connection)
        self._world.trace("tcp", f"connection {self.opened}")
        sock.connected(connection)
        self._world.after(self._costs.delay_s, self._accept, listener, connection, self.opened)

    @staticmethod
    def address_of(name):
        return None if name.endswith(NO_NAME) else ADDRESS

    def ask(self, query, arrived):
        """Sends a query to the name server. arrived(response) is called if there is one."""
        name = dns.name_of(query)
        if name is not None and self.answers_names:
            response = dns.answer(query, self.address_of(name), alias=b"\4host\3net\0")
            self._world.after(2 * self._costs.delay_s, self._response, arrived, response)

    def _response(self, arrived, response):
        if self.up:
            arrived(response)

    def duplicate(self, connection, seconds):
        """Injects a fault: opens a second connection, on which everything that the bridge has sent and sends is
        repeated for this time."""
        listener = self.listeners.get(connection.port)
        if listener is None:
            return
        self.opened += 1
        twin = Connection(self._world, self, self._costs.delay_s)
        twin.server_loop, twin.port = listener.loop, listener.port
        self.connections.append(twin)
        self._world.trace("tcp", f"connection {self.opened} repeats another")
        unsaid = bytearray(connection.past)

        def say(segment=b""):
            unsaid.extend(segment)
            del unsaid[: twin.up.write(bytes(unsaid))]

        twin.up.on_room = say
        twin.down.on_data = lambda: twin.down.read(SEGMENT)
        connection.repeater = say
        listener.accept(twin, ("10.0.0.3", 40000 + self.opened % 20000))
        say()
        self._world.after(seconds, self._fall_silent, connection, twin)

    @staticmethod
    def _fall_silent(connection, twin):
        connection.repeater = None
        if twin.bridge_there:
            twin.abort("bridge")

    def _accept(self, listener, connection, number):
        if not listener.is_serving():
            connection.abort("server")
            return
        listener.accept(connection, ("10.0.0.2", 40000 + number % 20000))
