"""The other board of echo_device.py: sends bytes and compares what comes back."""

import asyncio

from machine import I2C

from i2c_devices.stream_controller import StreamController

SIZE = 20000


async def give(stream, data):
    sent = 0
    while sent < len(data):
        await stream.writable()
        sent += stream.write(data[sent : sent + 300]) or 0
    await stream.drain()


async def main():
    stream = StreamController(I2C("X", freq=400000), 0x2D, interval_ms=2)
    data = bytes(i * 31 + (i >> 8) & 0xFF for i in range(SIZE))
    task = asyncio.create_task(give(stream, data))
    got = 0
    while got < SIZE:
        await stream.readable()
        part = stream.read()
        assert part == data[got : got + len(part)], got
        got += len(part)
    await task
    print("echoed", got, "resets", stream.resets, "failures", min(stream.failures, 1))


asyncio.run(main())
