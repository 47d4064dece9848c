"""Accepts TCP connections, and lets a client in once its proof verifies.

Until then a connection costs at most one place of MAX_UNPROVEN, HANDSHAKE_MS
of time, three frames and two HMACs, and changes nothing.
"""

import asyncio
import os

from primitives.platform import wait_for_ms
from protocol.errors import AuthenticationError, LinkError, RemoteProtocolError
from protocol.frame import REFUSED_BUSY, REFUSED_IDENTITY, encode_refused
from protocol.handshake import WELCOME_SENT, Responder
from protocol.limits import HANDSHAKE_MS, NONCE_BYTES, VERSION
from server.transport import Transport

# Connections that have not proved who they are, at the same time.
MAX_UNPROVEN = 64
BACKLOG = 64
# How often the registry is asked for refusals that were not logged.
_LOOK_S = 60


class Listener:
    """Args:
    registry: Registry; keys: dict from id to key; store: see store.py;
    timeout_ms: silence that ends a connection.
    """

    def __init__(self, registry, keys, store, timeout_ms):
        self._registry = registry
        self._keys = keys
        self._store = store
        self._timeout_ms = timeout_ms
        self._unproven = 0
        self._open = []  # transports, proven or not, to be closed at the end

    async def serve(self, host, port):
        """Serve until cancelled; then close every connection."""
        server = await asyncio.start_server(self._accept, host, port, backlog=BACKLOG)
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
        self._open.append(transport)
        try:
            connection = await self._admit(transport)
            if connection is not None:
                await connection.serve(transport)
        except (OSError, EOFError, LinkError) as error:
            self._registry.log("! %s: %s" % (transport.peer, error))
        finally:
            self._open.remove(transport)
            transport.close()
            await transport.wait_closed()

    async def _admit(self, transport):
        """Returns the Connection that the transport has been attached to, or None."""
        if self._unproven >= MAX_UNPROVEN:
            self._registry.refused(transport.peer, "too many connections without proof")
            await transport.send_frame(encode_refused(REFUSED_BUSY, VERSION))
            return None
        self._unproven += 1
        try:
            responder = Responder()
            limit = max(HANDSHAKE_MS, self._timeout_ms)
            connection, welcome = await wait_for_ms(self._handshake(transport, responder), limit)
            if transport.closed:
                return None
            connection.attach(transport, responder, welcome)
        except asyncio.TimeoutError:  # first: in CPython it is an OSError
            self._registry.refused(transport.peer, "no handshake in %d ms" % limit)
            return None
        except (OSError, EOFError, LinkError) as error:
            if transport.closed:
                return None  # not refused: the listener ends
            self._registry.refused(transport.peer, _reason(responder, error))
            if responder.refuse:
                await transport.send_frame(encode_refused(responder.refuse, VERSION))
            return None
        finally:
            self._unproven -= 1
        self._registry.log("= %s connected from %s" % (connection.client_id, transport.peer))
        if connection.client_id not in self._registry.expected:
            print("server: %s is not among the expected clients; served" % connection.client_id)
        self._registry.changed.pulse()
        return connection

    async def _handshake(self, transport, responder):
        """Returns the Connection of the client that this is, proven and loaded, and its Welcome."""
        await transport.expect_preamble()
        fault = responder.hello(await transport.next_frame())
        if fault:
            raise RemoteProtocolError(fault)
        key = self._keys.get(responder.client_id)
        if key is None:
            responder.refuse = REFUSED_IDENTITY
            raise AuthenticationError("unknown id")
        connection = self._registry.get(responder.client_id)
        welcome = await connection.welcome(self._store)
        nonce = os.urandom(NONCE_BYTES)
        await transport.send_frame(responder.challenge(key, welcome.epoch, nonce))
        fault = responder.proof(await transport.next_frame())
        if fault:
            raise AuthenticationError(fault)
        await connection.load(self._store, welcome.owner)
        return connection, welcome


def _reason(responder, error):
    text = "connection closed in the handshake" if isinstance(error, EOFError) else str(error)
    if responder.state == WELCOME_SENT and not responder.refuse:
        text += " before its proof: has the client another key?"
    if responder.client_id is None:
        return text
    return "%s (id %r)" % (text, responder.client_id)
