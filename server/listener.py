"""Accepts TCP connections, and lets a client in once its proof verifies.

Until then a connection costs at most one place of MAX_UNPROVEN, HELLO_MS and
HANDSHAKE_MS of time, three frames and two HMACs, and changes nothing. Those
who say nothing keep nobody out: when all places are taken, they give way.
"""

import asyncio
import os

from primitives.platform import wait_for_ms
from protocol.errors import AuthenticationError, LinkError, RemoteProtocolError
from protocol.frame import REFUSED_BUSY, REFUSED_IDENTITY, encode_refused
from protocol.framing import PREAMBLE
from protocol.handshake import WELCOME_SENT, Responder
from protocol.limits import HANDSHAKE_MS, NONCE_BYTES, VERSION
from server.keys import Keys
from server.transport import Transport

# Connections that have not proved who they are, at the same time.
MAX_UNPROVEN = 64
# Preamble and HELLO come by then: the client sends them as soon as it has the
# connection. The rest of the handshake has HANDSHAKE_MS.
HELLO_MS = 2000
BACKLOG = 64
# How often the registry is asked for refusals that were not logged.
_LOOK_S = 60


class Listener:
    """Args:
    registry: Registry; keys: Keys, or a dict from id to key; store: see store.py;
    timeout_ms: silence that ends a connection; guard: see guard.py, or None.
    """

    def __init__(self, registry, keys, store, timeout_ms, guard=None):
        self._registry = registry
        self._keys = keys if isinstance(keys, Keys) else Keys(keys)
        self._guard = guard
        self.legacy = None  # see legacy.py: who serves those that do not begin with our preamble
        self._store = store
        self._timeout_ms = timeout_ms
        self._unproven = []  # places taken, oldest first
        self._open = []  # transports, proven or not, to be closed at the end

    async def serve(self, host, port):
        """Serve until cancelled; then close every connection."""
        server = await asyncio.start_server(self._accept, host, port, backlog=BACKLOG)
        self._registry.tell("listening", host=host, port=port)
        try:
            while True:
                await asyncio.sleep(_LOOK_S)
                self._registry.end_period()
        finally:
            server.close()
            self._registry.close_all()
            for transport in self._open:
                transport.close()

    async def _accept(self, reader, writer):
        transport = Transport(reader, writer, self._timeout_ms)
        if self._guard is not None and self._guard.keeps_out(transport.address):
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

    async def _serve(self, connection, transport):
        why = "closed by the server"
        try:
            await connection.serve(transport)
        except (OSError, EOFError, LinkError) as error:
            why = str(error)
            self._registry.log("! %s: %s" % (transport.peer, why))
        finally:
            self._registry.tell("disconnected", connection.client_id, peer=transport.peer, reason=why)

    async def _admit(self, transport):
        """Returns the Connection that the transport has been attached to, or None."""
        place = self._take_place(transport)
        responder = Responder()
        try:
            connection = await self._maybe_legacy(transport)
            if connection is None:
                connection, welcome = await self._handshake(place, responder)
                if transport.closed:
                    return None
                connection.attach(transport, responder, welcome)
        except asyncio.CancelledError:
            if not place.cleared:
                raise
            return None
        except (OSError, EOFError, LinkError) as error:
            if transport.closed:
                return None  # not refused: the listener ends
            if self._guard is not None and isinstance(error, (AuthenticationError, EOFError)):
                self._guard.failed(transport.address)
            self._leave_place(place)
            self._registry.refused(transport.peer, _reason(responder, error))
            if responder.refuse:
                await transport.send_frame(encode_refused(responder.refuse, VERSION))
            return None
        finally:
            self._leave_place(place)
        if self._guard is not None:
            self._guard.succeeded(transport.address)
        client_id = connection.client_id
        expected = client_id in self._registry.expected
        self._registry.log("= %s connected from %s" % (client_id, transport.peer))
        self._registry.tell("connected", client_id, peer=transport.peer, expected=expected)
        if not expected:
            self._registry.say("%s is not among the expected clients; served" % client_id)
        self._registry.changed.pulse()
        return connection

    async def _maybe_legacy(self, transport):
        """Returns the LegacyClient that this is, or None for a client of ours."""
        if self.legacy is None:
            return None
        first = await _within(HELLO_MS, "first byte", transport.first_byte())
        if first == PREAMBLE[:1]:
            return None
        return await _within(HELLO_MS, "id", self.legacy.admit(transport, first))

    def _take_place(self, transport):
        """Returns the newcomer's place. If there is none left, the oldest connection
        that has not said HELLO gives way, or else the oldest."""
        if len(self._unproven) >= MAX_UNPROVEN:
            silent = [place for place in self._unproven if not place.greeted]
            self._clear((silent or self._unproven)[0])
        place = _Place(transport)
        self._unproven.append(place)
        return place

    def _leave_place(self, place):
        if place in self._unproven:
            self._unproven.remove(place)

    def _clear(self, place):
        place.cleared = True
        self._unproven.remove(place)
        self._registry.refused(place.transport.peer, "too many connections without proof")
        place.transport.dismiss(encode_refused(REFUSED_BUSY, VERSION))
        place.task.cancel()

    async def _handshake(self, place, responder):
        """Returns the Connection of the client that this is, proven and loaded, and its Welcome."""
        transport = place.transport
        key = await _within(HELLO_MS, "HELLO", self._hello(transport, responder))
        place.greeted = True
        connection = self._registry.get(responder.client_id)
        proof = self._proof(transport, responder, connection, key)
        try:
            welcome = await _within(HANDSHAKE_MS, "PROOF", proof)
        except (OSError, EOFError, LinkError):
            self._keys.failed(responder.client_id)
            raise
        self._keys.proved(responder.client_id, key)
        self._leave_place(place)
        await _within(HANDSHAKE_MS, "answer of the store", connection.load(self._store, welcome.owner))
        return connection, welcome

    async def _hello(self, transport, responder):
        """Returns the key of the client that somebody says to be."""
        await transport.expect_preamble()
        fault = responder.hello(await transport.next_frame())
        if fault:
            raise RemoteProtocolError(fault)
        key = self._keys.choose(responder.client_id)
        if key is None:
            responder.refuse = REFUSED_IDENTITY
            raise AuthenticationError("unknown id")
        return key

    async def _proof(self, transport, responder, connection, key):
        """Returns the Welcome whose answer was the right proof."""
        welcome = await connection.welcome(self._store)
        nonce = os.urandom(NONCE_BYTES)
        await transport.send_frame(responder.challenge(key, welcome.epoch, nonce))
        fault = responder.proof(await transport.next_frame())
        if fault:
            raise AuthenticationError(fault)
        return welcome


class _Place:
    """One of MAX_UNPROVEN, for the connection that the running task serves."""

    def __init__(self, transport):
        self.transport = transport
        self.task = asyncio.current_task()
        self.greeted = False  # it has sent a HELLO of a client that has a key
        self.cleared = False  # for a newcomer: the task is cancelled


async def _within(limit_ms, what, awaitable):
    try:
        return await wait_for_ms(awaitable, limit_ms)
    except asyncio.TimeoutError:  # in CPython it is an OSError
        raise RemoteProtocolError("no %s in %d ms" % (what, limit_ms))


def _reason(responder, error):
    text = "connection closed in the handshake" if isinstance(error, EOFError) else str(error)
    if responder.state == WELCOME_SENT and not isinstance(error, LinkError):
        text += " before its proof: has the client another key?"
    if responder.client_id is None:
        return text
    return "%s (id %r)" % (text, responder.client_id)
