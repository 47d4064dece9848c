"""The door: what it listens at, who comes in, and what a peer may send."""

import asyncio
import errno
import socket

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from remote_i2c.rpc import door
from remote_i2c.rpc.door import MAX_REQUEST, SmbusDoor, check_listen
from remote_i2c.rpc.methods import SMBUS, callers
from remote_i2c.rpc.smbus_pb2 import OpenRequest, Request
from remote_i2c.tls import TLS
from tests.patience import PATIENCE_S
from tests.remote_i2c.rpc.bed import A, bed, failure, run
from tests.remote_i2c.web.relay import Relay

TOKEN = "a-token-of-the-tests"
BEARER = (("authorization", f"Bearer {TOKEN}"),)


@pytest.mark.parametrize(
    ("given", "lacking"),
    [((None, None), "needs a token and TLS"), ((TOKEN, None), "needs TLS"), ((None, TLS(b"", b"")), "needs a token")],
)
def test_beyond_the_loopback_token_and_tls_are_needed(given, lacking):
    with pytest.raises(ValueError, match=lacking) as caught:
        SmbusDoor({}, "0.0.0.0:50051", token=given[0], tls=given[1])
    assert "ssh -L 50051:127.0.0.1:50051" in str(caught.value)
    check_listen("0.0.0.0:50051", TOKEN, TLS(b"", b""))


@pytest.mark.parametrize("token", ["", "short"])
def test_token_that_can_be_guessed_is_refused(token):
    with pytest.raises(ValueError, match="at least 16"):
        SmbusDoor({}, "127.0.0.1:0", token=token)


def test_second_door_at_the_same_address_is_an_error():
    async def scenario(one):
        with pytest.raises(OSError, match="another program"):
            await SmbusDoor({}, one.address).start()

    run(scenario)


def test_health_is_told_and_not_watched():
    async def scenario(one):
        health = health_pb2_grpc.HealthStub(one.channel)
        requests = [health_pb2.HealthCheckRequest(service=name) for name in ("", SMBUS.full_name)]
        states = [(await health.Check(request)).status for request in requests]
        with pytest.raises(grpc.RpcError) as caught:
            async for _ in health.Watch(health_pb2.HealthCheckRequest()):
                pass
        return states, caught.value.code()

    states, code = run(scenario, token=TOKEN)
    assert states == [health_pb2.HealthCheckResponse.SERVING] * 2
    assert code is grpc.StatusCode.UNIMPLEMENTED


