"""Carrier: what has come in front of bytes that end the connection. test_connection.py has the rest."""

import asyncio

import pytest

from primitives.platform import ticks_ms
from protocol.framing import MAX_FRAME
from server import client_conn
from tests.server.all_stores import STORES
from tests.server.peer import Client, Service, within


def spoilt(frame):
    return frame[:-1] + bytes((frame[-1] ^ 1,))


def too_long(frame):
    return b"\xff\xff" + frame


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("damage", [spoilt, too_long])
def test_line_before_a_bad_frame_in_one_segment_is_delivered_without_another_connection(store, damage):
    async def main():
        async with Service(store=store()) as service:
            client = Client(service.port)
            await within(client.connect())
            conn = await within(client_conn(client.client_id))
            frames = []
            for line in (b"good", b"bad"):
                client.session.append(line, True)
                buf = bytearray(MAX_FRAME)
                frames.append(bytes(buf[: client.session.encode_into(buf, 0, ticks_ms())]))
            reading = asyncio.create_task(anext(conn.lines()))  # it waits: no later call asks for what has come
            await asyncio.sleep(0)
            client._send(frames[0] + damage(frames[1]))
            await client.ended()
            assert await within(reading) == "good\n"

    asyncio.run(main())
