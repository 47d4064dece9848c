"""A door that runs in the test's loop, with a bus in RAM, and a page's end of it in Python."""

import asyncio
import contextlib
from struct import pack, unpack

from websockets.asyncio.client import connect

from remote_i2c.shared import SharedBus
from remote_i2c.web import frames
from remote_i2c.web.calls import NAMES
from remote_i2c.web.door import WebDoor
from remote_i2c.web.session import Limits
from tests.patience import PATIENCE_S
from tests.remote_i2c.fake_bus import FakeBus

TOKEN = "a token of more than 16"
ADDRESSES = range(0x20, 0x60)


def fake_bus():
    """Returns a FakeBus with a device at 0x48 whose registers hold their numbers, and one at 0x50 of zeros."""
    return FakeBus({0x48: bytearray(range(256)), 0x50: bytearray(256)})


def patient(**limits):
    """Returns Limits whose times are long, but for those that are given: a loaded machine is no fault."""
    long_ms = 1000 * PATIENCE_S
    return Limits(**{"hello_ms": long_ms, "call_ms": long_ms, "send_ms": long_ms, "ping_ms": long_ms, **limits})


@contextlib.asynccontextmanager
async def opened_door(bus=None, addresses=ADDRESSES, **options):
    """Gives a WebDoor that listens, at any free port. bus: of port 1, or a dict of name -> SharedBus."""
    buses = bus if isinstance(bus, dict) else {"1": SharedBus(bus or fake_bus(), addresses)}
    door = WebDoor(buses, **{"listen": "127.0.0.1:0", "limits": patient(), **options})
    running = asyncio.create_task(door.run())
    waiting = asyncio.create_task(door.ready.wait())
    try:
        await asyncio.wait([running, waiting], timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        yield door
    finally:
        waiting.cancel()
        running.cancel()
        await asyncio.wait([running], timeout=PATIENCE_S)


def base_of(door, which=0, scheme="http"):
    host, port = door.addresses[which]
    return f"{scheme}://{host}:{port}"


@contextlib.asynccontextmanager
async def opened_page(door, token="", which=0, path="/i2c", hello=True, **options):
    """Gives a Page. hello: it says one and has been welcomed."""
    async with asyncio.timeout(PATIENCE_S):
        socket = await connect(base_of(door, which, "ws") + path, open_timeout=None, proxy=None, **options)
    page = Page(socket)
    try:
        if hello:
            await socket.send(bytes((frames.HELLO, frames.VERSION)) + token.encode())
            page.welcome = await page.receive()
        yield page
    finally:
        await socket.close()


class Page:
    """The page's end of one WebSocket, with the bytes as docs/remote-i2c.md has them."""

    def __init__(self, socket):
        self.socket = socket
        self.welcome = None

    async def send(self, *parts):
        await self.socket.send(b"".join(parts))

    async def receive(self):
        async with asyncio.timeout(PATIENCE_S):
            return await self.socket.recv()

    async def closed(self):
        """Returns (code, reason) with which the door has closed it."""
        async with asyncio.timeout(PATIENCE_S):
            await self.socket.wait_closed()
        return self.socket.close_code, self.socket.close_reason

    async def answer(self):
        """Returns (id, bytes), or (id, name of the error, code, text)."""
        data = await self.receive()
        (id,) = unpack(">I", data[1:5])
        if data[0] == frames.DONE:
            return id, data[5:]
        assert data[0] == frames.FAILED
        end = 8 + data[7]
        return id, NAMES[data[5]], data[8:end].decode(), data[end:].decode()


def written(id, address, data, port=1):
    return pack(">BIHB", 0x10, id, port, address) + bytes(data)


def read(id, address, size, port=1):
    return pack(">BIHBH", 0x11, id, port, address, size)


def write_read(id, address, data, size, port=1):
    return pack(">BIHBH", 0x12, id, port, address, size) + bytes(data)


def probed(id, address, port=1):
    return pack(">BIHB", 0x13, id, port, address)
