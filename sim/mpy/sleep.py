"""machine.lightsleep and machine.deepsleep of a pyboard or rp2, as the wire process has them.

A board in light sleep answers on no bus, and gets no interrupt but one of a pin: on a pyboard that wakes it, on an rp2
whose sleep has a time it is lost, for the pins' clock stands. What comes due meanwhile, such as a timer, comes when it
wakes. Its pins keep their levels. Source: ports/stm32/modmachine.c and powerctrl.c, ports/rp2/modmachine.c of
MicroPython 1.25. Other than there, its ticks_ms goes on.
"""

import asyncio
import struct

from sim.mpy import frames

WITHOUT_END = 0xFFFFFFFF  # in place of the milliseconds: until an interrupt of a pin
SAID_FROM_S = 1.0  # a program that sleeps for a shorter time may do so often


class Sleep:
    """The sleep of one board. Args: on_deep(seconds): begins a deep sleep, which ends the program; log(text)."""

    def __init__(self, board, on_deep, log):
        self._board = board
        self._on_deep = on_deep
        self._log = log
        self._asked = None  # the request, in light sleep
        self._timer = None
        self._held = []  # interrupts that come when it wakes
        board.extras[frames.SLEEP] = self._on_frame
        board.sleep = self
        board.bed.on_death.append(self._died)

    @property
    def light(self):
        """Returns whether it is in light sleep."""
        return self._asked is not None

    def interrupt(self, data, of_a_pin):
        """Passes an interrupt on to the program, now or when it wakes. Args: data: its frame."""
        if self._asked is None:
            self._board.link.send(data)
        elif not of_a_pin:
            self._held.append(data)  # one for each timer at most: peripherals.Timer
        elif self._board.kind == "pyboard":
            self._held.append(data)
            self._wake()

    def _on_frame(self, frame):
        """a: 1 for deepsleep. Payload: ms, or WITHOUT_END."""
        (ms,) = struct.unpack("<I", frame.payload)
        seconds = None if ms == WITHOUT_END else ms / 1000
        if seconds is None or seconds >= SAID_FROM_S:
            until = "until an interrupt" if seconds is None else f"for {seconds:g} s"
            self._log(f"{'deepsleep' if frame.a else 'lightsleep'} {until}")
        if frame.a:
            self._on_deep(seconds)
            return
        self._asked = frame
        self._board.leave_buses()
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._wake)

    def _wake(self):
        frame = self._end()
        self._board.join_buses()
        for data in self._held:
            self._board.link.send(data)
        self._held.clear()
        self._board.link.reply(frame)

    def _end(self):
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        frame, self._asked = self._asked, None
        return frame

    def _died(self, board):
        if board is self._board:
            self._end()
            self._held.clear()
