"""monotonic_ms: in a loop, without one, and in virtual time."""

import asyncio
import time

from server.core.clock import monotonic_ms, system_utc_ms


def test_clock_goes_on_by_milliseconds_with_and_without_a_loop():
    async def read():
        begin, real = monotonic_ms(), time.monotonic()
        await asyncio.sleep(0.05)
        return monotonic_ms() - begin, (time.monotonic() - real) * 1000

    took, really = asyncio.run(read())
    assert 50 <= took + 1 and took <= really + 1
    before = time.monotonic() * 1000
    assert before - 1 <= monotonic_ms() <= time.monotonic() * 1000


def test_utc_of_the_system_is_in_ms_since_1970_and_follows_a_clock_that_is_set(monkeypatch):
    assert abs(system_utc_ms() - time.time() * 1000) < 1000
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.25)
    assert system_utc_ms() == 1_800_000_000_250
