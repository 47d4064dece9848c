"""GrpcBus: a bus at the other end of SMBus over gRPC, as a Bus. `pb-link i2c` uses it."""

import asyncio

from remote_i2c.bus import TRANSFER_MS, Bus
from remote_i2c.errors import LINK, timed_out, unsupported
from remote_i2c.smbus import pec_of
from remote_i2c.smbus_client.aio import AsyncSMBus
from remote_i2c.smbus_client.messages import i2c_msg


class GrpcBus(Bus):
    """Args: url: "grpc://HOST:PORT/BUS", and token: str, or None: see target.py.

    Raises: ValueError, OSError: it names no bus."""

    def __init__(self, url, token=None):
        self.name = url
        self._bus = AsyncSMBus(url, token=token)

    async def open(self):
        """As Bus.open."""
        await self._bus.open()
        self.functions = int(self._bus.funcs)

    async def close(self):
        """As Bus.close."""
        await self._bus.close()

    async def transfer(self, transfer, timeout_ms=TRANSFER_MS):
        """As Bus.transfer. What the target counts can be read alone, behind one byte, as SMBus does."""
        self.check(transfer)
        if any(message.counted for message in transfer):
            return [await self._in_time(self._block(transfer), timeout_ms)]
        messages = [
            i2c_msg.read(one.address, one.size) if one.reads else i2c_msg.write(one.address, one.data)
            for one in transfer
        ]
        await self._in_time(self._bus.i2c_rdwr(*messages), timeout_ms)
        return [bytes(made) for one, made in zip(transfer, messages, strict=True) if one.reads]

    async def quick(self, address, read, timeout_ms=TRANSFER_MS):
        """As Bus.quick, of a write."""
        if read:
            raise unsupported("SMBus over gRPC sends an address alone only for a write", address).at(self.name)
        await self._in_time(self._bus.write_quick(address), timeout_ms)

    async def _block(self, transfer):
        first, last = transfer[0], transfer[-1]
        fits = len(transfer) == 2 and first.data is not None and len(first.data) == 1 and last.size in (0, 1)
        if not fits or first.address != last.address:
            raise unsupported("SMBus over gRPC reads what the device counts behind one byte alone").at(self.name)
        self._bus.pec = last.size  # the server has checked it
        try:
            data = bytes(await self._bus.read_block_data(first.address, first.data[0]))
        finally:
            self._bus.pec = 0
        block = bytes((len(data),)) + data
        address = first.address << 1
        return block + bytes((pec_of(bytes((address,)) + first.data + bytes((address | 1,)) + block),) * last.size)

    async def _in_time(self, call, timeout_ms):
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                return await call
        except TimeoutError:
            raise timed_out(LINK, f"the server has not answered within {timeout_ms} ms").at(self.name)
