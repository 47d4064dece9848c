"""A board that sends back what it gets over a stream: for test_i2c_devices.py, with echo_controller.py on another."""

import asyncio

from machine import I2CTarget

from i2c_devices.ports import TargetPort
from i2c_devices.stream_target import StreamTarget


async def main():
    stream = StreamTarget(TargetPort(I2CTarget, "X", addr=0x2D), rxbuf=512, txbuf=512)
    stream.open()
    reader, writer = asyncio.StreamReader(stream), asyncio.StreamWriter(stream, {})
    while True:
        writer.write(await reader.read(200))
        await writer.drain()


asyncio.run(main())
