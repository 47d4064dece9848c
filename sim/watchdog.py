"""A board's watchdog timer: `machine.WDT` starts and feeds it; it bites when it was not fed in time."""

import asyncio

from sim import frames


class Watchdog:
    """Args: on_bite(): called once, when the time is over; limit_s: the port's fixed time, None: the program's."""

    def __init__(self, board, on_bite, limit_s=None):
        self._board = board
        self._on_bite = on_bite
        self._fixed_s = limit_s
        self._limit_s = limit_s
        self._fed = None
        self._timer = None
        board.extras[frames.WATCHDOG] = self._on_frame

    def stop(self):
        """The board is reset: only a new `machine.WDT` starts it again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_frame(self, frame):
        loop = asyncio.get_running_loop()
        self._fed = loop.time()
        if frame.a and self._timer is None:
            self._limit_s = self._fixed_s or frame.d / 1000
            self._timer = loop.call_later(self._limit_s, self._watch)
        self._board.link.reply(frame)

    def _watch(self):
        loop = asyncio.get_running_loop()
        left = self._fed + self._limit_s - loop.time()
        if left > 0:
            self._timer = loop.call_later(left, self._watch)
            return
        self._timer = None
        self._on_bite()
