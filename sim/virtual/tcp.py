"""A TCP connection between the ESP8266 and the server, in virtual time.

It is two flows of bytes, each with a bounded send buffer, a bounded receive window and a one-way delay. Nothing is
lost on the way as long as the connection stands (TCP repeats it); what fails are connections: reset, half open,
stalled. While the Wi-Fi is away, or a connection is stalled, segments wait, as TCP's repetition would have it.
"""

SEGMENT = 1460
BRIDGE_SEND = 2 * SEGMENT  # lwIP's TCP_SND_BUF and TCP_WND on the ESP8266
BRIDGE_RECEIVE = 2 * SEGMENT
SERVER_BUFFER = 65536
PAST_BYTES = 16384  # of a connection, for one who repeats it


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
            if self._name == "up":
                connection.overheard(segment)
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
        self.past = bytearray()  # what the bridge has said, from its first byte on
        self.repeater = None  # function(segment): hears what the bridge says
        self._stalled = False

    @property
    def passing(self):
        return self.network.up and not self._stalled

    @property
    def over(self):
        return not (self.bridge_there or self.server_there)

    def overheard(self, segment):
        if len(self.past) < PAST_BYTES:
            self.past += segment
        if self.repeater is not None:
            self.repeater(segment)

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
