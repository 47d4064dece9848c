"""Cancellations of a task are told from those of what it waits for."""

import asyncio

from server.core.cancellation import cancellations, take_back


def test_cancellations_are_counted_and_taken_back():
    counts = []

    async def task():
        counts.append(cancellations())
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            counts.append(cancellations())
            counts.append(take_back())
            counts.append(take_back())

    async def main():
        one = asyncio.create_task(task())
        await asyncio.sleep(0)
        one.cancel()
        await one

    asyncio.run(main())
    told = hasattr(asyncio, "timeout")  # by CPython
    assert counts == ([0, 1, 0, 0] if told else [None] * 4)


def test_cancellation_of_what_is_waited_for_does_not_count():
    async def main():
        one = asyncio.create_task(asyncio.sleep(0))
        one.cancel()
        try:
            await one
        except asyncio.CancelledError:
            return cancellations()

    assert not asyncio.run(main())
