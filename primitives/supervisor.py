"""A group of tasks that is as alive as its members."""

import asyncio


class Supervisor:
    """Starts tasks; `fault` is the first exception that one of them ended with.

    Whoever owns the group looks at `fault`, or gives `on_fault`, a function
    of no arguments that is called when it is set. Whoever awaits a task gets
    its result, or is cancelled with it: the exception is the owner's.
    """

    def __init__(self, on_fault=None):
        self.fault = None
        self._on_fault = on_fault

    def start(self, coroutine):
        """Run the coroutine as a task of this group. Returns the task."""
        return asyncio.create_task(self._guard(coroutine))

    async def _guard(self, coroutine):
        try:
            return await coroutine
        except Exception as error:  # whichever: the owner of the group decides
            if self.fault is None:
                self.fault = error
                if self._on_fault:
                    self._on_fault()
            raise asyncio.CancelledError
