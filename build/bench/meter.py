"""The meter of the benchmark's programs in the measuring MicroPython: it counts only what the device does.

The measured device and its environment are one process. Code of the environment is called by `border.outside`, and
counted neither as instructions (build/tools/border_c/) nor as allocated bytes. Time is the wire's: it passes with the
bytes that are clocked at 400 kHz, and while all wait.
"""

import gc

import border

_BYTE_NS = 22500
# Bytes, about as many as are free on a board: the more garbage there is, the longer the search for room takes.
_GARBAGE = 20000


class Meter:
    """Counts the device's allocations and clocked bytes. Garbage is collected only while the environment runs."""

    def __init__(self):
        gc.disable()
        self.allocated = 0  # by the device
        self.clocked = 0  # bytes since the last `awaited`
        self.longest = 0  # the largest such number
        self._passed_us = 0
        self._total = 0
        self._base = self._in_use = gc.mem_alloc()

    def leave(self):
        """Leaves the device. Must be the first call of what `border.outside` calls."""
        self.allocated += gc.mem_alloc() - self._base

    def enter(self):
        """Enters the device again. Must be the last call of what `border.outside` calls."""
        if gc.mem_alloc() - self._in_use > _GARBAGE:
            gc.collect()
            self._in_use = gc.mem_alloc()
        self._base = gc.mem_alloc()

    def on_wire(self, count):
        """Counts bytes that have been clocked, addresses included. To be called outside of the device only."""
        self._total += count
        us = self._total * _BYTE_NS // 1000
        border.pass_us(us - self._passed_us)
        self._passed_us = us
        self.clocked += count
        self.longest = max(self.longest, self.clocked)

    def awaited(self):
        """Notes that the device has just awaited something."""
        self.clocked = 0

    def start(self):
        """Counts allocations from here on."""
        self._base = gc.mem_alloc()
        self.allocated = 0


class BoardMeter:
    """The same on an emulated board that counts by itself (build/chip/cortex_m4_c/border.c). The environment has a heap
    of its own there, and the device's garbage is collected when its heap is full, as on a board."""

    def __init__(self):
        self._passed_us = 0
        self._total = 0

    def leave(self):
        pass

    def enter(self):
        pass

    def on_wire(self, count):
        self._total += count
        us = self._total * _BYTE_NS // 1000
        border.pass_us(us - self._passed_us)
        self._passed_us = us

    def start(self):
        border.allocated()

    @property
    def allocated(self):
        return border.allocated()


class Pin:
    """A line to the device: the environment calls `handler`."""

    IN, OUT, PULL_UP, IRQ_FALLING = 0, 1, 1, 2
    handler = None

    def init(self, mode, pull=None, *, value=None):
        pass

    def irq(self, handler, trigger=None):
        self.handler = handler

    def __call__(self, level):
        pass
