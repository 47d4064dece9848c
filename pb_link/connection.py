"""The handshake of a connection of the bridge with the server, as the client has it; the session goes on with the
connection afterwards. `docs/protocol.md` section 5 has the rules. Knows nothing of the mailbox.

Loaded when a connection begins: a board has the memory back as soon as PROOF is on its way.
"""

from primitives.platform import ticks_diff, ticks_ms
from protocol.framing import PREFIX
from protocol.handshake import Initiator
from protocol.limits import HANDSHAKE_MS
from protocol.sequence import put16


class Opening:
    """A connection whose handshake is not done. It has the calls of a Session that the link makes for a connection.

    Args: link: object whose `session` is attached once the server is known; owner: object whose `connection` becomes
    that session when the last frame of the handshake has been written; max_frame: the longest frame that the mailbox
    takes; max_line, identity: of protocol.handshake.Initiator.
    """

    def __init__(self, link, owner, max_frame, max_line, *identity):
        self._initiator = initiator = Initiator(*identity, max_line=max_line)
        self._link = link
        self._owner = owner
        self._max_frame = max_frame
        self._since = ticks_ms()
        self._reply = initiator.hello()  # handshake frame to be sent, or None

    def receive(self, data, now):
        """Process one frame (memoryview without its prefix) of the server. Returns None or a fault."""
        initiator = self._initiator
        session = self._link.session
        if initiator is None:
            return session.receive(data, now)
        self._reply, fault = initiator.welcome(data)
        if not fault:
            self._initiator = None
            max_frame = min(initiator.peer_max_frame, self._max_frame)
            max_line = initiator.peer_max_line
            held = session.attach(initiator.seal, initiator.peer_epoch, max_frame, self._since, max_line)
            if held:
                print("pb_link: a line of %d bytes is held: the server takes %d" % (held, max_line))
        return fault

    def encode_into(self, buf, at, now):
        """Write the next frame, as Session.encode_into does."""
        reply = self._reply
        if reply is None:
            return at
        self._reply = None
        if self._initiator is None:
            self._owner.connection = self._link.session
        put16(buf, at, len(reply))
        at += PREFIX
        end = at + len(reply)
        buf[at:end] = reply
        return end

    def fault(self, now):
        """None, or why the connection must be closed although nothing came in."""
        if self._initiator is None:
            return self._link.session.fault(now)
        return "the server does not answer" if ticks_diff(now, self._since) >= HANDSHAKE_MS else None
