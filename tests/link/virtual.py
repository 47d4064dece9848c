"""asyncio on a clock that jumps: when nothing can run, it is at once the time of the next timer."""

import asyncio
import selectors


class JumpingSelector(selectors.DefaultSelector):
    """Moves the clock instead of waiting."""

    now = ((1 << 30) - 5000) / 1000  # just before `ticks_ms` wraps

    def select(self, timeout=None):
        if timeout is None:
            raise AssertionError("every task waits, and nothing will ever happen")
        if timeout > 0:
            self.now += timeout
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    """Not for sockets: what they wait for takes no virtual time."""

    def __init__(self):
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self):
        return self._jumping.now

    def hold(self, seconds):
        self._jumping.now += seconds


def run(main):
    """The result of the coroutine main, in no time. Its tasks are cancelled at the end."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)


def pass_ms(ms):
    """Have so much time pass in which no task runs, as a program does that holds the loop."""
    asyncio.get_running_loop().hold(ms / 1000)


def now_ms():
    """Milliseconds on the virtual clock."""
    return round(asyncio.get_running_loop().time() * 1000)
