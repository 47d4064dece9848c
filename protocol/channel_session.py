"""A Session with messages on channels beside its lines: `channels.py`. The server's end is one from the start, the
client's becomes one when its application uses a channel first: until then it has nothing of all this.
"""

from protocol.session import AROUND, OPEN, RESUMING, Session

# isort: split
# It comes first: what it loads, those below would load deeper in imports of imports, and a board's stack is small.
from protocol.channel_records import CHANNEL, LIST, LISTED, NOTICE
from protocol.channels import Channels
from protocol.frame import DATA, DATA_HEADER, DATA_MORE, PROBE, RESUME, Resume, is_resume
from protocol.framing import PREFIX
from protocol.limits import MAC_BYTES
from protocol.receiver import Receiver
from protocol.sequence import get16

# The one state in which a session takes a frame of this kind; in any other it is a fault: the table of section 6.
TAKEN_IN = {RESUME: RESUMING, LIST: RESUMING, DATA: OPEN, DATA_MORE: OPEN, NOTICE: OPEN, PROBE: OPEN}


def _take_over(new, former):
    """Give an object the state of another, which must not be used any longer."""
    state = former.__dict__
    for name in state:
        setattr(new, name, state[name])


class LineReceiver(Receiver):
    """Goes on with a Receiver: what is of a channel goes to `channels`."""

    def __init__(self, former, channels):
        _take_over(self, former)
        self._channels = channels

    def disconnect(self):
        Receiver.disconnect(self)
        self._channels.disconnect()

    def _record(self, header, data, at):
        if header & CHANNEL:
            return self._channels.take(header, data, at)
        return Receiver._record(self, header, data, at)


class ChannelSession(Session):
    """Goes on with a Session, which must not be used any longer. Args: session; answers: see Channels.

    Raises: MemoryError: the Session is as it was. On a connection that it has, the channels are opened one by one.
    """

    def __init__(self, session, answers=None):
        _take_over(self, session)
        receiver = self._receiver
        self.channels = channels = Channels(self, self._diff, receiver.max_bytes, receiver.max_line, answers)
        self._receiver = LineReceiver(receiver, channels)

    # For Channels

    def due(self, now, soon=True):
        """A frame is to go with what we have taken and accepted."""
        self._acknowledgement_due(now, soon)

    def moved(self, now):
        """The peer has seen something."""
        self._attached.progress = now

    def met_impostor(self):
        """The peer knows messages of our epoch that we never sent."""
        self._impostor = True

    # Receiving

    def _take(self, data, now):
        kind = data[0]
        end = len(data) - MAC_BYTES
        if TAKEN_IN.get(kind) == self.state:
            if kind == RESUME:
                if is_resume(data, end) and self._attached.heard is None:
                    self._attached.heard = heard = Resume(data[:end])
                    heard.channels = {} if data[1] & LISTED else None  # {channel: entry}
                    return None if data[1] & LISTED else self._resume(now)
            elif kind == LIST:
                if self.channels.take_list(self._attached.heard, data, end):
                    return self._resume(now) if data[1] else None
            elif end >= DATA_HEADER:
                if kind == PROBE:
                    self.due(now)
                return self._data(data, end, now)
        return "unexpected frame kind %02x of %d bytes" % (kind, len(data))

    def _become(self, peer):
        self.channels.become(peer is self._former)
        Session._become(self, peer)

    def _resume(self, now):
        attached = self._attached
        new = attached.peer_epoch != self.peer_epoch or attached.heard.parted
        return Session._resume(self, now) or self._open_listed(new)

    def _open_listed(self, new):
        """The channels that the peer has listed may be used. new: as in Channel.take_entry. Returns None or a fault."""
        return self._attached.heard.channels and self.channels.take_entries(self._attached, new)

    def _data(self, data, end, now):
        self.channels.now = now
        if data[0] == DATA or data[0] == DATA_MORE:
            return Session._data(self, data, end, now)
        fault = self._told(data, now)
        if fault or end == DATA_HEADER:
            return fault
        now = get16(data, 1)
        return self._receiver.take_records(now, data, DATA_HEADER, end)

    # Sending

    def encode_into(self, buf, at, now):
        attached, channels = self._attached, self.channels
        if attached is None or attached.greeting or attached.seal.exhausted():
            return Session.encode_into(self, buf, at, now)
        if channels.listing is not None:  # it follows our RESUME
            return self._seal(buf, at, channels.list_into(buf, at, at + attached.max_frame))
        if self.state == OPEN and channels.can_send():
            attached.blocked = None
            attached.probed = False
            return self._seal(buf, at, self._fill(buf, at, now))
        return Session.encode_into(self, buf, at, now)

    def _fill(self, buf, at, now):
        if not self._in_flight():
            self._attached.progress = now
        self._note_told()
        self._header(buf, at + PREFIX)
        at += PREFIX + DATA_HEADER
        return self.channels.fill(self._sender, buf, at, now, self._attached.max_frame - AROUND)

    def _greet(self, buf, at):
        attached = self._attached
        if self.channels.begin_list(attached.peer_epoch == self.peer_epoch):
            flags, lost, runs = attached.greeting
            attached.greeting = (flags | LISTED, lost, runs)
        return Session._greet(self, buf, at)

    def _in_flight(self):
        return Session._in_flight(self) or self.channels.unseen()

    def _probe_is_due(self, now, waiting):
        return Session._probe_is_due(self, now, waiting or self.channels.waiting())
