"""A stream device used like a UART, with asyncio's streams: a thermometer that answers to lines.

`pb-link sim board examples/i2c_uart.py`. Both ends are on one board here, joined by two wires; on two boards each
has its half of this file.
"""

import asyncio

from machine import I2CTarget, Pin, SoftI2C

from i2c_devices.ports import TargetPort
from i2c_devices.stream_controller import StreamController
from i2c_devices.stream_target import StreamTarget

WIRES = [("X1", "X9"), ("X2", "X10")]  # scl, sda
ADDRESS = 0x2C


async def thermometer():
    """The target: nothing in it knows of I2C but the first two lines."""
    uart = StreamTarget(TargetPort(I2CTarget, "X", addr=ADDRESS), rxbuf=64, txbuf=64)
    uart.open()
    reader, writer = asyncio.StreamReader(uart), asyncio.StreamWriter(uart, {})
    celsius = 20
    while True:
        line = (await reader.readline()).decode().strip()
        if line == "read?":
            writer.write("%d C\n" % celsius)
        elif line.startswith("heat "):
            celsius += int(line[5:])
            writer.write("ok\n")
        else:
            writer.write("what?\n")
        await writer.drain()


async def ask(stream, line):
    """The controller: sends a line, returns the answer."""
    data = line.encode() + b"\n"
    while data:
        await stream.writable()
        data = data[stream.write(data) or 0 :]  # what there is room for
    answer = b""
    while not answer.endswith(b"\n"):
        await stream.readable()
        answer += stream.readline()
    return answer.decode().strip()


async def main():
    task = asyncio.create_task(thermometer())
    stream = StreamController(SoftI2C("X1", "X2", freq=400000), ADDRESS)
    for pin in ("X1", "X2"):
        Pin(pin, Pin.OPEN_DRAIN, Pin.PULL_UP)  # weak, enough for wires of a few centimetres
    for line in ("read?", "heat 5", "read?", "shine"):
        print(line, "->", await ask(stream, line))
    task.cancel()


asyncio.run(main())
