"""A board's watchdog timer: `machine.WDT` starts and feeds it; it resets the board if it was not fed in time."""

import asyncio

from sim.mpy import frames
from sim.wires.chip import bite_at


class Watchdog:
    """The timer of one board. Args: on_bite(): called once, when the time is over; tick_s: period of the port's own
    timer, which resets at its second tick since it was fed; None: the program sets the time."""

    def __init__(self, board, on_bite, tick_s=None):
        self._board = board
        self._on_bite = on_bite
        self._tick_s = tick_s
        self._limit_s = None
        self._fed = None
        self._timer = None
        board.extras[frames.WATCHDOG] = self._on_frame

    def stop(self):
        """Stops the timer at a reset of the board: only a new `machine.WDT` starts it again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_frame(self, frame):
        loop = asyncio.get_running_loop()
        self._fed = loop.time()
        if frame.a and self._timer is None:
            self._limit_s = frame.d / 1000
            self._timer = loop.call_at(self._due(), self._watch)
        self._board.link.reply(frame)

    def _due(self):
        return bite_at(self._fed, self._tick_s) if self._tick_s else self._fed + self._limit_s

    def _watch(self):
        loop = asyncio.get_running_loop()
        due = self._due()
        if due > loop.time():
            self._timer = loop.call_at(due, self._watch)
            return
        self._timer = None
        self._on_bite()
