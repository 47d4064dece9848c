"""An I2C target in a board's process, seen from the wire: pieces of transfers go there and answers come back."""

import asyncio
import struct

from sim.mpy import frames, i2c_drive
from sim.wires.on_board.i2c_target import READ
from sim.wires.pieces import Answer

# A target's process may compute, or wait for the operating system. This only delays the wire. After this time the
# controller gets an error.
TARGET_PATIENCE_S = 10


class BoardTarget:
    """The target as the bus sees it. Args: board; id: the peripheral's number, which the board's process uses for
    it."""

    def __init__(self, board, id):
        self._board = board
        self._id = id
        self._waiting = []

    def _send(self, piece):
        size = piece.size if piece.flags & READ else len(piece.data)
        payload = struct.pack("<I", int(piece.limit_us)) + piece.data
        self._board.link.send(frames.encode(frames.PIECE, self._id, piece.flags, size, payload))

    async def ask(self, piece):
        if not self._board.alive:
            return i2c_drive.VANISHED
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._send(piece)
        try:
            async with asyncio.timeout(TARGET_PATIENCE_S):
                return await answer
        except asyncio.TimeoutError:
            return i2c_drive.VANISHED

    def ask_later(self, piece):
        """Asks without waiting for the answer."""
        if self._board.alive:
            self._waiting.append(asyncio.get_running_loop().create_future())
            self._send(piece)

    def answered(self, frame):
        answer = self._waiting.pop(0)
        if not answer.done():
            held_us = struct.unpack_from("<I", frame.payload)[0]
            answer.set_result(Answer(bool(frame.b), frame.d, held_us, frame.payload[4:]))

    def vanish(self):
        for answer in self._waiting:
            if not answer.done():
                answer.set_result(i2c_drive.VANISHED)
        self._waiting.clear()
