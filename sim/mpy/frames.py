"""The wire process's end of a board's link: frames on a socket pair. sim/mpy/boards/link/simlink.py has the format."""

import asyncio

# Board to wire.
PIN_OPEN, PIN_MODE, PIN_WRITE, PIN_READ, PIN_IRQ = 2, 3, 4, 5, 6
I2C_OPEN, I2C_TRANSFER, I2C_PRIMITIVE = 7, 8, 9
TARGET_OPEN, TARGET_CLOSE, TARGET_ANSWER = 10, 11, 12
WATCHDOG, RESET, WLAN, TCP_OPEN, RESET_CAUSE, MEASURED = 13, 14, 15, 16, 17, 19
LWIP = 24  # a: what is asked
ANALOG, PWM, TIMER, TICKED, RTC, SPI, SLEEP = 20, 21, 22, 23, 25, 26, 27
NAME_PORT, MEMORY, ADDRESS_OF = 0, 1, 2
# Wire to board.
REPLY, EDGE, PIECE, MEASURE, TICK = 1, 2, 3, 4, 5

_HEAD = 8


class Frame:
    """One request of a board; `level` tells its nested requests apart."""

    __slots__ = ("kind", "level", "a", "b", "c", "d", "payload")

    def __init__(self, head, payload):
        self.kind = head[0] & 31
        self.level = head[0] >> 5
        self.a, self.b, self.c = head[1], head[4], head[5]
        self.d = head[6] | head[7] << 8
        self.payload = payload


def encode(kind, a=0, b=0, d=0, payload=b""):
    size = len(payload)
    return bytes((kind, a, size & 255, size >> 8, b, 0, d & 255, d >> 8)) + payload


class FrameLink(asyncio.Protocol):
    """Calls `on_frame(frame)` for each frame, and `on_lost()` when the board's process is gone."""

    def __init__(self, on_frame, on_lost):
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._buffer = bytearray()
        self._transport = None

    def connection_made(self, transport):
        self._transport = transport

    def connection_lost(self, exc):
        self._on_lost()

    def data_received(self, data):
        buffer = self._buffer
        buffer += data
        while len(buffer) >= _HEAD:
            size = _HEAD + (buffer[2] | buffer[3] << 8)
            if len(buffer) < size:
                return
            frame = Frame(buffer, bytes(buffer[_HEAD:size]))
            del buffer[:size]
            self._on_frame(frame)

    def send(self, data):
        if not self._transport.is_closing():
            self._transport.write(data)

    def reply(self, frame, value=0, errno=0, payload=b""):
        self.send(encode(REPLY | frame.level << 5, 0, errno, value, payload))

    def close(self):
        self._transport.abort()
