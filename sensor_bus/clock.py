"""The bus's time: 100 us since it was made, as an int that does not wrap.

It begins at an edge of ticks_ms, so that a wait until a whole millisecond of it ends at an edge: under MicroPython an
asyncio task wakes at such edges only.
"""

from primitives.platform import ticks_diff
from protocol import const
from sensor_bus.ticks import ticks_us

PER_MS = const(10)
_UNIT_US = const(100)


class Clock:
    """Call `now` at least every 8 minutes, or time is lost: ticks_us wraps after 17.9."""

    def __init__(self):
        self._last = ticks_us()
        since_us = self._last % 1000  # that edge
        self._now = since_us // _UNIT_US
        self._rest_us = since_us % _UNIT_US

    def now(self):
        """Returns the time in units of 100 us."""
        ticks = ticks_us()
        us = ticks_diff(ticks, self._last)
        if us > 0:
            self._last = ticks
            us += self._rest_us
            self._now += us // _UNIT_US
            self._rest_us = us % _UNIT_US
        return self._now
