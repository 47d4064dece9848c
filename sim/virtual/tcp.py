"""A TCP connection between the ESP8266 and the server, in virtual time.

It consists of two flows of bytes. Each flow has a sender with a bounded buffer, which cuts segments and holds small
ones back (Nagle). It has a receiver with a bounded window, which delays acknowledgements. One end is lwIP of the
ESP8266, the other is Linux. Nothing is lost on the way as long as the connection stands (TCP repeats it). Faults act on
connections: reset, half open, stalled. While the Wi-Fi is away, or a connection is stalled, segments and
acknowledgements wait, as they would for TCP's repetition.
"""

from collections import namedtuple

from sim.wires.lwip import TCP_FAST_S, TCP_MSS, TCP_SND_BUF, TCP_SND_QUEUELEN, TCP_WND

SEGMENT = TCP_MSS  # the smaller of both, so it holds in both directions
PAST_BYTES = 16384  # bytes of a connection that are kept for an attacker that repeats them
NO_MEMORY = -1  # lwIP's ERR_MEM

# A TCP implementation. send_bytes, window: its buffers; queue: pbufs that its sender has, or None; delay_s: delay of
# its acknowledgements; tick: they wait for a tick of that length, and not for that long.
Stack = namedtuple("Stack", "name send_bytes queue window delay_s tick")

LWIP = Stack("lwip", TCP_SND_BUF, TCP_SND_QUEUELEN, TCP_WND, TCP_FAST_S, True)
# It usually acknowledges the first segments of a connection at once. Here it never does: the worse case.
LINUX = Stack("linux", 65536, None, 65536, 0.040, False)


class _Segment:
    """Bytes that wait to be sent together. spare: the last pbuf has room for more."""

    __slots__ = ("data", "pbufs", "spare")

    def __init__(self, data, spare):
        self.data = bytearray(data)
        self.pbufs = 1
        self.spare = spare


