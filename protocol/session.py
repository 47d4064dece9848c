"""One session: what is sent, received, acknowledged and resumed between a
client and its server, across any number of connections.

The role (client or server) is not known here; `handshake.py` ends where this
begins. The adapter is one loop: feed `receive`, hand over `receiver.lines`
and call `receiver.accept`, write what `encode_into` gives, sleep until
`next_timeout`.

    DETACHED --attach()--> RESUMING --RESUME received--> OPEN
        ^------------------detach()--------------------------+

The client's RESUME comes first. The server's is the answer: by then its
adapter has compared what the client remembers with what its store has
(`server/core/history.py`), put the store right if they have not the same past, and
called `answer`.

A connection delivers frames in order or not at all, so within one there is
nothing to retransmit: a frame that is missing, altered or repeated fails its
MAC, the adapter closes the connection, and the next one resumes at the first
line that was not received. That is the only retransmission, and the line
numbers are the only de-duplication.

Exactly-once rests on one rule: a line is acknowledged by `receiver.accept`,
which is called after it was stored (server) or handed over (client).
"""

from protocol import frame
from protocol.frame import (
    DATA,
    DATA_HEADER,
    DATA_MORE,
    PARTED,
    PROBE,
    REMEMBERED,
    RESUME,
    Resume,
)
from protocol.framing import PREFIX
from protocol.limits import (
    ACK_DELAY_MS,
    ACK_LATE_MS,
    MAC_BYTES,
    MAX_FRAME,
    MAX_LINE,
    MIN_FRAGMENT,
    PROBE_MS,
    RECORD_CHARGE,
    ROOM_UNIT,
    STALL_MS,
)
from protocol.lines import diff30
from protocol.receiver import MAX_ROOM
from protocol.serial import get16, put16

DETACHED = 0
RESUMING = 1
OPEN = 2

# Room that has grown by this share of the whole is worth a frame of its own.
_ROOM_SHARE = 4
# With less room than this, in units, the peer cannot send a fragment.
_ROOM_BLOCKED = (RECORD_CHARGE + MIN_FRAGMENT + ROOM_UNIT - 1) // ROOM_UNIT


