"""monotonic_ms: in a loop, without one, and in virtual time."""

import asyncio
import time

from server.core.clock import monotonic_ms


def test_clock_goes_on_by_milliseconds_with_and_without_a_loop():
    async def read():
        begin, real = monotonic_ms(), time.monotonic()
        await asyncio.sleep(0.05)
        return monotonic_ms() - begin, (time.monotonic() - real) * 1000

    took, really = asyncio.run(read())
    assert 50 <= took + 1 and took <= really + 1
    before = time.monotonic() * 1000
    assert before - 1 <= monotonic_ms() <= time.monotonic() * 1000