def test_services_can_be_asked_for():
    async def scenario(one):
        stub = reflection_pb2_grpc.ServerReflectionStub(one.channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        async for answer in stub.ServerReflectionInfo(iter([request])):
            return {service.name for service in answer.list_services_response.service}

    assert {"pb_link.smbus.v1.SMBus", "SmbusRcp", "grpc.health.v1.Health"} <= run(scenario)


def ask_for_services(one):
    """Returns a stream of reflection that is asked, and stays open."""
    stub = reflection_pb2_grpc.ServerReflectionStub(one.channel)
    return stub.ServerReflectionInfo()


async def ended(stream):
    """Returns the StatusCode with which a stream ends."""
    try:
        while await stream.read() is not grpc.aio.EOF:
            pass
    except grpc.RpcError:
        pass
    return await stream.code()


def test_streams_that_are_kept_open_end_and_leave_room_for_calls(monkeypatch):
    monkeypatch.setattr(door, "REFLECTION_S", 3)
    monkeypatch.setattr(door, "MAX_CALLS", 8)

    async def scenario(one):
        streams = [ask_for_services(one) for _ in range(8)]
        for stream in streams:
            await stream.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        codes = [await ended(stream) for stream in streams]
        return codes, await one.open()

    codes, session = run(scenario)
    assert codes == [grpc.StatusCode.DEADLINE_EXCEEDED] * 8 and session


def test_stream_has_so_many_requests():
    async def scenario(one):
        stub = reflection_pb2_grpc.ServerReflectionStub(one.channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        answers = 0
        try:
            async for _ in stub.ServerReflectionInfo(iter([request] * (door.MAX_REFLECTIONS + 1))):
                answers += 1
        except grpc.RpcError as error:
            return answers, error.code()

    assert run(scenario) == (door.MAX_REFLECTIONS, grpc.StatusCode.RESOURCE_EXHAUSTED)


def option(monkeypatch, name, value):
    """The door has this limit of gRPC for connections, in place of its own."""
    assert name in dict(door._OPTIONS)
    monkeypatch.setattr(door, "_OPTIONS", tuple({**dict(door._OPTIONS), name: value}.items()))


def test_so_many_connections_and_no_more(monkeypatch):
    option(monkeypatch, "grpc.max_allowed_incoming_connections", 4)

    async def scenario(one):
        host, port = one.address.split(":")
        await one.open()
        pairs = [await asyncio.open_connection(host, int(port)) for _ in range(4)]
        while any([not reader.at_eof() for reader, _ in pairs[3:]]):
            await pairs[3][0].read(1000)
        for _, writer in pairs:
            writer.close()
        return await one.open()  # who was there is not disturbed

    assert run(scenario)


@pytest.mark.parametrize("said", [b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"])
def test_connection_that_does_nothing_is_closed(monkeypatch, said):
    option(monkeypatch, "grpc.server_handshake_timeout_ms", 3000)
    option(monkeypatch, "grpc.max_connection_idle_ms", 3000)

    async def scenario(one):
        host, port = one.address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(said)
        while await reader.read(1000):
            pass
        writer.close()
        return await one.open()

    assert run(scenario)


def test_old_connection_is_given_up_and_no_call_fails(monkeypatch):
    option(monkeypatch, "grpc.max_connection_age_ms", 100)

    async def scenario(one):
        async with (
            Relay(("127.0.0.1", one.door.port)) as relay,
            grpc.aio.insecure_channel(f"127.0.0.1:{relay.port}") as channel,
        ):
            rows = callers(channel, SMBUS)
            session = (await rows["Open"](OpenRequest(bus="1"))).session
            while relay.opened < 4:  # three were given up, each in the middle of these calls
                await rows["ReadByte"](Request(session=session, address=A))

    run(scenario)


def test_door_that_cannot_start_leaves_nothing():
    """`run` ends what `start` has begun: gRPC's server, and its threads' work."""
    ended = []

    async def scenario(one):
        second = SmbusDoor({}, one.address)
        close = second.close

        async def closed():
            ended.append(second._server is not None)
            await close()

        second.close = closed
        with pytest.raises(OSError, match="another program"):
            await second.run()

    run(scenario)
    assert ended == [True]


@pytest.mark.parametrize("metadata", [(), (("authorization", "Bearer wrong-token-of-them"),)])
def test_wrong_token_reaches_nothing_and_is_logged_without_it(metadata):
    async def scenario(one):
        codes = [
            await failure(one.rows["Open"](OpenRequest(bus="1"), metadata=metadata)),
            await failure(one.original["ping"](one_of("ping"), metadata=metadata)),
        ]
        await one.rows["Open"](OpenRequest(bus="1"), metadata=BEARER)
        return codes, one.lines

    codes, lines = run(scenario, token=TOKEN)
    assert [(code.name, error.errno) for code, error in codes] == [("UNAUTHENTICATED", errno.EPERM)] * 2
    assert sum("no valid token" in line for line in lines) == 2
    assert not any("wrong-token" in line or TOKEN in line for line in lines)


def one_of(name):
    from remote_i2c.rpc.methods import ORIGINAL, methods

    return methods(ORIGINAL)[name].request()


def test_request_that_is_too_long_is_refused():
    async def scenario(one):
        session = await one.open()
        code, error = await failure(one.rows["WriteByte"](Request(session=session, data=bytes(MAX_REQUEST))))
        await one.rows["WriteByte"](Request(session=session, address=A, value=1))
        return code, error.errno

    assert run(scenario) == (grpc.StatusCode.RESOURCE_EXHAUSTED, errno.EMSGSIZE)


def test_bytes_that_are_no_message_and_methods_that_are_none_fail_alone():
    async def scenario(one):
        raw = one.channel.unary_unary("/pb_link.smbus.v1.SMBus/ReadByte")
        none = one.channel.unary_unary("/pb_link.smbus.v1.SMBus/Erase")
        codes = [(await failure(raw(b"\xff\xff\xff")))[0], (await failure(none(b"")))[0]]
        await one.open()
        return codes

    assert run(scenario)[1] is grpc.StatusCode.UNIMPLEMENTED


def test_peer_that_is_no_client_does_not_disturb():
    async def scenario(one):
        host, port = one.address.split(":")
        for data in (b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 100, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff" * 9):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(data)
            writer.close()
        connections = [socket.create_connection((host, int(port))) for _ in range(20)]
        await one.open()
        for connection in connections:
            connection.close()

    run(scenario)


def test_port_is_free_when_the_door_is_closed():
    async def scenario(one):
        port = one.door.port
        await one.door.close()
        await SmbusDoor({}, f"127.0.0.1:{port}").start()

    run(scenario)


def test_tls_is_served_to_who_trusts_the_certificate(certificate):
    tls, path = certificate

    async def main():
        async with asyncio.timeout(PATIENCE_S), bed(token=TOKEN, tls=tls) as one:
            credentials = grpc.ssl_channel_credentials(path.read_bytes())
            async with grpc.aio.secure_channel(one.address, credentials) as channel:
                reply = await callers(channel, SMBUS)["Open"](OpenRequest(bus="1"), metadata=BEARER)
            code, _ = await failure(one.rows["Open"](OpenRequest(bus="1"), metadata=BEARER))
            return reply.session, code

    session, code = asyncio.run(main())
    assert session and code is grpc.StatusCode.UNAVAILABLE
