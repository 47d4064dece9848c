"""The messages between a node and PostgreSQL, as a proxy sees them: to hold a statement at a point, and to lose hints.

The format is that of PostgreSQL's documentation, "Frontend/Backend Protocol", "Message Formats": a byte that names the
message, 4 bytes of length that count themselves, and the body. Only the first message of a client has no name.
"""

import asyncio
import struct

from tests.cluster.proxy import TO_CLIENT, TO_SERVER

BIND, QUERY, NOTIFICATION = b"B", b"Q", b"A"
# Where a statement may be caught.
NOT_SENT = "not sent"
HALF_SENT = "sent in part"
UNANSWERED = "done and not answered"
POINTS = (NOT_SENT, HALF_SENT, UNANSWERED)
# A batch has an array for each column of a client; no other statement has so many parameters.
BATCH_PARAMETERS = 10


class Splitter:
    """Splits a stream into messages. Args: first: whether the first message has no name."""

    def __init__(self, first):
        self._rest = b""
        self._nameless = first

    def feed(self, data):
        """Returns a list of (name, whole message)."""
        data = self._rest + data
        found, at = [], 0
        while True:
            head = 0 if self._nameless else 1
            if len(data) < at + head + 4:
                break
            end = at + head + struct.unpack_from(">I", data, at + head)[0]
            if len(data) < end:
                break
            found.append((data[at : at + head], data[at:end]))
            self._nameless = False
            at = end
        self._rest = data[at:]
        return found


def parameters(bind):
    """Returns the number of parameters of a Bind message."""
    at = bind.index(0, 5) + 1  # behind the portal's name
    at = bind.index(0, at) + 1  # and the statement's
    formats = struct.unpack_from(">H", bind, at)[0]
    return struct.unpack_from(">H", bind, at + 2 + 2 * formats)[0]


def is_batch(name, message):
    """Whether this binds the parameters of a batch: in a claim, of the batch in it."""
    return name == BIND and parameters(message) >= BATCH_PARAMETERS


def is_commit(name, message):
    """Whether this is the COMMIT of a transaction."""
    return name == QUERY and message[5:11] == b"COMMIT"


class Trap:
    """Holds a connection at the first message that fits, once it is armed. Its `watch` is for a Proxy.

    Args: fits: function (name, message); point: one of POINTS. `caught` is set then, and `link` is the connection."""

    def __init__(self, fits=is_batch, point=NOT_SENT):
        self.caught = asyncio.Event()
        self.link = None
        self.armed = False
        self._fits = fits
        self.point = point

    def arm(self):
        """Hold at the next message that fits."""
        self.caught.clear()
        self.armed = True

    def watch(self, link):
        messages = Splitter(first=True)

        def split(data):
            pieces = []
            for name, message in messages.feed(data):
                if self.armed and self._fits(name, message):
                    self.armed = False
                    pieces += self._caught(link, message)
                else:
                    pieces.append(message)
            return pieces

        link[TO_SERVER].watch = split

    def _caught(self, link, message):
        def hold(way):
            def act():
                self.link = link
                link.hold(way)
                self.caught.set()

            return act

        if self.point == NOT_SENT:
            return [hold(TO_SERVER), message]
        if self.point == HALF_SENT:
            return [message[: len(message) // 2], hold(TO_SERVER), message[len(message) // 2 :]]
        return [hold(TO_CLIENT), message]


class LostHints:
    """Loses notifications while `losing` is set. Its `watch` is for a Proxy."""

    def __init__(self):
        self.losing = False
        self.seen = 0
        self.lost = 0

    def watch(self, link):
        messages = Splitter(first=False)

        def split(data):
            return [message for name, message in messages.feed(data) if not (name == NOTIFICATION and self._loses())]

        link[TO_CLIENT].watch = split

    def _loses(self):
        self.seen += 1
        self.lost += self.losing
        return self.losing
