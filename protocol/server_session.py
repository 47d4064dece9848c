"""The server's end of a session: apart, so that no board has to hold it. `docs/protocol.md` section 6 has its rules.

The client's RESUME comes first and the server's is the answer. By then the adapter has compared what the client
remembers with what its store has (`server/core/history.py`), and put the store right if they have not the same past.
"""

from struct import pack

from protocol.channel_records import FRESH
from protocol.channel_session import ChannelSession
from protocol.frame import PARTED, REMEMBERED
from protocol.framing import PREFIX
from protocol.limits import HANDSHAKE_MS
from protocol.line_bytes import bytes_in
from protocol.lines import NUMBERS, diff30
from protocol.server_channel import ServerChannel
from protocol.session import ASKED, Session

FAREWELL = 0x16  # kind of frame


class ServerSession(ChannelSession):
    """A Session that is ASKED from the client's RESUME on until the adapter calls `answer`, and OPEN then.

    Its lines are bytes without newline. It has `channels` from the start.
    """

    def __init__(self, ticks_diff, **options):
        super().__init__(Session(ticks_diff, line_in=bytes_in, **options), ServerChannel)

    def restore(self, peer_epoch, expected, base, outbox):
        """Go on with what the store has: the client's epoch and the number expected from it, and the lines (bytes) that
        it has not acknowledged, of which the oldest has the number base. For a fresh session."""
        self.become_peer(peer_epoch, expected)
        self._sender.start_at(base)
        for line in outbox:  # all at once: RESUME may acknowledge any number of them
            self.append(line, True)
        self.known_until(self.end)

    def restore_channel(self, number, expected, base, messages, expired=0):
        """The same for a channel. messages: [(bytes, numbered, ..)], as ChannelSender.append takes them; expired: see
        CREDIT, of the client's last messages."""
        self.channels.open(number).restore(expected, base, messages, expired)

    def become_peer(self, epoch, number, cursors=None):
        """See Session. cursors: {channel: number of the next message}, those of others are 0 in a new epoch."""
        if epoch != self.peer_epoch:
            self.channels.become(False)
        super().become_peer(epoch, number)
        for channel, following in (cursors or {}).items():
            if channel:
                self.channels.open(channel).receiver.start_at(following)

    def attach(self, *args, **limits):
        """Begin on a connection as Session does, but send RESUME only once `answer` has been called."""
        held = super().attach(*args, **limits)
        self._attached.greeting = None
        return held

    @property
    def asked(self):
        """True if the client has sent its RESUME and waits for `answer`."""
        return self.state == ASKED

    @property
    def heard(self):
        """Resume of the client, on this connection, or None."""
        return self._attached and self._attached.heard

    @property
    def knows_peer(self):
        """True if the receiver holds the line numbers of the epoch that the client is in now. Ask while attached."""
        return self._attached.peer_epoch == self.peer_epoch

    def fault(self, now):
        """See Session.fault. A RESUME that is not answered in time is our store's fault, and not the client's."""
        fault = super().fault(now)
        return "no answer to RESUME in %d ms" % HANDSHAKE_MS if fault and self.asked else fault

    def _resume(self, now):
        self.state = ASKED
        return None

    def answer(self, now, runs, parted=False, lost=0):
        """Open the session that was `asked` for. Returns None or a fault.

        runs: for the client to remember, bytes of `run_entry`; parted: it has seen another past than ours, and its
        memory counts no longer; lost: lines of the client that were acknowledged, and that the store does not have.
        """
        attached, heard = self._attached, self.heard
        attached.greeting = (REMEMBERED | (PARTED if parted else 0), lost, runs)
        if parted:
            heard.remembered = False
        new = not self.knows_peer
        if new or diff30(heard.base, self.expected) > 0:
            self.become_peer(attached.peer_epoch, heard.base)
        if parted and heard.channels:
            for channel, entry in heard.channels.items():
                heard.channels[channel] = (FRESH,) + entry[1:]
        return self._open(now) or self._open_listed(new)

    def encode_farewell(self, buf, at):
        """Write FAREWELL into buf[at:], the last frame of this connection: the client does better to use another
        server, if it knows one. Returns its end, or at. To a client it is a fault, as any frame of unknown kind, so
        that it costs a board nothing."""
        if self._attached is None or self._attached.seal.exhausted():
            return at
        buf[at + PREFIX] = FAREWELL
        return self._seal(buf, at, at + PREFIX + 1)

    # Lines of the client

    def has_received(self):
        """True if there are lines or messages that are not accepted."""
        return bool(self.lines) or any(channel.received for channel in self.channels.used)

    @property
    def ack(self):
        """Number of the oldest line that is not accepted: `expected`, once `lines` is empty."""
        return self._receiver.ack

    # Lines to the client

    @property
    def base(self):
        """Number of the oldest line that is not acknowledged."""
        return self._sender.base

    @property
    def number(self):
        """Number of the first numbered line that is not completely sent."""
        return self._sender.number()

    @property
    def reached(self):
        """Number of the first line that no earlier connection can have carried whole."""
        return self._sender.reached

    def reached_on(self, channel):
        """The same of a channel."""
        return self._sender_of(channel).reached

    @property
    def end(self):
        """Number of the next line with one to be admitted."""
        return (self._sender.base + sum(numbered for _, numbered in self._sender.lines)) & NUMBERS

    def deadlines_on(self, channel):
        """Returns the times, in ticks, at which messages of a channel that are to be sent expire."""
        sender = self._sender_of(channel)
        return [entry[3] for entry in sender.lines if len(entry) > 2 and entry[3] is not None] if sender.timed else ()

    def known_until(self, number, channel=0):
        """The client may have got the messages before this number from another process, though not from this one."""
        sender = self._sender_of(channel)
        if diff30(number, sender.reached) > 0:
            sender.reached = number

    def acknowledge_until(self, number, channel=0):
        """The messages before this number are not to be sent again: the store has been put right (section 6)."""
        sender = self._sender_of(channel)
        if number != sender.base:
            sender.resume(number, number)

    def _sender_of(self, channel):
        return self.channels.open(channel) if channel else self._sender


def run_entry(name, number):
    """A run in RESUME: its name (8 bytes), and the number that the next line got when it began."""
    return name + pack(">I", number)
