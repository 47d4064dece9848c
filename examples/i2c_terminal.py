"""A terminal for examples/i2c_repl.py, on another board: what is typed goes there, what that board prints comes here.

With arguments it types these lines, each after a prompt, and ends. Pyboard: scl X9, sda X10, pulled up.
It is run with `mpremote run examples/i2c_terminal.py`.
"""

import asyncio
import sys

from machine import I2C

from i2c_devices.stream_controller import StreamController

ADDRESS = 0x2B
PROMPT = ">>> "


def decode(data):
    """Returns the text of the bytes, and those of a last character that is not whole yet."""
    for end in range(len(data), max(len(data) - 4, 0), -1):
        try:
            return data[:end].decode(), data[end:]
        except UnicodeError:
            pass  # a character of UTF-8 has up to 4 bytes
    return "?" * len(data), b""


class Screen:
    """Prints what comes, and knows when the other board waits for a line."""

    def __init__(self, stream):
        self._stream = stream
        self._rest = b""
        self._tail = ""
        self.prompt = asyncio.Event()

    async def show(self):
        while True:
            try:
                await self._stream.readable()
                text, self._rest = decode(self._rest + self._stream.read())
            except OSError:
                text = "\n[the other board has begun anew]\n"
            sys.stdout.write(text.replace("\r", ""))
            self._tail = (self._tail + text)[-len(PROMPT) :]
            if self._tail == PROMPT:
                self.prompt.set()


async def type_in(stream, text):
    data = text.encode()
    while data:
        try:
            data = data[stream.write(data) or 0 :]
        except OSError:
            return  # the screen says it
        await asyncio.sleep_ms(1)


async def keyboard(stream):
    keys = asyncio.StreamReader(sys.stdin)
    while key := await keys.read(1):
        await type_in(stream, key.replace("\n", "\r"))


async def script(stream, screen, lines):
    for line in lines:
        await screen.prompt.wait()
        screen.prompt.clear()
        await type_in(stream, line + "\r")
    await screen.prompt.wait()


async def main():
    stream = StreamController(I2C("X", freq=400000), ADDRESS)
    screen = Screen(stream)
    task = asyncio.create_task(screen.show())
    if len(sys.argv) > 1:
        await script(stream, screen, sys.argv[1:])
    else:
        await keyboard(stream)
    task.cancel()


asyncio.run(main())
