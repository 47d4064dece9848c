"""The session: what is sent, received, acknowledged and resumed between a client and its server, across any number of
connections. `docs/protocol.md` section 6 has its rules. This is the client's end; `server_session.py` adds what only
the server's end does, and `channel_session.py` messages on channels. Nothing here knows of the handshake, of the
mailbox, of TCP or of stores.

    DETACHED --attach--> RESUMING --RESUME received--> OPEN      at the client
                         RESUMING --RESUME received--> ASKED --answer--> OPEN      at the server
    detach: from each state to DETACHED

An adapter is one loop:

    attach(..)                      a connection has been authenticated
    receive(frame, now)             for each frame that comes
    lines, accept(count, now)       take the lines that were received, the oldest first
    room_for(size), append(..)      give a line to be sent
    encode_into(buf, at, now)       get the next frame to be sent, until there is none
    next_timeout(now), fault(now)   sleep so long; then see whether the connection must be closed
    detach()                        the connection has ended

Exactly-once rests on one rule: `accept` is what acknowledges a line, so an adapter calls it after the line was stored
(server) or handed to the application (client), and at no other time. What was not accepted comes again, on the next
connection, and the line numbers are the only de-duplication. Within a connection nothing is retransmitted (section 1):
a frame that is missing, altered or repeated fails its MAC, and the adapter closes the connection.
"""

from protocol import frame
from protocol.frame import DATA, DATA_HEADER, DATA_MORE, PROBE, REMEMBERED, RESUME, Resume, encode_data_header
from protocol.framing import PREFIX
from protocol.limits import (
    ACK_DELAY_MS,
    ACK_LATE_MS,
    HANDSHAKE_MS,
    MAC_BYTES,
    MAX_FRAME,
    MAX_LINE,
    MIN_FRAGMENT,
    PROBE_MS,
    RECEIVE_BYTES,
    RECORD_CHARGE,
    ROOM_UNIT,
    STALL_MS,
)
from protocol.lines import diff30, text_in
from protocol.receiver import MAX_ROOM, Receiver
from protocol.sender import Sender
from protocol.sequence import get16, put16

DETACHED = 0
RESUMING = 1
ASKED = 2
OPEN = 3

# What is around the records of a frame.
AROUND = PREFIX + DATA_HEADER + MAC_BYTES
# Room that has grown by this share of the whole is worth a frame of its own.
_ROOM_SHARE = 4
# With less room than this, in units, the peer cannot send a fragment.
_ROOM_BLOCKED = (RECORD_CHARGE + MIN_FRAGMENT + ROOM_UNIT - 1) // ROOM_UNIT


class Attachment:
    """The state of a session on one connection: `attach` makes it, `detach` drops it."""

    def __init__(self, seal, peer_epoch, max_frame, now, ack, greeting):
        self.seal = seal
        self.peer_epoch = peer_epoch
        self.max_frame = max_frame
        self.since = now  # time from which on RESUME is waited for
        self.heard = None  # Resume of the peer
        self.greeting = greeting  # (flags, lost, runs) of our RESUME while that is to be sent, or None
        self.peer_seen = 0
        self.ack_since = None  # time since which an acknowledgement is due
        self.ack_soon = True  # the peer waits for it; or else more comes from there, and asks in its time
        self.asked = True  # the last frame with records did not say that more follows at once
        self.ack_sent = ack
        self.room_sent = 0
        self.progress = now  # time of the last sign that our frames arrive
        self.blocked = None  # time since which only the peer can let us go on
        self.probed = False  # and it has been asked


