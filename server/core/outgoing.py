"""What the application gives to a channel, and what is to be done in the store for it."""

from primitives.platform import ticks_ms
from primitives.waiting import ticks_add
from protocol.channel_records import DROPPED, EXPIRES, LIMIT, MAX_TTL_MS
from protocol.text import encode_text
from server.core.clock import utc_ms
from server.core.inbox import MOST
from server.core.sharing import Sharing

FIRST = 16  # the lowest channel of applications
_LEFT = bytes(LIMIT)  # in front of a message that expires: set when it is sent


def bytes_of(data):
    """Returns a message's bytes. Raises: TypeError."""
    if isinstance(data, str):
        return encode_text(data)
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError("a message must be bytes or a str, not " + type(data).__name__)


def ttl_of(ttl_ms):
    """Returns ttl_ms. Raises: TypeError, ValueError."""
    if ttl_ms is not None:
        if not isinstance(ttl_ms, int):
            raise TypeError("ttl_ms must be an int or None")
        if not 0 < ttl_ms <= MAX_TTL_MS:
            raise ValueError("ttl_ms must be 1..%d or None" % MAX_TTL_MS)
    return ttl_ms


class Put:
    """A message that is to be stored and sent. watched: somebody waits for it, and it can expire. answers: number of
    the request in the inbox that it answers, and that is removed with it."""

    def __init__(self, message, watched, answers=None):
        self.message = message
        self.watched = watched
        self.answers = answers
        self.channel = None  # the protocol's Channel that it goes to
        self.count = None  # of that one's `append`, once it is stored


def of_protocol(message):
    """Returns (bytes, numbered, type, deadline) of a message in the outbox, as the protocol's Channel takes it."""
    if message.kind & DROPPED or not message.time:
        return message.data, True, message.kind, None
    left = max(0, min(MAX_TTL_MS, message.time - utc_ms()))
    return _LEFT + message.data, True, message.kind | EXPIRES, ticks_add(ticks_ms(), left)


class Operation:
    """A call of the store. function: a coroutine function."""

    def __init__(self, function):
        self._function = function
        self.done = False

    async def run(self):
        await self._function()
        self.done = True
        return True


class Calls(Sharing):
    """The calls of a Connection that name a channel, and what it has for others to use. A class of its own, since
    connection.py is long enough."""

    @property
    def traffic(self):
        """Returns a Traffic: what the connections have carried."""
        return self._carrier.traffic

    @property
    def waiting_lines(self):
        """Returns how many messages the client has not acknowledged, as far as this process knows."""
        return 0 if self._state is None else self._state.waiting()

    @property
    def wire_bytes(self):
        """Returns (received, sent): the bytes on all TCP connections so far."""
        traffic, now = self._carrier.traffic, self._carrier.transport
        return traffic.bytes_received + (now.received if now else 0), traffic.bytes_sent + (now.sent if now else 0)

    def queue(self, data, numbered):
        """Give a line (bytes), which is in the store if it is numbered, to the session, and show it to who follows."""
        self._carrier.add(data, numbered)
        for follower in self._registry.line_followers:
            follower(self.client_id, data)

    def channel(self, number, start=FIRST):
        """Returns the Channel (channels.py) of the client with this number, start..127. start: see
        ClientChannels.get. Raises: ValueError."""
        return self._channels.get(number, start)

    def request(self, channel, data, timeout_ms, wait=True):
        """Coroutine: ask the client on this channel. Returns the answer, bytes: `Requests.ask` in requests.py."""
        return self.channel(channel).request(data, timeout_ms, wait)

    def on_request(self, channel, handler):
        """Answer the client's requests on this channel by handler(data): `Requests.serve` in requests.py."""
        self.channel(channel).on_request(handler)

    def transaction(self, most=MOST):
        """`async with conn.transaction() as (lines, db)`: lines: a list of the client's next lines, one at least and
        `most` at most; db: an asyncpg.Connection in a transaction, in which that these lines are processed is committed
        together with what the block does. If the block raises, all is rolled back, and the lines come again.

        It needs the store in PostgreSQL, whose database has the application's tables. Raises: Together in inbox.py."""
        self.admit_reader()
        return self.inbox.transaction(most, lambda _: True, lambda _, message: self.text_of(message))

    def sensors(self):
        """Returns the Sensors (sensors.py) of the client, always the same. It is loaded when first used."""
        return self._channels.sensors()
