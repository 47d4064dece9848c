"""Drives the transfers of sim/wires/wire.py in real time, with the targets in other processes."""

import asyncio

from sim.wires.pieces import Answer, Cut, Pause

# Shorter pauses are added up: an event loop cannot sleep for a shorter time.
SHORTEST_SLEEP_S = 0.001
# If the operating system sleeps too long, the excess is subtracted from later pauses, up to this much.
OVERSLEPT_S = 0.003

VANISHED = Answer(False, 0, 0, b"")


class BusClock:
    """Time on one bus: transfers take as long as on a real bus. Short ones do so on average."""

    def __init__(self):
        self._owed_s = 0.0

    def now(self):
        """Returns the time on the wires, in seconds of the loop's clock: what is owed has passed there already."""
        return asyncio.get_running_loop().time() + self._owed_s

    async def pause(self, us):
        """Raises Cut, with the time that had passed, if the task is cancelled."""
        self._owed_s += us / 1e6
        if self._owed_s < SHORTEST_SLEEP_S:
            return
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            await asyncio.sleep(self._owed_s)
        except asyncio.CancelledError:
            elapsed_us = min(us, (loop.time() - begin) * 1e6)
            self._owed_s = 0.0
            raise Cut(elapsed_us)
        self._owed_s = max(self._owed_s - (loop.time() - begin), -OVERSLEPT_S)


async def drive(transfer, clock):
    """Runs a transfer. Returns its Result, or None if the task was cancelled: the controller lost power during it."""
    reply = None
    try:
        while True:
            step = transfer.send(reply)
            if isinstance(step, Pause):
                reply = None
                await clock.pause(step.us)
            else:
                reply = await step.port.owner.ask(step)
    except StopIteration as end:
        return end.value
    except Cut as cut:
        _finish_cut(transfer, cut)
        return None
    except asyncio.CancelledError:
        transfer.close()
        return None


def _finish_cut(transfer, cut):
    """Sends the last pieces of a transfer that was cut: the bytes that had crossed still reach the target."""
    try:
        step = transfer.throw(cut)
        while True:
            if isinstance(step, Pause):
                step = transfer.send(None)
            else:
                step.port.owner.ask_later(step)
                step = transfer.send(VANISHED)
    except (StopIteration, Cut):
        return
