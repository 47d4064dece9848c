"""Whether the running task is cancelled. A CancelledError may as well come from something that it waits for.

asyncio counts: a time limit (asyncio.timeout) cancels the task that it is of, and takes that back.
"""

import asyncio


def cancellations():
    """Returns how often the running task was cancelled and that was not taken back. None: MicroPython does not tell."""
    cancelling = getattr(asyncio.current_task(), "cancelling", None)
    return cancelling and cancelling()


def take_back():
    """Take back one cancellation of the running task, if there is one. Returns what is left, as `cancellations`."""
    return cancellations() and asyncio.current_task().uncancel()
