"""Two sessions joined by a wire that can break: the *pair* level of the tests.

`End` is an adapter in small: it shakes hands, attaches, moves lines, and a
durable one has a store. `Wire` carries whole frames of each direction in
order, in virtual time; a fault at a step (the number of a frame on the wire,
handshake included) does to it what a network or a power supply may. Not
realistic: a frame takes no time, and both ends learn of a cut at once.
"""

from protocol.frame_reader import FrameReader
from protocol.handshake import DONE, Initiator
from protocol.limits import HANDSHAKE_MS, MAX_FRAME
from protocol.line_bytes import bytes_in
from protocol.responder import Responder
from protocol.server_session import ServerSession
from protocol.session import ASKED, DETACHED, OPEN, Session
from tests.sessions import idle

KEY = bytes(range(32))
RUN = b"only one\x00\x00\x00\x00"
WRAP = 1 << 30
START = WRAP - 40  # every run crosses the wrap of the clock

FAULTS = ("lose", "repeat", "corrupt", "reorder", "cut")


def ticks_diff(a, b):
    """As on the boards: wraps at 2**30."""
    return ((a - b + WRAP // 2) & (WRAP - 1)) - WRAP // 2


class Store:
    """What a durable end does not forget."""

    def __init__(self):
        self.peer_epoch = None
        self.next = 0
        self.base = 0
        self.outbox = []


class End:
    """One end. `lives` holds a list of delivered lines for each life."""

    max_frame = MAX_FRAME  # that both take

    def __init__(self, name, initiator, durable=False, **limits):
        self.name = name
        self.initiator = initiator
        self.durable = durable
        self.limits = limits
        self.store = Store()
        self.lives = []
        self.reading = True  # the application takes lines
        self._nonces = 0
        self.begin_life()

    def begin_life(self):
        """Power on: nothing is left but what the store has."""
        self.lives.append([])
        epoch = 1 if self.durable else len(self.lives)
        self.epoch = bytes((self.initiator, epoch)) + bytes(6)
        if self.initiator:
            self.session = Session(ticks_diff, line_in=bytes_in, **self.limits)
        else:
            self.session = ServerSession(ticks_diff, **self.limits)
        self.pending = []  # (line, numbered) not yet in the session
        self._acknowledged = 0
        if self.durable:
            self.session.restore(self.store.peer_epoch, self.store.next, self.store.base, self.store.outbox)
        else:
            self.store = Store()
        self.fill()

    @property
    def delivered(self):
        return [line for life in self.lives for line in life]

    def write(self, line, numbered=True):
        if numbered:
            self.store.outbox.append(line)
        elif self.session.state != OPEN:
            return
        self.pending.append((line, numbered))
        self.fill()

    def fill(self):
        while self.pending and self.session.room_for(len(self.pending[0][0])):
            self.session.append(*self.pending.pop(0))

    def connect(self):
        self.reader = FrameReader()
        self._nonces += 1
        nonce = bytes((self.initiator, len(self.lives), self._nonces)) + bytes(13)
        self.reply = None
        if self.initiator:
            self.handshake = Initiator("meter", KEY, self.epoch, nonce)
            self.reply = self.handshake.hello()
        else:
            self.handshake = Responder()
            self._nonce = nonce

    def receive(self, data, now):
        """Take bytes. Returns None or a fault."""
        for frame in self.reader.feed(data):
            fault = self._take(frame, now)
            if fault:
                return fault
        return self.reader.fault

    def _take(self, frame, now):
        handshake = self.handshake
        if handshake.state == DONE:
            fault = self.session.receive(frame, now)
            if self.session.state == ASKED:  # nothing here restores stores: tests/server/core/test_history.py does
                fault = fault or self.session.answer(now, RUN)
            return fault
        if self.initiator:
            self.reply, fault = handshake.welcome(frame)
        elif handshake.client_id is None:
            fault = handshake.hello(frame)
            if not fault:
                self.reply = handshake.challenge(KEY, self.epoch, self._nonce)
        else:
            fault = handshake.proof(frame)
        if handshake.state == DONE:
            self.session.attach(handshake.seal, handshake.peer_epoch, self.max_frame, now)
        return fault

    def frames(self, now):
        """The frames that it sends now, with their prefixes."""
        frames = []
        if self.reply is not None:
            frames.append(bytes((0, len(self.reply))) + self.reply)
            self.reply = None
        buf = bytearray(MAX_FRAME)
        while True:
            self.fill()
            end = self.session.encode_into(buf, 0, now)
            if not end:
                return frames
            frames.append(bytes(buf[:end]))

    def hand_over(self, now):
        """Store what has come, then accept it: the order is the promise."""
        session, store = self.session, self.store
        count = len(session.lines)
        if self.reading and count:
            self.lives[-1].extend(session.lines)
            store.next = session.expected
            store.peer_epoch = session.peer_epoch
            session.accept(count, now)
        for _ in range(session.acknowledged - self._acknowledged):
            store.outbox.pop(0)
        self._acknowledged = session.acknowledged
        if self.durable:
            store.base = session.base

    def disconnect(self):
        self.session.detach()
        self.pending = [entry for entry in self.pending if entry[1]]

    @property
    def idle(self):
        return idle(self.session) and not self.pending and not self.session.lines


class Wire:
    """faults: dict from step to one of FAULTS, or to a function that is called
    with the wire once the frame of that step is on it."""

    def __init__(self, client=None, server=None, faults=None):
        self.client = client or End("client", True)
        self.server = server or End("server", False)
        self.faults = faults or {}
        self.now = START
        self.step = 0
        self.connections = 0
        self.why = []  # the connection ended
        self._connected = False

    def cut(self, why="cut"):
        if self._connected:
            self.why.append(why)
            self._connected = False
            self.client.disconnect()
            self.server.disconnect()

    def reboot(self, end):
        self.cut("reboot")
        end.begin_life()

    def _connect(self):
        self._connected = True
        self.connections += 1
        self._since = self.now
        self._queues = {self.client: [], self.server: []}  # by receiver
        self._held = {self.client: [], self.server: []}
        self.client.connect()
        self.server.connect()

    def _put(self, to, data):
        queue, held = self._queues[to], self._held[to]
        fault = self.faults.get(self.step)
        self.step += 1
        if fault == "lose":
            return
        if fault == "reorder":
            held.append(data)
            return
        if fault == "corrupt":
            at = self.step * 7 % len(data)
            data = data[:at] + bytes((data[at] ^ 0x10,)) + data[at + 1 :]
        queue.append(data)
        if fault == "repeat":
            queue.append(data)
        queue.extend(held)
        held.clear()
        if fault == "cut":
            queue[-1] = data[: len(data) // 2]
            self._deliver(to)
            self.cut()
        elif fault and fault not in FAULTS:
            fault(self)

    def _deliver(self, to):
        queue = self._queues[to]
        while queue and self._connected:
            fault = to.receive(queue.pop(0), self.now)
            if fault:
                self.cut(fault)

    def _pass(self, end, other):
        for data in end.frames(self.now):
            if self._connected:
                self._put(other, data)
        if self._connected:
            self._deliver(other)
        other.hand_over(self.now)

    def turn(self):
        """Let both ends act once, and time pass."""
        if not self._connected:
            self._connect()
        before = self.step
        self._pass(self.client, self.server)
        if self._connected:
            self._pass(self.server, self.client)
        for end in (self.client, self.server):
            if self._connected:
                self._watch(end)
        self._pass_time(self.step != before)

    def _pass_time(self, busy):
        """A millisecond while frames move, otherwise to the next thing that is due."""
        waits = [end.session.next_timeout(self.now) for end in (self.client, self.server)]
        waits = [ms for ms in waits if ms is not None]
        ms = 1 if busy else max(1, min(waits)) if waits else 500
        self.now = (self.now + ms) & (WRAP - 1)

    def _watch(self, end):
        fault = end.session.fault(self.now)
        if not fault and end.session.state == DETACHED:
            if ticks_diff(self.now, self._since) >= HANDSHAKE_MS:
                fault = "no handshake"
        if fault:
            self.cut(fault)

    @property
    def idle(self):
        ends = (self.client, self.server)
        return self._connected and all(end.idle and end.session.state == OPEN for end in ends)

    def run(self, turns=400):
        """Until nothing is left to do; AssertionError if that does not come."""
        for _ in range(turns):
            self.turn()
            if self.idle:
                return
        raise AssertionError("still busy after %d turns: %s" % (turns, self.why))


def numbered(prefix, count, size=0):
    """Lines to be told apart, of at least size bytes."""
    return [("%s%d " % (prefix, i) + size * "x").encode() for i in range(count)]