class Session:
    """Args:
    sender, receiver: the two halves, with the limits of this endpoint.
    ticks_diff: function (a, b) -> signed ms between two times.
    answers: this is the server's end: RESUME is sent, and the session open, once `answer` has been called.
    """

    def __init__(
        self, sender, receiver, ticks_diff, ack_delay_ms=ACK_DELAY_MS, stall_ms=STALL_MS, answers=False
    ):
        self.sender = sender
        self.receiver = receiver
        self.state = DETACHED
        self.peer_epoch = None  # of the peer whose line numbers the receiver holds
        self.resumes = 0  # connections that became open
        self.heard = None  # Resume of the peer, on this connection
        self.impostor = False  # the peer knows lines of our epoch that we never sent: another one had it before us
        self._answers = answers
        self._answered = False
        self._runs = b""  # for RESUME: that the client remembers of the server's present epoch, or is to remember
        self._former = None  # (epoch, runs, next) of the peer before this one: it may come back
        self._flags = 0
        self._lost = 0
        self._diff = ticks_diff
        self._ack_delay_ms = ack_delay_ms
        self._stall_ms = stall_ms
        self._channel = None

    def attach(self, channel, peer_epoch, max_frame, max_line=MAX_LINE):
        """Begin on an authenticated connection. `encode_into` gives RESUME first.

        max_frame: the longest frame that both sides take, with its prefix.
        max_line: the longest line that the peer takes; a longer one is held, with those behind it.
        """
        self.detach()
        self.sender.max_line = max_line
        self._channel = channel
        self._new_epoch = peer_epoch
        self._max_frame = min(max_frame, MAX_FRAME)
        if self._former and self._former[0] == peer_epoch and peer_epoch != self.peer_epoch:
            self._become(self._former)
        self.heard = None
        self._answered = not self._answers
        self._greeted = False  # our RESUME has been sent
        self._peer_seen = 0
        self._ack_since = None  # time since which an acknowledgement is due
        self._ack_soon = True  # the peer waits for it; or else more comes from there, and asks in its time
        self._asked = True  # the last frame with records did not say that more follows at once
        self._ack_sent = self.receiver.ack
        self._room_sent = 0
        self._progress = None  # time of the last sign that our frames arrive
        self._blocked = None  # time since which only the peer can let us go on
        self._probed = False  # and it has been asked
        self.state = RESUMING

    def detach(self):
        """The connection is gone. Lines of qos 0 that it might have carried are too."""
        self._channel = None
        self.state = DETACHED
        self.sender.disconnect()
        self.receiver.disconnect()

    # Receiving

    def receive(self, data, now):
        """Take one frame (memoryview without its prefix). Returns None or a fault.

        After a fault the connection must be closed and `detach` called.
        """
        if self.state == DETACHED:
            return "a frame without a connection"
        if not self._channel.open(data):
            return "bad MAC: frame altered, lost, repeated or out of order"
        self._blocked = None
        self._probed = False
        end = len(data) - MAC_BYTES
        if data[0] == RESUME and frame.is_resume(data, end) and self.state == RESUMING and not self.heard:
            self.heard = Resume(data[:end])
            return None if self._answers else self._resume(now)
        if (data[0] == DATA or data[0] == DATA_MORE) and end >= DATA_HEADER and self.state == OPEN:
            return self._data(data, end, now)
        if data[0] == PROBE and end == DATA_HEADER and self.state == OPEN:
            self._acknowledgement_due(now, True)
            return self._data(data, end, now)
        return "unexpected frame kind %02x of %d bytes" % (data[0], len(data))

    @property
    def asked(self):
        """True if the peer has sent its RESUME and waits for `answer`."""
        return self.state == RESUMING and self.heard is not None and not self._answered

    @property
    def news(self):
        """What the server has said of its store, in words, or None."""
        return self.heard and self.heard.news

    @property
    def knows_peer(self):
        """True if the receiver holds the line numbers of the peer's present epoch."""
        return self._new_epoch == self.peer_epoch

    def become_peer(self, epoch, number):
        """The next line is this one of the peer's life `epoch`: what it had acknowledged before is gone."""
        self.receiver.start_at(number)
        self.peer_epoch = epoch

    def renumbered(self):
        """Returns True if we need a new epoch, of which nobody knows any number: random numbers have repeated."""
        if not self.impostor:
            return False
        self.impostor = False
        self.sender.start_at(0)
        return True

    def answer(self, now, runs, parted=False, lost=0):
        """Open the session that was `asked` for. Returns None or a fault.

        runs: for the peer to remember, as in RESUME; parted: it has seen another past than ours, and its memory counts
        no longer; lost: lines of the peer that were acknowledged, and that the store does not have.
        """
        self._answered = True
        self._runs = runs
        self._flags = PARTED if parted else 0
        self._lost = lost
        if parted:
            self.heard.remembered = False
        return self._resume(now)

    def _resume(self, now):
        heard = self.heard
        if self.knows_peer:
            if heard.parted and not self._answers or diff30(heard.base, self.receiver.next) > 0:
                self.become_peer(self.peer_epoch, heard.base)
        elif self._answers or self.peer_epoch is None:
            self.become_peer(self._new_epoch, heard.base)
        else:
            self._become((self._new_epoch, b"", heard.base))
        if not self._answers:
            self._runs = heard.runs
        if heard.remembered:
            fault = self.sender.resume(heard.ack, heard.next)
            if fault:
                self.impostor = True
                return fault
        self.sender.grant(0, heard.room * ROOM_UNIT)
        self._progress = now
        self.state = OPEN
        self.resumes += 1
        if self._greeted and self._worth_telling():  # accepted since our RESUME went out
            self._acknowledgement_due(now, True)
        return None

    def _become(self, peer):
        """The receiver gets another peer's lines from now on; the present one is remembered, in case it returns.

        It is rare, and lines of the former one that are not handed over then count as handed over: they are here.
        """
        former = (self.peer_epoch, self._runs, self.receiver.next)
        epoch, self._runs, number = peer
        self.become_peer(epoch, number)
        self._former = former

    def _data(self, data, end, now):
        fault = self.sender.acknowledge(get16(data, 3))
        if fault:
            return fault
        seen = get16(data, 5)
        in_flight = self.sender.in_flight(seen)
        if in_flight > self.sender.in_flight(self._peer_seen):
            return "the peer has seen more than was sent"
        if seen != self._peer_seen or not in_flight:
            self._peer_seen = seen
            self._progress = now
        self.sender.grant(seen, data[7] * ROOM_UNIT)
        if end == DATA_HEADER:
            return None
        self._asked = data[0] == DATA
        self._acknowledgement_due(now, self._asked)
        return self.receiver.take(get16(data, 1), data[DATA_HEADER:end])

    def accepted(self, count, now):
        """The oldest count received lines are stored or handed over."""
        self.receiver.accept(count)
        if self.state == OPEN and self._worth_telling():
            self._acknowledgement_due(now, self._asked or self._room_sent < _ROOM_BLOCKED)

    def _worth_telling(self):
        if self.receiver.ack != self._ack_sent:
            return True
        grown = self.receiver.room - self._room_sent
        if self._room_sent < _ROOM_BLOCKED:  # the peer may wait for nothing else
            return grown > 0
        return grown * _ROOM_SHARE >= min(self.receiver.max_bytes // ROOM_UNIT, MAX_ROOM)

    def _acknowledgement_due(self, now, soon):
        if self._ack_since is None or soon and not self._ack_soon:
            self._ack_since = now
            self._ack_soon = soon

    # Sending

    def encode_into(self, buf, at, now):
        """Write the next frame with its prefix into buf[at:]. Returns its end, or at.

        buf: bytearray with room for MAX_FRAME bytes from at on.
        """
        start = at + PREFIX
        if self.state == DETACHED or self._channel.exhausted or not self._answered:
            return at
        if not self._greeted:
            return self._greet(buf, at, start)
        if self.state != OPEN:
            return at
        probe = self._probe_is_due(now)
        if not (probe or self.sender.can_fill() or self._ack_is_due(now)):
            return at
        if not self.sender.in_flight(self._peer_seen):
            self._progress = now
        number = self.sender.number
        body = start + DATA_HEADER
        end = self.sender.fill(buf, body, at + self._max_frame - MAC_BYTES)
        self._note_told()
        frame.encode_data_header(
            buf, start, number, self.receiver.ack, self.receiver.seen, self._room_sent
        )
        if end > body and not self.sender.asks():
            buf[start] = DATA_MORE
        if probe:
            buf[start] = PROBE
            self._blocked = now
            self._probed = True
        return self._seal(buf, at, start, end)

    def _greet(self, buf, at, start):
        self._greeted = True
        self._note_told()
        remembered = self.knows_peer
        receiver = self.receiver
        end = frame.encode_resume(
            buf,
            start,
            self._flags | (REMEMBERED if remembered else 0),
            self.sender.base,
            receiver.ack,
            receiver.next,
            self._lost,
            self._room_sent,
            self._runs if self._answers or remembered else b"",
        )
        return self._seal(buf, at, start, end)

    def _note_told(self):
        self._ack_since = None
        self._ack_sent = self.receiver.ack
        self._room_sent = self.receiver.room

    def _seal(self, buf, at, start, end):
        end = self._channel.seal(buf, start, end)
        put16(buf, at, end - start)
        return end

    def _ack_is_due(self, now):
        return self._ack_since is not None and self._ack_left(now) <= 0

    def _ack_left(self, now):
        """Milliseconds until the acknowledgement that is due leaves by itself."""
        delay = self._ack_delay_ms if self._ack_soon else ACK_LATE_MS
        return delay - self._diff(now, self._ack_since)

    def _probe_is_due(self, now):
        sender = self.sender
        if sender.idle or sender.can_fill() or sender.in_flight(self._peer_seen):
            self._blocked = None
            self._probed = False
        elif self._blocked is None:
            self._blocked = now
        elif not self._probed:
            return self._diff(now, self._blocked) >= PROBE_MS
        return False

    # Time

    def fault(self, now):
        """None, or why the connection must be closed although nothing came in."""
        if self.state == OPEN and self._channel.exhausted:
            return "frame counter used up"
        if self.state == OPEN and self.sender.in_flight(self._peer_seen):
            if self._diff(now, self._progress) >= self._stall_ms:
                return "the peer does not see what is sent"
        if self.state == OPEN and self._probed and self._diff(now, self._blocked) >= self._stall_ms:
            return "the peer does not answer a probe"
        return None

    def next_timeout(self, now):
        """Milliseconds until `encode_into` or `fault` may have something to say, or None."""
        if self.state != OPEN:
            return None
        timeout = None
        if self.sender.in_flight(self._peer_seen):
            timeout = self._stall_ms - self._diff(now, self._progress)
        elif self._blocked is not None:
            due = self._stall_ms if self._probed else PROBE_MS
            timeout = due - self._diff(now, self._blocked)
        if self._ack_since is not None:
            due = self._ack_left(now)
            timeout = due if timeout is None else min(due, timeout)
        return timeout if timeout is None else max(0, timeout)
