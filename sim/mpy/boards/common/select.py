"""`select` of a board: waiting lets interrupts in.

Objects with a file descriptor are waited for; those without (`asyncio.ThreadSafeFlag`) can only change when an
interrupt has been served, and are asked then.
"""

import simlink
from uselect import POLLERR, POLLHUP, POLLIN, POLLOUT
from uselect import poll as _poll
from utime import ticks_diff, ticks_ms

_STREAM_POLL = 3
_STREAM_GET_FILENO = 10


class poll:
    def __init__(self):
        self._files = _poll()
        self._files.register(simlink.file, POLLIN)
        self._others = {}
        self._ready = []

    def register(self, thing, mask=POLLIN | POLLOUT):
        if hasattr(thing, "ioctl") and thing.ioctl(_STREAM_GET_FILENO, 0) < 0:
            self._others[id(thing)] = [thing, mask]
        else:
            self._files.register(thing, mask)

    def unregister(self, thing):
        if self._others.pop(id(thing), None) is None:
            self._files.unregister(thing)

    def modify(self, thing, mask):
        other = self._others.get(id(thing))
        if other is not None:
            other[1] = mask
        else:
            self._files.modify(thing, mask)

    def ipoll(self, timeout=-1, flags=0):
        ready = self._ready
        ready.clear()
        start = ticks_ms()
        left = timeout
        while True:
            simlink.run_soft()
            for other in self._others.values():
                event = other[0].ioctl(_STREAM_POLL, other[1])
                if event:
                    ready.append((other[0], event))
            served = False
            for thing, event in self._files.ipoll(0 if ready else left):
                if thing is simlink.file:
                    served = True
                else:
                    ready.append((thing, event))
            if served:
                simlink.service()
            if timeout >= 0:
                left = max(0, timeout - ticks_diff(ticks_ms(), start))
            if ready or (left == 0 and not served):
                return ready

    def poll(self, timeout=-1):
        return list(self.ipoll(timeout))
