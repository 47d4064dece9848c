"""The gateway for clients of the original micropython-iot, which connect to the server's port and have no key."""

from protocol.errors import AuthenticationError, RemoteProtocolError
from protocol.limits import MAX_ID
from server.gateways import interface
from server.gateways.micropython_iot.adapter import Client, read_line


class Gateway(interface.Gateway):
    """The gateway to the clients that are served without a key. A client that has got a key is not served here."""

    def __init__(self, settings, host):
        super().__init__(settings, host)
        self._clients = {
            client_id: Client(client_id, host.registry, host.store, host.timeout_ms)
            for client_id in settings.allow_legacy
        }
        host.take_connections(self.admit)

    async def admit(self, transport, first):
        """Returns the Client of a connection. first: the bytes read so far. Raises: RemoteProtocolError."""
        name = first if first.endswith(b"\n") else first + await read_line(transport.reader)
        client = self._clients.get(name[: MAX_ID + 1].decode(errors="surrogateescape").rstrip("\n"))
        if client is None or self.host.has_key(client.client_id):
            raise AuthenticationError("no pb_link client, and none that is allowed without a key")
        if client.served:
            raise RemoteProtocolError("%s is connected already" % client.client_id)
        client.served = True
        return client
