"""Channels of a client beside its lines, as the application sees them: loaded when the first one is asked for.

    ch = self.channel(20)
    await ch.send(b"..")
    message = await ch.receive()
    async for message in ch: ..
    await ch.send_json({"on": True})
    settings = await ch.receive_json()

docs/channels.md has the contract.
"""

from pb_link import limits
from pb_link.loading import half_loaded
from primitives.platform import sleep_ms, ticks_ms
from primitives.timeout import wait_limit
from protocol.channel_errors import Expired
from protocol.channel_records import CALL, EXPIRES, FIELDS, LIMIT, MAX_TTL_MS
from protocol.channel_session import ChannelSession
from protocol.text import encode_text

try:
    from time import ticks_add
except ImportError:  # CPython. A board need not load that module for it.
    from primitives.waiting import ticks_add

_LIMIT = bytes(LIMIT)  # in front of a message that expires: set when it is sent


def channel(link, number, start):
    """Returns the ClientChannel with this number, always the same. Raises: ValueError, MemoryError.

    start: the lowest number that is taken: see AppBase.
    """
    channel = channels_of(link).open(number, start)
    if channel.user is None:
        channel.user = ClientChannel(link, channel)
        link.flag.set()
    return channel.user


def channels_of(link):
    """Returns the Channels of the link. Its first call has the link go on with a session that has channels.

    Raises: MemoryError: the link goes on as before.
    """
    if link.channels is None:
        session = ChannelSession(link.session)
        owner = link.frame_log or link
        if owner.connection is link.session:
            owner.connection = session
        link.session = session
        link.channels = session.channels
    return link.channels


def bytes_of(data):
    """Returns a message's bytes. Raises: TypeError."""
    if isinstance(data, str):
        return encode_text(data)
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError("a message must be bytes or a str, not " + type(data).__name__)


def _json():
    """Returns the module, which only JSON needs."""
    try:
        from protocol import strict_json
    except MemoryError:
        half_loaded("protocol.strict_json")
        raise

    return strict_json


def _load_requests():
    """Returns the module requests.py, which not all use. Raises: MemoryError; the next call may succeed."""
    try:
        from pb_link import requests
    except MemoryError:
        half_loaded("protocol.requests")
        half_loaded("pb_link.requests")
        raise

    return requests


class Message:
    """A message that was received. data: bytes; channel: its number."""

    def __init__(self, data, channel):
        self.data = data
        self.channel = channel


