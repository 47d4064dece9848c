"""What an application gives to a channel, as the protocol and the store take it."""

import asyncio
import time

import pytest

from protocol.channel_records import DROPPED, EXPIRES, MAX_TTL_MS, REQUEST
from protocol.errors import LinkDown, LocalProtocolError, RequestTimeout
from server.core.clock import utc_ms
from server.core.message import Message
from server.core.outgoing import bytes_of, of_protocol, ttl_of
from server.core.registry import Registry
from tests.server.all_stores import TemporaryStore
from tests.server.core.test_requests import joined, run, waiting
from tests.server.peer import until, within


def test_bytes_of_what_can_be_sent():
    for data in (b"ab", bytearray(b"ab"), memoryview(b"ab"), "ab"):
        assert bytes_of(data) == b"ab"
    with pytest.raises(TypeError, match="not int"):
        bytes_of(5)


def test_limits_of_time():
    assert ttl_of(None) is None and ttl_of(MAX_TTL_MS) == MAX_TTL_MS
    for ttl_ms, kind in ((0, ValueError), (MAX_TTL_MS + 1, ValueError), ("1", TypeError)):
        with pytest.raises(kind):
            ttl_of(ttl_ms)


def test_message_of_the_store_as_the_protocol_takes_it():
    assert of_protocol(Message(20, 0, 0, b"data")) == (b"data", True, 0, None)
    assert of_protocol(Message(20, DROPPED, 7, b"")) == (b"", True, DROPPED, None)
    data, numbered, kind, _ = of_protocol(Message(20, REQUEST, utc_ms() + 50, b"name"))
    assert (data, numbered, kind) == (bytes(2) + b"name", True, REQUEST | EXPIRES)


def test_request_before_a_server_runs_ends_in_its_time():
    async def main():
        conn, began = Registry().get("a"), time.monotonic()
        with pytest.raises(LinkDown):
            await conn.request(20, b"", 5000, wait=False)
        with pytest.raises(RequestTimeout):
            await within(conn.request(20, b"", 50))
        assert time.monotonic() - began > 0.04

    asyncio.run(main())


def test_requests_on_a_channel_that_a_gateway_reads_are_refused():
    async def main():
        registry = Registry()
        registry.readers.reserve("mqtt", None, (20,))
        conn = registry.get("a")
        with pytest.raises(LocalProtocolError, match="channel 20"):
            conn.on_request(20, len)
        with pytest.raises(LocalProtocolError, match="channel 20"):
            await conn.request(20, b"", 50)
        conn.on_request(21, len)

    asyncio.run(main())


def test_answer_is_put_before_the_request_is_removed_without_waiting_for_it():
    async def main(service):
        client, conn = await joined(service)
        client.mute = {20}
        free, ran = asyncio.Event(), []

        async def handler(data):
            ran.append(data)
            await free.wait()

        conn.on_request(20, handler)
        client.ask(1)
        await until(lambda: ran, "the handler")
        before, calls = service.store.commits, []
        for name in ("put", "remove"):
            setattr(service.store, name, noting(calls, name, getattr(service.store, name)))
        free.set()
        await until(lambda: client.open(20).received, "the answer")
        await until(lambda: not waiting(service), "the removal")
        assert calls == ["put begins", "remove begins", "put ends", "remove ends"]
        assert service.store.commits <= before + 2

    run(main, TemporaryStore)


def noting(calls, name, function):
    async def noted(*args):
        calls.append(name + " begins")
        found = await function(*args)
        calls.append(name + " ends")
        return found

    return noted
