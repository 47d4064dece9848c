"""A door in the loop of a test, and calls of its services without our client."""

import asyncio
from contextlib import asynccontextmanager

import grpc

from remote_i2c.addresses import ORDINARY
from remote_i2c.rpc.door import SmbusDoor
from remote_i2c.rpc.log_lines import line_of
from remote_i2c.rpc.methods import ORIGINAL, SMBUS, callers
from remote_i2c.rpc.smbus_pb2 import OpenRequest
from remote_i2c.rpc.status import error_of
from remote_i2c.shared import SharedBus
from tests.patience import PATIENCE_S
from tests.remote_i2c.fake_bus import FakeBus

A = 0x48


class Bed:
    """door; bus: FakeBus; channel, rows, original: {name: call}; lines: the log."""

    async def open(self):
        """Returns the id of a new session."""
        return (await self.rows["Open"](OpenRequest(bus="1"))).session


@asynccontextmanager
async def bed(*, addresses=ORDINARY, shared=None, **limits):
    """A Bed that ends with the block."""
    one = Bed()
    one.lines = []
    one.bus = FakeBus({A: bytearray(range(256))})
    one.shared = SharedBus(one.bus, addresses, **shared or {})
    log = lambda event, **details: one.lines.append(line_of(event, **details))
    one.door = SmbusDoor({1: one.shared, "mast": one.shared}, "127.0.0.1:0", log=log, **limits)
    await one.door.start()
    running = asyncio.create_task(one.door.keep())
    try:
        one.address = f"127.0.0.1:{one.door.port}"
        async with grpc.aio.insecure_channel(one.address) as one.channel:
            one.rows, one.original = callers(one.channel, SMBUS), callers(one.channel, ORIGINAL)
            yield one
    finally:
        running.cancel()
        await one.door.close()


def run(scenario, **settings):
    """Run scenario(bed). Returns what it returns."""

    async def main():
        async with asyncio.timeout(PATIENCE_S), bed(**settings) as one:
            return await scenario(one)

    return asyncio.run(main())


async def failure(call):
    """Returns (StatusCode, BusError) of a call that fails."""
    try:
        reply = await call
    except grpc.RpcError as error:
        return error.code(), error_of(error)
    raise AssertionError(f"it did not fail: {reply}")