class ClientChannel:
    """One channel. `AppBase.channel(number)` returns it."""

    asking = False  # a call of utc.py waits for its answer

    def __init__(self, link, channel):
        self.number = channel.number
        self._link = link
        self._channel = channel
        self._writers = None  # a ticket for each call of `send` that waits; a list when one has had to wait
        self._requests = None  # Requests, of a channel that is used for them; False: it is used for messages

    def request(self, data, timeout_ms, wait=True):
        """Coroutine: see Requests.ask."""
        return self.requests().ask(data, timeout_ms, wait)

    def on_request(self, handler):
        """See Requests.serve."""
        self.requests().serve(handler)

    def requests(self):
        """Returns the Requests (requests.py) of this channel. Raises: ValueError if it is used for messages,
        MemoryError."""
        if self._requests is False:
            raise ValueError("channel %d is used for messages: make requests on another one" % self.number)
        if self._requests is None:
            self._requests = _load_requests().Requests(self._link, self, self._channel)
        return self._requests

    def _for_messages(self):
        if self._requests:
            raise ValueError("channel %d is used for requests: send messages on another one" % self.number)
        self._requests = False

    async def send(self, data, qos=True, wait=True, ttl_ms=None):
        """Send a message to the server: bytes or str, at most as long as the server takes.

        Args: qos, wait: as AppBase.write, among the messages of this channel; ttl_ms: drop it if the server has not
            accepted it in this time; None: never.

        Messages of a channel keep the order of the calls. Only this channel's writers wait if the server takes none of
        it. Raises: Expired, with wait; TypeError, ValueError, MemoryError: it is not sent; LinkDown after `close`.
        """
        self._for_messages()
        data, kind, deadline = self._encoded(data, ttl_ms)
        link, channel = self._link, self._channel
        link.raise_if_closed()
        if not await self.place(len(data), qos, bool(kind)):
            return
        watched = bool(wait and kind and qos)
        count = channel.append(data, bool(qos), kind, deadline, watched)
        link.flag.set()
        try:
            while wait and channel.acknowledged < count and not channel.has_expired(count):
                try:
                    await link.changed.wait()
                except MemoryError:  # the message has its place: that is not to be told by an error
                    await sleep_ms(limits.MAX_WAIT_MS)
                link.raise_if_closed()
            if watched and channel.has_expired(count):
                raise Expired("the message on channel %d was not accepted in time" % self.number)
        finally:
            if watched:
                channel.forget_expiry(count)

    def _encoded(self, data, ttl_ms):
        """Returns (bytes, type, deadline). Raises: TypeError, ValueError."""
        data = bytes_of(data)
        longest = self._link.session.peer_max_line - FIELDS
        if len(data) > longest:
            raise ValueError("the message has %d bytes, the longest is %d" % (len(data), longest))
        if ttl_ms is None:
            return data, 0, None
        if not isinstance(ttl_ms, int):
            raise TypeError("ttl_ms must be an int or None")
        if not 0 < ttl_ms <= MAX_TTL_MS:
            raise ValueError("ttl_ms must be 1..%d or None" % MAX_TTL_MS)
        return _LIMIT + data, EXPIRES, ticks_add(ticks_ms(), ttl_ms)

    async def place(self, size, qos, timed, limit=None):
        """Wait until all earlier calls have their place and there is one for this one. Returns False if it is of qos 0,
        and the channel cannot be used now. limit: a Timeout. Raises: asyncio.TimeoutError, LinkDown, MemoryError."""
        if not self._writers and (qos or self.usable()) and self._channel.room_for(size, timed):
            return True
        link = self._link
        if self._writers is None:
            self._writers = []
        writers = self._writers
        ticket = object()
        writers.append(ticket)
        try:
            while True:
                link.raise_if_closed()
                if not (qos or self.usable()):
                    return False
                if writers[0] is ticket and self._channel.room_for(size, timed):
                    return True
                await link.changed.wait(limit)
        finally:
            writers.remove(ticket)
            if writers:
                link.changed.pulse()

    def usable(self):
        """True if a message of qos 0 can go now."""
        return self._link.up and self._channel.ready

    async def receive(self, timeout_ms=None):
        """Returns the next Message from the server. Waits through outages.

        timeout_ms, and why not asyncio.wait_for: as AppBase.readline. Raises: asyncio.TimeoutError; ValueError;
        LinkDown after `close`; MemoryError: the message waits for the next call.
        """
        await self._message_comes(timeout_ms)
        # All that may fail comes before it is accepted; nothing is awaited between that and returning it.
        message = Message(self._channel.front_data(), self.number)
        self._accept()
        return message

    async def _message_comes(self, timeout_ms):
        limit = wait_limit(timeout_ms)
        self._for_messages()
        link = self._link
        while not self._has_message():
            link.raise_if_closed()
            await link.changed.wait(limit)

    def _accept(self):
        self._link.channels.accept(self._channel, ticks_ms())
        self._link.flag.set()

    def utc(self, timeout_ms, set_rtc):
        """Coroutine: what AppBase.utc does, on its channel."""
        try:
            from pb_link.utc import utc
        except MemoryError:
            half_loaded("pb_link.utc")
            raise

        return utc(self._link, self, timeout_ms, set_rtc)

    async def send_json(self, found, qos=True, wait=True, ttl_ms=None):
        """Send None, a bool, int, float or str, or a list, tuple or dict of such, as JSON: protocol/strict_json.py.

        Args and what it raises: as `send`.
        """
        await self.send(_json().encode_json(found), qos, wait, ttl_ms)

    async def receive_json(self, timeout_ms=None):
        """Returns what the next message stands for. It has to be JSON: protocol/strict_json.py.

        A message that is not is taken all the same, and raises protocol.strict_json.BadJSON, a ValueError. Else as
        `receive`; a message for which there is no memory waits for the next call.
        """
        json = _json()
        await self._message_comes(timeout_ms)
        fault = None
        try:
            found = json.decode_json(self._channel.front_data())
        except json.BadJSON as error:
            fault = error
        self._accept()
        if fault:
            raise fault
        return found

    def _has_message(self):
        """True if a message has come. Requests and answers, which the server must not send here, are passed over."""
        channel = self._channel
        message = channel.front(ticks_ms())
        while isinstance(message, tuple) and message[1] & CALL:
            _load_requests().refuse(channel, message, "is used for messages at the client")
            self._accept()
            message = channel.front(ticks_ms())
        return message is not None

    def __aiter__(self):
        return self

    def __anext__(self):
        return self.receive()
