"""A limit on calls that come one after the other."""

import asyncio

import pytest

from remote_i2c.time_limit import TimeLimit
from tests.patience import PATIENCE_S


def run(scenario):
    async def main():
        limit = TimeLimit()
        async with asyncio.timeout(PATIENCE_S):
            return await scenario(limit, asyncio.get_running_loop().time)

    return asyncio.run(main())


def test_call_that_takes_too_long_is_ended():
    async def scenario(limit, now):
        with pytest.raises(TimeoutError):
            with limit.until(now() + 0.01):
                await asyncio.Event().wait()
        return asyncio.current_task().cancelling()

    assert run(scenario) == 0


def test_call_that_is_in_time_is_not_ended_by_the_limit_of_one_before():
    async def scenario(limit, now):
        with limit.until(now() + 0.01):
            pass
        with limit.until(now() + PATIENCE_S):
            await asyncio.sleep(0.05)
        return "in time"

    assert run(scenario) == "in time"


def test_shorter_limit_behind_a_longer_one_counts():
    async def scenario(limit, now):
        with limit.until(now() + 10 * PATIENCE_S):
            pass
        with pytest.raises(TimeoutError):
            with limit.until(now() + 0.01):
                await asyncio.Event().wait()

    run(scenario)


def test_limit_of_one_is_not_that_of_the_next():
    async def scenario(limit, now):
        for _ in range(3):
            with pytest.raises(TimeoutError):
                with limit.until(now() + 0.005):
                    await asyncio.Event().wait()
            with limit.until(now() + PATIENCE_S):
                await asyncio.sleep(0.02)

    run(scenario)


def test_who_is_cancelled_is_cancelled():
    async def scenario(limit, now):
        async def call():
            with limit.until(now() + PATIENCE_S):
                await asyncio.Event().wait()

        task = asyncio.create_task(call())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(scenario)


def test_error_of_the_call_is_raised():
    async def scenario(limit, now):
        with limit.until(now() + PATIENCE_S):
            raise OSError(5, "it failed")

    with pytest.raises(OSError, match="it failed"):
        run(scenario)


def test_limit_within_a_limit_of_asyncio():
    async def scenario(limit, now):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                with limit.until(now() + PATIENCE_S):
                    await asyncio.Event().wait()
        return asyncio.current_task().cancelling()

    assert run(scenario) == 0


def test_one_timer_serves_many_calls():
    async def scenario(limit, now):
        loop = asyncio.get_running_loop()
        timers = []
        call_at = loop.call_at
        loop.call_at = lambda *args, **words: timers.append(args) or call_at(*args, **words)
        for _ in range(100):
            with limit.until(now() + PATIENCE_S):
                pass
        limit.close()
        loop.call_at = call_at
        return len(timers)

    assert run(scenario) == 1
