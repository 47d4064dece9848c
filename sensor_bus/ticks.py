"""`ticks_us()` of both interpreters: microseconds, which wrap at 2**30, as ticks_ms does. `ticks_diff` of
primitives/platform.py tells differences, right below 9 minutes. A module of its own, since the bridge needs none."""

try:
    from time import ticks_us
except ImportError:  # CPython
    import asyncio

    def ticks_us():
        try:
            seconds = asyncio.get_running_loop().time()
        except RuntimeError:  # no loop runs: outside of tasks any clock will do
            from time import monotonic

            seconds = monotonic()
        return int(seconds * 1000000) & 0x3FFFFFFF
