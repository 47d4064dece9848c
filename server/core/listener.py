"""Accepts TCP connections, and admits a client once its proof verifies.

Until then a connection costs at most one place of MAX_SILENT for HELLO_MS, one
of MAX_GREETED for HANDSHAKE_MS, UNPROVEN_BYTES (transport.py), three frames and
two HMACs. It changes no state. When all places of a kind are taken, the
addresses that have most of them lose some: see admission.py.
"""

import asyncio
import os

from primitives.nonces import Nonces
from primitives.platform import sleep_ms
from primitives.timeout import Timeout
from primitives.waiting import wait_for_ms
from protocol.digest import Hmac
from protocol.errors import AuthenticationError, LinkError, RemoteProtocolError
from protocol.frame import REFUSED_BUSY, REFUSED_IDENTITY, REFUSED_VERSION
from protocol.framing import PREAMBLE
from protocol.limits import HANDSHAKE_MS, KEY_BYTES, NONCE_BYTES, VERSION
from protocol.responder import WELCOME_SENT, Responder, encode_refused
from server.core.admission import Admission
from server.core.cancellation import cancellations, take_back
from server.core.events import CLOSED_HERE
from server.core.keys import Keys
from server.core.ownership import LateProof
from server.core.streams import report_failed_accepts, start_server
from server.core.ticker import Ticker
from server.core.transport import LOOKS, Transport
from server.core.unread import UnreadLines

# Concurrent connections that have not sent HELLO, and those that have sent HELLO with the right key hint but no proof
# of the key. They are counted apart: a HELLO can be replayed, but that is harder than to open a connection.
MAX_SILENT = 128
MAX_GREETED = 128
# A peer keeps its place for this long against one whose address has as many. A handshake over a bridge takes less.
GRACE_MS = 500
# Preamble and HELLO arrive by then: the client sends them as soon as it has the
# connection. The rest of the handshake has HANDSHAKE_MS.
HELLO_MS = 2000
BACKLOG = 64
# Time at the end for the bridges to receive the remaining data and to close their side.
FAREWELL_MS = 1000
# Limit of asyncio's reader, which may hold twice as much briefly: MAX_LINE and the overhead of the old protocol.
_READER_BYTES = 8200


