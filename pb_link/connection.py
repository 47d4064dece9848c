"""One connection of the bridge with the server, as the client has it: first the handshake, then the session's frames.
`docs/protocol.md` sections 5 and 6 have the rules. Knows nothing of the mailbox."""

from primitives.platform import ticks_diff, ticks_ms
from protocol.framing import PREFIX
from protocol.limits import HANDSHAKE_MS
from protocol.sequence import put16


class Connection:
    """Args: initiator: protocol.handshake.Initiator, fresh; session: attached once the handshake is done;
    max_frame: the longest frame that the mailbox takes."""

    def __init__(self, initiator, session, max_frame):
        self._initiator = initiator  # None once the handshake is done
        self.session = session
        self._max_frame = max_frame
        self._since = ticks_ms()
        self._reply = initiator.hello()  # handshake frame to be sent, or None

    def receive(self, data):
        """Process one frame (memoryview without its prefix) of the server. Returns None or a fault."""
        initiator = self._initiator
        if initiator is None:
            return self.session.receive(data, ticks_ms())
        self._reply, fault = initiator.welcome(data)
        if not fault:
            self._initiator = None
            # No local more: MicroPython would take memory for each frame, see protocol/receiver.py.
            data = min(initiator.peer_max_frame, self._max_frame)
            data = self.session.attach(
                initiator.seal, initiator.peer_epoch, data, self._since, initiator.peer_max_line
            )
            if data:
                print("pb_link: a line of %d bytes is held: the server takes %d" % (data, initiator.peer_max_line))
        return fault

    def encode_into(self, buf, at, now):
        """Write the next frame, as Session.encode_into does, those of the handshake included."""
        reply = self._reply
        if reply is None:
            return self.session.encode_into(buf, at, now)
        put16(buf, at, len(reply))
        at += PREFIX
        now = at + len(reply)
        buf[at:now] = reply
        self._reply = None
        return now

    def fault(self, now):
        """None, or why the connection must be closed although nothing came in."""
        if self._initiator is None:
            return self.session.fault(now)
        return "the server does not answer" if ticks_diff(now, self._since) >= HANDSHAKE_MS else None