class Flow:
    """One direction: bytes from a sender to a receiver."""

    def __init__(self, world, connection, name, sender, receiver, delay_s):
        self._world = world
        self._connection = connection
        self._name = name
        self._sender = sender
        self._receiver = receiver
        self._delay_s = delay_s
        self.no_delay = False  # the sender's option
        self.back = None  # the flow of the other direction
        self._unsent = []
        self._unsent_bytes = 0
        self._flight = []  # (number of the byte after it, pbufs, whether it is small) of what is not acknowledged
        self._sent = 0  # numbers of bytes, from 0
        self._acknowledged = 0
        self._edge = receiver.window  # number of the byte that the sender may not send yet
        self._waiting = []  # segments that cannot travel now
        self.received = bytearray()
        self._arrived = 0  # number of the byte that the receiver expects
        self._told = 0  # the last acknowledgement of the receiver: this number,
        self._told_edge = receiver.window  # and this one
        self._timer = None  # of an acknowledgement that is delayed
        self._untold = False  # an acknowledgement that cannot travel now
        self.ended = False  # a FIN has been sent
        self.at_end = False  # and was received
        self.on_data = None  # the receiver's
        self.on_room = None  # the sender's
        self.most_pbufs = 0

    # The sender

    @property
    def room(self):
        return self._sender.send_bytes - self._unsent_bytes - (self._sent - self._acknowledged)

    @property
    def pbufs(self):
        return sum(segment.pbufs for segment in self._unsent) + sum(pbufs for _, pbufs, _ in self._flight)

    def write(self, data):
        """Writes data. Returns how many bytes were taken, or NO_MEMORY."""
        n = min(len(data), self.room)
        queue = self._sender.queue
        if queue is not None and self.pbufs + self._pbufs_for(n) > queue:
            return NO_MEMORY
        if n > 0:
            self._append(bytes(data[:n]))
            if queue is not None:
                self.most_pbufs = max(self.most_pbufs, self.pbufs)
            self._push()
        return n

    def _pbufs_for(self, n):
        """Returns how many pbufs of the queue a write of n bytes takes."""
        last = self._unsent[-1] if self._unsent else None
        space = SEGMENT - len(last.data) if last else 0
        first = 1 if last and space and not last.spare and n else 0
        return first + -(-max(0, n - space) // SEGMENT)

    def _append(self, data):
        if self._unsent:
            last = self._unsent[-1]
            space = SEGMENT - len(last.data)
            if space and not last.spare:
                last.pbufs += 1
            last.data += data[:space]
            self._unsent_bytes += len(data[:space])
            data = data[space:]
        for at in range(0, len(data), SEGMENT):
            # A pbuf of a whole segment is taken where Nagle would let it wait for more.
            spare = not self.no_delay and bool(self._unsent or self._flight)
            self._unsent.append(_Segment(data[at : at + SEGMENT], spare))
        self._unsent_bytes += len(data)

    def end(self):
        self.ended = True
        self._push()

    def _push(self):
        while self._unsent:
            segment = self._unsent[0]
            n = len(segment.data)
            if self._sent + n > self._edge or not self._may_leave(n):
                break
            del self._unsent[0]
            self._unsent_bytes -= n
            self._sent += n
            self._flight.append((self._sent, segment.pbufs, n < SEGMENT))
            self._travel(bytes(segment.data))
            self.back.acknowledgement_rides()
        if self.ended and not self._unsent:
            self.ended = None
            self._travel(b"")

    def _may_leave(self, n):
        """Applies Nagle: returns False for a small segment while something is not acknowledged."""
        if self.no_delay or n >= SEGMENT or len(self._unsent) > 1 or self.ended:
            return True
        if self._sender is LINUX:  # Minshall's form: only a small one holds back another
            return not any(small for _, _, small in self._flight)
        return not self._flight or self.room == 0 or self.pbufs >= self._sender.queue

    def _acknowledge(self, number, edge):
        """Takes an acknowledgement that has arrived."""
        freed = number - self._acknowledged
        self._acknowledged = max(number, self._acknowledged)
        self._edge = max(edge, self._edge)
        while self._flight and self._flight[0][0] <= self._acknowledged:
            del self._flight[0]
        self._push()
        if freed > 0 and self.on_room is not None:
            self.on_room()

    # The path

    def _travel(self, segment):
        if self._connection.passing and not self._waiting:
            self._world.after(self._delay_s, self._arrive, segment)
        else:
            self._waiting.append(segment)

    def go_on(self):
        """Lets segments and acknowledgements travel again."""
        waiting, self._waiting = self._waiting, []
        for segment in waiting:
            self._world.after(self._delay_s, self._arrive, segment)
        if self._untold:
            self._tell()

    # The receiver

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
        size = len(segment)
        if connection.meddle is not None:
            segment = connection.meddle(self._name, segment)
        world.trace("tcp", f"{self._name} {len(segment) or 'FIN'}")
        if segment:
            self.received += segment
            if self._name == "up":
                connection.overheard(segment)
        if size:
            self._arrived += size
            self._delay_acknowledgement()
        else:
            self.at_end = True
        if self.on_data is not None:
            self.on_data()

    def _delay_acknowledgement(self):
        if self._receiver is LWIP:
            due = self._timer is not None  # every second segment
        else:
            due = self._arrived - self._told > SEGMENT
        if due:
            self._tell()
        elif self._timer is None:
            world, delay_s = self._world, self._receiver.delay_s
            when = (world.now // delay_s + 1) * delay_s if self._receiver.tick else world.now + delay_s
            self._timer = world.at(when, self._tell)

    def acknowledgement_rides(self):
        """Takes the acknowledgement along with a segment that the receiver sends."""
        if self._arrived != self._told or self._window_edge() > self._told_edge:
            self._tell()

    def acknowledge_now(self):
        """Acknowledges as Linux does for a program that sets TCP_QUICKACK: it has no effect on later data."""
        if self._timer is not None:
            self._tell()

    def _window_edge(self):
        return self._arrived + max(0, self._receiver.window - len(self.received))

    def _tell(self):
        if self._timer is not None:
            self._world.cancel(self._timer)
            self._timer = None
        self._untold = not self._connection.passing
        if self._untold:
            return
        self._told = self._arrived
        self._told_edge = max(self._told_edge, self._window_edge())
        self._world.after(self._delay_s, self._acknowledge, self._told, self._told_edge)

    def read(self, n):
        """Takes up to n received bytes."""
        data = bytes(self.received[:n])
        del self.received[:n]
        edge = self._window_edge()
        if self._receiver is LWIP:
            due = edge - self._told_edge >= SEGMENT
        else:  # the window has been half used, and is twice as large now
            left = self._told_edge - self._arrived
            due = 2 * left <= min(self._receiver.window, edge - self._arrived)
        if due:
            self._tell()
        return data


class Connection:
    """One TCP connection. `up`: from the bridge to the server, `down`: to the bridge."""

    def __init__(self, world, network, delay_s):
        self.world = world
        self.network = network
        self.up = Flow(world, self, "up", LWIP, LINUX, delay_s)
        self.down = Flow(world, self, "down", LINUX, LWIP, delay_s)
        self.up.back, self.down.back = self.down, self.up
        self.delay_s = delay_s
        self.bridge_there = True
        self.server_there = True
        self.on_bridge_reset = None
        self.on_server_reset = None
        self.server_loop = None
        self.port = None  # of the server
        self.meddle = None  # function(flow name, segment) -> segment: an attacker, or noise
        self.past = bytearray()  # bytes that the bridge has sent, from the first on
        self.repeater = None  # function(segment): gets what the bridge sends
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
        """Delays everything for this long; then TCP repeats it."""
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
        """Closes with a RST: the program of `end` ("bridge" or "server") closed it with unread or unsent data."""
        self.leave(end)
        self.world.after(self.delay_s, self._reset_arrives, "server" if end == "bridge" else "bridge")

    def leave(self, end):
        """Makes `end` forget the connection without sending anything."""
        if end == "bridge":
            self.bridge_there = False
            self.on_bridge_reset = self.down.on_data = self.up.on_room = None
        else:
            self.server_there = False
            self.on_server_reset = self.up.on_data = self.down.on_room = None
        if self.over:
            self.network.forget(self)

    def reset(self, end):
        """Delivers a RST to this end, from any sender."""
        told = self.on_bridge_reset if end == "bridge" else self.on_server_reset
        there = self.bridge_there if end == "bridge" else self.server_there
        if there and told is not None:
            told()

    def _reset_arrives(self, end):
        if self.passing:
            self.reset(end)

    def answer_from_nowhere(self, flow):
        """Answers a segment for an end that does not know the connection: with a RST, if a host is there."""
        end, sender = ("server", "bridge") if flow == "up" else ("bridge", "server")
        if end == "server" or self.network.bridge_answers():
            self.world.after(self.delay_s, self._reset_arrives, sender)