class Listener:
    """The port of one server.

    Args:
    registry: Registry; keys: Keys, or a dict from id to key; store: see store.py;
    timeout_ms: silence that ends a connection; backoff: see address_backoff.py, or None.
    """

    def __init__(self, registry, keys, store, timeout_ms, backoff=None):
        self._registry = registry
        self.keys = keys if isinstance(keys, Keys) else Keys(keys)
        self._backoff = backoff
        self._nonces = Nonces(Hmac.digest, Hmac(os.urandom(KEY_BYTES)))
        # None, or a coroutine function (transport, first bytes). It returns the server of one without preamble.
        self.admit_other = None
        self.log_frame = None  # function (text), called with a line for each frame, for `verbose=2`
        self._store = store
        self._timeout_ms = timeout_ms
        self._silent = Admission(MAX_SILENT, GRACE_MS)
        self._greeted = Admission(MAX_GREETED, GRACE_MS)
        self._ticker = Ticker(timeout_ms // LOOKS)
        self._ended = False
        self._gone = None  # exception of the store's watch: nothing can be stored from then on
        self._open = []  # transports, proven or not, to be closed at the end

    async def serve(self, host, port):
        """Serve until cancelled, or until the store is gone. Then close every connection.

        Raises: what the store's `watch` raised, for example StoreGone.
        """
        self._ended = False
        self._gone = None
        watch = self._store.watch  # a custom store may have none: that is detected before the port is open
        unread = UnreadLines(self._registry, self._store)
        server = await start_server(self._accept, host, port, BACKLOG, _READER_BYTES)
        self._registry.events.tell("listening", host=host, port=port)
        end_of_reports = report_failed_accepts(self._registry.events.tell)
        before = cancellations()
        watching = asyncio.create_task(self._watch_store(watch, asyncio.current_task()))
        try:
            while True:
                await sleep_ms(self._ticker.wait_ms)
                self._ticker.tick()
                self._registry.events.look()
                unread.look()
        except asyncio.CancelledError:
            if self._gone is None or take_back() != before:  # somebody else has cancelled this too
                raise
            raise self._gone
        finally:
            watching.cancel()
            end_of_reports()
            server.close()
            self._ended = True  # for accepted connections whose task has not begun
            try:
                await self._say_farewell()
            finally:  # also if it is cancelled once more
                for transport in self._open:
                    transport.close()
                self._registry.close_all()

    async def _watch_store(self, watch, serving):
        try:
            await watch()
        except Exception as error:  # a store may raise any exception; without a watch, its loss would go unnoticed
            self._gone = error
            self._registry.events.tell("store_gone", error=str(error))
            serving.cancel()

    async def _say_farewell(self):
        self._registry.finish_all()
        for transport in self._open:
            if not transport.finished:
                transport.close()
        limit = Timeout(FAREWELL_MS)
        while self._open and not limit.expired():
            await sleep_ms(10)

    async def _accept(self, reader, writer):
        transport = self._transport(reader, writer, self._timeout_ms)
        if self._ended or self._backoff is not None and self._backoff.refuses(transport.address):
            transport.close()
            return
        self._open.append(transport)
        try:
            connection = await self._admit(transport)
            if connection is not None:
                await self._serve(connection, transport)
        finally:
            self._open.remove(transport)
            transport.close()
            await transport.wait_closed()

    def _transport(self, *args):
        if self.log_frame is None:
            return Transport(*args)
        from server.core.frame_log import LoggedTransport

        return LoggedTransport(self.log_frame, *args)

    async def _serve(self, connection, transport):
        why = CLOSED_HERE
        self._ticker.add(transport)
        try:
            await connection.serve(transport)
        except (OSError, EOFError, LinkError) as error:
            why = str(transport.fault or error)
        finally:
            self._ticker.remove(transport)
            self._registry.events.tell("disconnected", connection.client_id, peer=transport.peer, reason=why)

    async def _admit(self, transport):
        """Returns the Connection that the transport has been attached to, or None."""
        newcomer = _Newcomer(transport)
        responder = Responder()
        try:
            self._enter(self._silent, newcomer, responder)
            limit = Timeout(HELLO_MS)
            connection = await self._maybe_other(transport, limit)
            if connection is None:
                connection, welcome = await self._handshake(newcomer, responder, limit)
                if transport.closed:
                    return None
                connection.attach(transport, responder, welcome)
                transport.proven()
        except asyncio.CancelledError:
            if not newcomer.cleared:
                raise
            return None
        except (OSError, EOFError, LinkError) as error:
            if transport.closed:
                return None  # not refused: the listener ends
            if self._backoff is not None and isinstance(error, (AuthenticationError, EOFError)):
                self._backoff.failed(transport.address)
            self._leave(newcomer)
            self._registry.events.refused(transport.peer, _reason(responder, error), _kind(error))
            if responder.refuse:
                await transport.send_frame(encode_refused(responder.refuse, VERSION))
            return None
        finally:
            self._leave(newcomer)
        if self._backoff is not None:
            self._backoff.succeeded(transport.address)
        client_id = connection.client_id
        expected = client_id in self._registry.expected
        self._registry.events.tell("connected", client_id, peer=transport.peer, expected=expected)
        self._registry.changed.pulse()
        return connection

    async def _maybe_other(self, transport, limit):
        """Returns the result of `admit_other` for a connection without our preamble, or None for a client of ours."""
        if self.admit_other is None:
            return None
        first = await _within(limit, "first byte", transport.first_byte())
        if first == PREAMBLE[:1]:
            return None
        return await _within(limit, "id", self.admit_other(transport, first))

    def _enter(self, admission, newcomer, responder):
        """Give a connection a place of one kind. Another one may lose its place for it. Raises: _Full."""
        self._leave(newcomer)
        leaving = admission.enter(newcomer)
        if leaving is newcomer:
            responder.refuse = REFUSED_BUSY
            raise _Full(_TOO_MANY)
        if leaving is not None:
            self._clear(leaving)

    def _leave(self, newcomer):
        self._silent.leave(newcomer)
        self._greeted.leave(newcomer)

    def _clear(self, newcomer):
        newcomer.cleared = True
        self._registry.events.refused(newcomer.transport.peer, _TOO_MANY, "flood")
        newcomer.transport.dismiss(encode_refused(REFUSED_BUSY, VERSION))
        newcomer.task.cancel()

    async def _handshake(self, newcomer, responder, limit):
        """Returns the authenticated client's Connection, loaded, and its Welcome. The caller attaches it at once."""
        transport = newcomer.transport
        key = await _within(limit, "HELLO", self._hello(transport, responder))
        self._enter(self._greeted, newcomer, responder)
        connection = self._registry.get(responder.client_id)
        proof = self._proof(transport, responder, connection, key)
        welcome = await _within(Timeout(HANDSHAKE_MS), "PROOF", proof)
        self._leave(newcomer)
        admitted = connection.admit(self._store, welcome)
        await _within(Timeout(HANDSHAKE_MS), "answer of the store", admitted)
        if not self.keys.proved(responder.client_id, key):
            raise AuthenticationError("the key was taken away during the handshake")
        return connection, welcome

    async def _hello(self, transport, responder):
        """Returns the key of the client whose id the HELLO claims."""
        version = await transport.expect_preamble()
        fault = responder.hello(await transport.next_frame())  # a HELLO of another version too: its client is told so
        if not fault and version != VERSION:
            responder.refuse = REFUSED_VERSION
            fault = "the firmware of the ESP8266 speaks protocol version %d, this is %d" % (version, VERSION)
        if fault:
            raise RemoteProtocolError(fault)
        key = self.keys.choose(responder.client_id, responder.fits)
        if key is None:
            responder.refuse = REFUSED_IDENTITY  # the same for both
            raise AuthenticationError("wrong key" if responder.client_id in self.keys else "unknown id")
        return key

    async def _proof(self, transport, responder, connection, key):
        """Returns the Welcome that a valid proof answered."""
        welcome = await connection.welcome(self._store)
        nonce = self._nonces.draw(NONCE_BYTES)
        await transport.send_frame(responder.challenge(key, welcome.epoch, nonce))
        fault = responder.proof(await transport.next_frame())
        if fault:
            raise AuthenticationError(fault)
        return welcome


class _Newcomer:
    """A connection that has not authenticated. The running task serves it."""

    def __init__(self, transport):
        self.transport = transport
        self.address = transport.address
        self.task = asyncio.current_task()
        self.cleared = False  # for a newcomer: the task is cancelled


async def _within(limit, what, awaitable):
    """Returns the result of the awaitable. limit: Timeout. Raises: _TooSlow that names `what`."""
    try:
        return await wait_for_ms(awaitable, limit.left())
    except asyncio.TimeoutError:  # in CPython it is an OSError
        raise _TooSlow("no %s in %d ms" % (what, limit.ms))


class _TooSlow(RemoteProtocolError):
    pass


class _Full(RemoteProtocolError):
    pass


_TOO_MANY = "too many connections without proof"


def _kind(error):
    """Returns the one of events.REFUSALS that the error belongs to."""
    for kind, errors in _KINDS:
        if isinstance(error, errors):
            return kind


_KINDS = (
    ("identity", AuthenticationError),
    ("late", LateProof),
    ("time", _TooSlow),
    ("flood", _Full),
    ("protocol", RemoteProtocolError),
    ("store", LinkError),
    ("gone", (OSError, EOFError)),
)


def _reason(responder, error):
    text = "connection closed in the handshake" if isinstance(error, EOFError) else str(error)
    if responder.state == WELCOME_SENT and not isinstance(error, LinkError):
        text += " before its proof"
    if responder.client_id is None:
        return text
    return "%s (id %r)" % (text, responder.client_id)