class Session:
    """One end, as the client has it.

    Args:
    ticks_diff: function (a, b) -> signed ms between two times.
    max_bytes, max_line, line_in: what this end takes, see Receiver.
    first: number of the first line that is sent.

    lines: complete lines that have been received and not accepted, oldest first. Only `accept` changes it.
    room_for(size): True if a line of so many bytes can be admitted now.
    append(data, numbered): admit a line (bytes); ask `room_for` first. Returns how many lines must have been
        `acknowledged` for this one to be; 0 for a line of qos 0.
    """

    def __init__(
        self,
        ticks_diff,
        max_bytes=RECEIVE_BYTES,
        max_line=MAX_LINE,
        ack_delay_ms=ACK_DELAY_MS,
        first=0,
        line_in=text_in,
    ):
        self._sender = sender = Sender()
        sender.start_at(first)
        self._receiver = receiver = Receiver(max_bytes, max_line, line_in)
        self.room_for = sender.room_for
        self.append = sender.append
        self.lines = receiver.lines
        self.state = DETACHED
        self.peer_epoch = None  # of the peer whose line numbers the receiver holds
        self.peer_max_line = MAX_LINE  # bytes of the longest line that the peer takes, as it said last
        self.news = None  # what the server has said of its store, in words; "" of a new one; until it is set to None
        self.resumes = 0  # connections that became open
        self._impostor = False  # the peer knows lines of our epoch that we never sent: another one had it before us
        self._runs = b""  # of the peer's store, as it told them: it gets them back in RESUME
        self._former = (None, b"", 0)  # (epoch, runs, next) of the peer before this one: it may come back
        self._diff = ticks_diff
        self._ack_delay_ms = ack_delay_ms
        self._attached = None  # Attachment

    def attach(self, seal, peer_epoch, max_frame, now, max_line=MAX_LINE):
        """Begin on an authenticated connection. `encode_into` gives RESUME first.

        max_frame: the longest frame that both sides take, with its prefix.
        now: the time from which on the peer's RESUME is waited for.
        max_line: the longest line that the peer takes; a longer one is held, with those behind it.
        Returns: bytes of the longest line that is held, or 0.
        """
        self.detach()
        if self._former[0] == peer_epoch and peer_epoch != self.peer_epoch:
            self._become(self._former)
        greeting = (REMEMBERED, 0, self._runs) if peer_epoch == self.peer_epoch else (0, 0, b"")
        self._attached = Attachment(seal, peer_epoch, min(max_frame, MAX_FRAME), now, self._receiver.ack, greeting)
        self.state = RESUMING
        self.peer_max_line = self._sender.max_line = max_line
        return self._sender.longest_held()

    def detach(self):
        """The connection has ended. Lines of qos 0 that it might have carried are lost. Allocates nothing."""
        self._attached = None
        self.state = DETACHED
        self._sender.disconnect()
        self._receiver.disconnect()

    @property
    def acknowledged(self):
        """How many lines the peer has acknowledged since this object was made: compare with what `append` returned."""
        return self._sender.acknowledged

    @property
    def expected(self):
        """Number of the next line that is not completely received."""
        return self._receiver.next

    # Receiving

    def receive(self, data, now):
        """Process one frame (memoryview without its prefix) from the connection. Returns None or a fault.

        It may be changed by that. After a fault the connection must be closed and `detach` called.
        """
        attached = self._attached
        if attached is None:
            return "a frame without a connection"
        if not attached.seal.open(data):
            return "bad MAC: frame altered, lost, repeated or out of order"
        attached.blocked = None
        attached.probed = False
        return self._take(data, now)

    # What is called for a frame has less than 12 places: see receiver.py.

    def _take(self, data, now):
        kind = data[0]
        end = len(data) - MAC_BYTES
        if self.state == RESUMING and kind == RESUME:
            if frame.is_resume(data, end):
                self._attached.heard = Resume(data[:end])
                return self._resume(now)
        elif self.state == OPEN and DATA <= kind <= DATA_MORE:
            if end == DATA_HEADER or end > DATA_HEADER and kind != PROBE:
                if kind == PROBE:
                    self._acknowledgement_due(now, True)
                return self._data(data, end, now)
        return "unexpected frame kind %02x of %d bytes" % (kind, len(data))

    def renumbered(self):
        """Returns True if we need a new epoch, of which nobody knows any number: random numbers have repeated."""
        if not self._impostor:
            return False
        self._impostor = False
        self._sender.start_at(0)
        return True

    def become_peer(self, epoch, number):
        """The next line is this one of the peer's `epoch`: what it had acknowledged before is gone."""
        self._receiver.start_at(number)
        self.peer_epoch = epoch

    def _become(self, peer):
        """The receiver gets another peer's lines from now on; the present one is remembered, in case it returns.

        It is rare, and lines of the former one that are not handed over then count as handed over: they are here.
        """
        former = (self.peer_epoch, self._runs, self._receiver.next)
        epoch, self._runs, number = peer
        self.become_peer(epoch, number)
        self._former = former

    def _resume(self, now):
        """The peer's RESUME has come: follow it (section 6, Resuming). Returns None or a fault."""
        attached = self._attached
        heard = attached.heard
        new = attached.peer_epoch != self.peer_epoch
        # Before anything is changed: should memory run out below, the next RESUME tells of nothing new.
        self.news = heard.news() or ("" if new else self.news and "")
        if new:
            self._become((attached.peer_epoch, b"", heard.base))
        elif heard.parted or diff30(heard.base, self._receiver.next) > 0:
            self.become_peer(self.peer_epoch, heard.base)
        self._runs = heard.runs
        return self._open(now)

    def _open(self, now):
        attached = self._attached
        heard = attached.heard
        if heard.remembered:
            fault = self._sender.resume(heard.ack, heard.next)
            if fault:
                self._impostor = True
                return fault
        self._sender.grant(0, heard.room * ROOM_UNIT)
        attached.progress = now
        self.state = OPEN
        self.resumes += 1
        if not attached.greeting and self._worth_telling():  # accepted since our RESUME went out
            self._acknowledgement_due(now, True)
        return None

    def _data(self, data, end, now):
        fault = self._told(data, now)
        if fault or end == DATA_HEADER:
            return fault
        self._attached.asked = fault = data[0] == DATA
        self._acknowledgement_due(now, fault)
        now = get16(data, 1)
        return self._receiver.take_records(now, data, DATA_HEADER, end)

    def _told(self, data, now):
        """Take what the header says. Returns None or a fault."""
        attached, sender = self._attached, self._sender
        fault = sender.acknowledge(get16(data, 3))
        if fault:
            return fault
        seen = get16(data, 5)
        if seen != attached.peer_seen:
            if sender.in_flight(seen) > sender.in_flight(attached.peer_seen):
                return "the peer has seen more than was sent"
            attached.peer_seen = seen
            attached.progress = now
        elif not self._in_flight():
            attached.progress = now
        now = data[7] * ROOM_UNIT
        sender.grant(seen, now)
        return None

    def accept(self, count, now):
        """The oldest count lines are stored or handed over: acknowledge them. Allocates nothing.

        Returns True if the acknowledgement is due earlier by that than `next_timeout` has said.
        """
        self._receiver.accept(count)
        if self.state != OPEN:
            return False
        attached = self._attached
        since = attached.ack_since
        if since is not None and attached.ack_soon or not self._worth_telling():
            return False
        soon = attached.asked or attached.room_sent < _ROOM_BLOCKED
        if since is not None and not soon:
            return False
        attached.ack_since = now
        attached.ack_soon = soon
        return True

    def _worth_telling(self):
        receiver = self._receiver
        if receiver.ack != self._attached.ack_sent:
            return True
        room_sent = self._attached.room_sent
        grown = receiver.room() - room_sent
        if room_sent < _ROOM_BLOCKED:  # the peer may wait for nothing else
            return grown > 0
        return grown * _ROOM_SHARE >= min(receiver.max_bytes // ROOM_UNIT, MAX_ROOM)

    def _acknowledgement_due(self, now, soon):
        attached = self._attached
        if attached.ack_since is None or soon and not attached.ack_soon:
            attached.ack_since = now
            attached.ack_soon = soon

    # Sending

    def encode_into(self, buf, at, now):
        """Write the next frame with its prefix into buf[at:]. Returns its end, or at.

        buf: bytearray with room for MAX_FRAME bytes from at on.
        """
        attached = self._attached
        if attached is None or attached.seal.exhausted():
            return at
        if attached.greeting:
            return self._greet(buf, at)
        if self.state != OPEN:
            return at
        probe = False
        if self._sender.can_fill():
            attached.blocked = None
            attached.probed = False
        elif self._probe_is_due(now, self._sender.lines):
            probe = attached.probed = True
            attached.blocked = now
        elif attached.ack_since is None or self._ack_left(now) > 0:
            return at
        now = self._fill(buf, at, now)
        if probe:
            buf[at + PREFIX] = PROBE
        return self._seal(buf, at, now)

    def _fill(self, buf, at, now):
        """Write a DATA frame without prefix and MAC. Returns its end."""
        sender = self._sender
        if sender.sent == self._attached.peer_seen:  # nothing is in flight
            self._attached.progress = now
        self._note_told()
        self._header(buf, at + PREFIX)
        at += PREFIX + DATA_HEADER
        now = at + self._attached.max_frame - AROUND
        now = sender.fill(buf, at, now)
        if now > at and not sender.asks():
            buf[at - DATA_HEADER] = DATA_MORE
        return now

    def _header(self, buf, start):
        receiver = self._receiver
        encode_data_header(buf, start, self._sender.number(), receiver.ack, receiver.seen, self._attached.room_sent)

    def _greet(self, buf, at):
        attached = self._attached
        flags, lost, runs = attached.greeting
        attached.greeting = None
        self._note_told()
        base, receiver = self._sender.base, self._receiver
        end = frame.encode_resume(
            buf, at + PREFIX, flags, base, receiver.ack, receiver.next, lost, attached.room_sent, runs
        )
        return self._seal(buf, at, end)

    def _note_told(self):
        attached = self._attached
        attached.ack_since = None
        attached.ack_sent = self._receiver.ack
        attached.room_sent = self._receiver.room()

    def _seal(self, buf, at, end):
        end = self._attached.seal.seal(buf, at + PREFIX, end)
        put16(buf, at, end - at - PREFIX)
        return end

    def _ack_left(self, now):
        """Milliseconds until the acknowledgement that is due leaves by itself."""
        delay = self._ack_delay_ms if self._attached.ack_soon else ACK_LATE_MS
        return delay - self._diff(now, self._attached.ack_since)

    def _probe_is_due(self, now, waiting):
        """Ask if nothing can be sent. waiting: there is something to be sent."""
        attached = self._attached
        if not waiting or self._in_flight():
            attached.blocked = None
            attached.probed = False
        elif attached.blocked is None:
            attached.blocked = now
        elif not attached.probed:
            return self._diff(now, attached.blocked) >= PROBE_MS
        return False

    def _in_flight(self):
        """True if something is on its way that the peer has not seen."""
        return self._sender.sent != self._attached.peer_seen

    # Time

    def fault(self, now):
        """None, or why the connection must be closed although nothing came in."""
        attached = self._attached
        if attached is None:
            return None
        diff = self._diff
        if self.state != OPEN:
            return "no RESUME in %d ms" % HANDSHAKE_MS if diff(now, attached.since) >= HANDSHAKE_MS else None
        if attached.seal.exhausted():
            return "frame counter used up"
        if self._in_flight() and diff(now, attached.progress) >= STALL_MS:
            return "the peer does not see what is sent"
        if attached.probed and diff(now, attached.blocked) >= STALL_MS:
            return "the peer does not answer a probe"
        return None

    def next_timeout(self, now):
        """Milliseconds until `encode_into` or `fault` may have something to say, or None."""
        attached = self._attached
        if attached is None:
            return None
        diff = self._diff
        timeout = None
        if self.state != OPEN:
            timeout = HANDSHAKE_MS - diff(now, attached.since)
        elif self._in_flight():
            timeout = STALL_MS - diff(now, attached.progress)
        elif attached.blocked is not None:
            timeout = (STALL_MS if attached.probed else PROBE_MS) - diff(now, attached.blocked)
        if attached.ack_since is not None:
            due = self._ack_left(now)
            timeout = due if timeout is None else min(due, timeout)
        return timeout if timeout is None else max(0, timeout)
