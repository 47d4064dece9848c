"""The door: both services, and those for health and reflection, at one address of TCP.

    door = SmbusDoor({1: shared_bus}, "127.0.0.1:50051")
    await door.run()          # until it is cancelled

Beyond the loopback it wants a token and TLS: the bus is nobody's else, and a token must not be read on its way.
"""

import asyncio

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from remote_i2c.listen import is_loopback, split_listen
from remote_i2c.rpc.access import TokenInterceptor, read_token
from remote_i2c.rpc.log_lines import LISTENING
from remote_i2c.rpc.methods import ORIGINAL, SMBUS
from remote_i2c.rpc.original import original_handlers
from remote_i2c.rpc.service import Buses
from remote_i2c.rpc.sessions import Sessions
from remote_i2c.rpc.smbus_service import smbus_handlers

# Of one request. A batch of 256 block writes has 17 KiB.
MAX_REQUEST = 64 * 1024
# Metadata of a call.
MAX_METADATA = 8 * 1024
# Calls under way at a time, in all and of one connection. More get RESOURCE_EXHAUSTED.
MAX_CALLS = 256
MAX_CALLS_OF_CONNECTION = 64
# More connections are closed at once.
MAX_CONNECTIONS = 128
# A connection without a call is closed after IDLE_MS. After AGE_MS it takes no new calls, which use another, and those
# under way end within AGE_GRACE_MS: also calls whose request never comes.
IDLE_MS = 300_000
AGE_MS = 600_000
AGE_GRACE_MS = 30_000
HANDSHAKE_MS = 10_000
# Of a stream that asks for the services. It is given back then, whoever keeps it.
REFLECTION_S = 10.0
MAX_REFLECTIONS = 64
# Calls under way get so long when the door closes.
GRACE_S = 1.0
# How often sessions are looked at, in parts of their expiry.
_LOOKS = 5

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_REQUEST),
    ("grpc.max_metadata_size", MAX_METADATA),
    ("grpc.absolute_max_metadata_size", MAX_METADATA),
    ("grpc.max_concurrent_streams", MAX_CALLS_OF_CONNECTION),
    ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
    ("grpc.max_connection_idle_ms", IDLE_MS),
    ("grpc.max_connection_age_ms", AGE_MS),
    ("grpc.max_connection_age_grace_ms", AGE_GRACE_MS),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
    ("grpc.so_reuseport", 0),  # a second door at the same port is an error
    ("grpc.keepalive_time_ms", 20_000),  # a client whose computer has gone is noticed
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 2_000),  # clients may ask whether the connection is alive
)


class SmbusDoor:
    """Args: buses: {int or str: SharedBus}; one that is not open yet is opened by its first session; listen:
    "HOST:PORT", port 0 for any; token: str of access.read_token, or None; tls: TLS of ../tls.py, or None; log: function
    (event, **details), see log_lines.py, or None; limits: of Sessions, expiry_s among them.

    Raises: ValueError: not these together."""

    def __init__(self, buses, listen, *, token=None, tls=None, log=None, **limits):
        check_listen(listen, token, tls)
        if token is not None:
            read_token(token)
        self.port = None  # once it has started
        self._buses = buses
        self._listen = listen
        self._token = token
        self._tls = tls
        self._log = log
        self._sessions = Sessions(**limits)
        self.service = None
        self._server = None

    async def run(self):
        """Serve until it is cancelled. Raises: OSError: the address cannot be used."""
        try:
            await self.start()
            await self.keep()
        finally:
            await self.close()

    async def keep(self):
        """End sessions that nobody uses, until it is cancelled; `run` does it."""
        while True:
            await asyncio.sleep(self._sessions.expiry_s / _LOOKS)
            self.service.expire()

    async def start(self):
        """Begin to serve; `run` does it. Raises: OSError."""
        self.service = Buses(self._buses, self._sessions, self._log)
        interceptors = [TokenInterceptor(self._token, self._refused)] if self._token else []
        self._server = grpc.aio.server(
            interceptors=interceptors, options=_OPTIONS, maximum_concurrent_rpcs=MAX_CALLS
        )  # fmt: skip
        self._server.add_generic_rpc_handlers((smbus_handlers(self.service), original_handlers(self.service)))
        await self._add_health()
        names = [SMBUS.full_name, ORIGINAL.full_name, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name]
        servicer = _Reflection([*names, reflection.SERVICE_NAME])
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, self._server)
        self.port = self._bind()
        await self._server.start()
        self.service.log(LISTENING, address=f"{self._listen.rpartition(':')[0]}:{self.port}")

    async def close(self):
        """Refuse new calls, and end those under way."""
        # gRPC's server must go before the loop does, or the interpreter ends with "Error in sys.excepthook".
        server, self._server = self._server, None
        if server is not None:
            await server.stop(GRACE_S)

    def metrics(self):
        """Returns (name, type, help, value) of what it counts; the names are without that of the gateway."""
        service = self.service
        calls, refused, sessions = (service.calls, service.refused, len(self._sessions)) if service else (0, 0, 0)
        return [
            ("smbus_sessions", "gauge", "Sessions of SMBus over gRPC", sessions),
            ("smbus_calls_total", "counter", "Calls by SMBus over gRPC", calls),
            ("smbus_refused_total", "counter", "Wrong tokens; calls and sessions that are refused", refused),
        ]  # fmt: skip

    def _bind(self):
        try:
            if self._tls is None:
                return self._server.add_insecure_port(self._listen)
            pair = (self._tls.key, self._tls.certificate)
            return self._server.add_secure_port(self._listen, grpc.ssl_server_credentials([pair]))
        except RuntimeError as error:
            raise OSError(None, f"{self._listen} cannot be used: is another program there? ({error})") from None

    async def _add_health(self):
        servicer = _Health()
        for name in ("", SMBUS.full_name, ORIGINAL.full_name):
            await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, self._server)

    def _refused(self, peer, path):
        self.service.refuse(reason="no valid token", path=path[:80], peer=peer)


class _Health(health.HealthServicer):
    """Answers Check. A Watch would be a stream without an end, which gRPC for Python does not give back when it is cut:
    its users ask again."""

    async def Watch(self, request, context):
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "ask again: there is only Check")
        yield  # what makes it a stream


class _Reflection(reflection.aio.ReflectionServicer):
    """Answers which services there are, in streams that end: MAX_REFLECTIONS, and REFLECTION_S, at most."""

    async def ServerReflectionInfo(self, request_iterator, context):
        try:
            async with asyncio.timeout(REFLECTION_S):
                for _ in range(MAX_REFLECTIONS):
                    request = await context.read()
                    if request is grpc.aio.EOF:
                        return
                    async for answer in super().ServerReflectionInfo(_alone(request), context):
                        await context.write(answer)
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, f"a stream has {REFLECTION_S:g} s: begin another")
        await context.abort(
            grpc.StatusCode.RESOURCE_EXHAUSTED, f"a stream has {MAX_REFLECTIONS} requests: begin another"
        )


async def _alone(request):
    yield request


def check_listen(listen, token, tls):
    """Raises: ValueError: this address must not be listened at without a token and TLS."""
    host, port = split_listen(listen)
    if is_loopback(host):
        return
    lacking = " and ".join([what for what, given in (("a token", token), ("TLS", tls)) if not given])
    if lacking:
        raise ValueError(
            f"listen {listen} can be reached from elsewhere, and needs {lacking}: give token and TLS, or listen at "
            f"127.0.0.1:{port} and come by ssh -L {port}:127.0.0.1:{port}"
        )
