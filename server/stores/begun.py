"""Coroutines that run side by side in the task that awaits them. A task for each costs more than most of them do."""

import asyncio


class Begun:
    """Coroutines, each of which is run at once up to its first wait. Await it: it returns the list of their results,
    or raises the exception of the first of them that raised, when none still runs. When the task is cancelled, all of
    them are.

    The task waits for one after the other. So none of them may have a time limit of its own (asyncio.timeout): it would
    cancel another one."""

    def __init__(self, coroutines):
        self._steps = [_Step(coroutine) for coroutine in coroutines]

    def __await__(self):
        cancelled = None
        for step in self._steps:
            while not step.ended:
                if step.told:
                    step.told = False
                    step.go_on(step.coroutine.throw, asyncio.CancelledError())
                    continue
                try:
                    if not step.may_go_on():
                        if step.waits_for is not None:
                            step.waits_for._asyncio_future_blocking = True
                        yield step.waits_for
                except GeneratorExit:  # nobody awaits any more
                    for one in self._steps:
                        one.coroutine.close()
                    raise
                except asyncio.CancelledError as error:
                    cancelled = cancelled or error
                    step.go_on(step.coroutine.throw, error)
                    for one in self._steps:
                        if one is not step:
                            one.cancel()
                except BaseException as error:
                    step.go_on(step.coroutine.throw, error)
                else:
                    step.go_on(step.coroutine.send, None)
        errors = [step.error for step in self._steps if step.error is not None]
        if cancelled or errors:
            raise cancelled or errors[0]
        return [step.result for step in self._steps]


class _Step:
    """A coroutine that has been begun. waits_for: the future that its task is to wait for, or None: for others to have
    their turn; told: it is to raise CancelledError; ended, result, error: its end."""

    def __init__(self, coroutine):
        self.coroutine = coroutine
        self.waits_for = self.result = self.error = None
        self.ended = self.told = False
        self.go_on(coroutine.send, None)

    def go_on(self, call, value):
        try:
            self.waits_for = call(value)
            if self.waits_for is not None:
                # asyncio's mark of a future that the task has just begun to wait for. It has not, and others may.
                self.waits_for._asyncio_future_blocking = False
            return
        except StopIteration as end:
            self.result = end.value
        except BaseException as error:  # it is raised when all have ended
            self.error = error
        self.ended = True

    def may_go_on(self):
        """True if what it waits for is there."""
        return self.waits_for is not None and self.waits_for.done()

    def cancel(self):
        """Have it raise CancelledError where it waits, when it is its turn."""
        if not self.ended:
            self.told = self.waits_for is None or not self.waits_for.cancel()
