"""Coroutines side by side in one task: all are begun, none is left, and an exception comes once all have ended."""

import asyncio

import pytest

from server.stores.begun import Begun


async def waiting(future, log, name):
    log.append(f"{name} begins")
    try:
        return await future
    except asyncio.CancelledError:
        log.append(f"{name} is cancelled")
        raise
    finally:
        log.append(f"{name} ends")


def futures(count):
    loop = asyncio.get_running_loop()
    return [loop.create_future() for _ in range(count)]


def test_all_are_begun_at_once_and_their_results_are_in_order():
    async def main():
        first, second = futures(2)
        log = []
        begun = Begun([waiting(first, log, "a"), waiting(second, log, "b"), asyncio.sleep(0, 3)])
        assert log == ["a begins", "b begins"]
        second.set_result(2)
        asyncio.get_running_loop().call_soon(first.set_result, 1)
        assert await begun == [1, 2, 3]

    asyncio.run(main())


def test_one_that_waits_often_and_one_that_never_waits():
    async def often():
        for _ in range(5):
            await asyncio.sleep(0)
        return "often"

    async def never():
        return "never"

    async def main():
        assert await Begun([often(), never(), often()]) == ["often", "never", "often"]

    asyncio.run(main())


@pytest.mark.parametrize("at_once", [True, False])
def test_exception_is_raised_when_none_still_runs(at_once):
    async def failing(future):
        if not at_once:
            await future
        raise ValueError("first")

    async def main():
        first, second = futures(2)
        log = []
        task = asyncio.create_task(_await(lambda: Begun([failing(first), waiting(second, log, "b"), failing(first)])))
        await asyncio.sleep(0)
        first.set_result(None)
        for _ in range(3):
            await asyncio.sleep(0)
        assert not task.done() and log == ["b begins"]
        second.set_result(None)
        with pytest.raises(ValueError, match="first"):
            await task
        assert log == ["b begins", "b ends"]

    asyncio.run(main())


async def _await(make):
    return await make()


@pytest.mark.parametrize("done", [0, 1, 2])
def test_cancellation_reaches_all_that_still_run(done):
    async def main():
        given = futures(3)
        log = []
        steps = lambda: Begun([waiting(one, log, name) for one, name in zip(given, "abc")])
        task = asyncio.create_task(_await(steps))
        await asyncio.sleep(0)
        for one in given[:done]:
            one.set_result(None)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [line for line in log if "cancelled" in line] == [f"{name} is cancelled" for name in "abc"[done:]]
        assert [line for line in log if "ends" in line] == ["a ends", "b ends", "c ends"]
        assert all(one.done() for one in given)

    asyncio.run(main())


def test_cancelled_one_may_clean_up_and_the_task_is_cancelled_all_the_same():
    async def stubborn(future, log):
        try:
            await future
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            log.append("cleaned")
            return "kept"

    async def main():
        given, log = futures(2), []
        task = asyncio.create_task(_await(lambda: Begun([stubborn(one, log) for one in given])))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert log == ["cleaned", "cleaned"]

    asyncio.run(main())


def test_step_goes_on_no_more_that_is_cancelled_as_its_future_ends():
    async def often(log):
        for number in range(5):
            await asyncio.sleep(0)
            log.append(number)

    async def main():
        (future,), log = futures(1), []
        task = asyncio.create_task(_await(lambda: Begun([waiting(future, log, "a"), often(log)])))
        await asyncio.sleep(0)
        future.set_result(None)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert log == ["a begins", "a is cancelled", "a ends"]

    asyncio.run(main())


def test_clean_up_is_cancelled_by_nobody_else():
    async def cleaning(future, log):
        try:
            await future
        except asyncio.CancelledError:
            later = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(0.01, later.set_result, None)
            await later
            log.append("cleaned")
            raise

    async def main():
        given, log = futures(3), []
        task = asyncio.create_task(_await(lambda: Begun([cleaning(one, log) for one in given])))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert log == ["cleaned"] * 3

    asyncio.run(main())


def test_future_may_have_others_that_wait_for_it():
    async def main():
        first, second = futures(2)
        begun = Begun([waiting(first, [], "a"), waiting(second, [], "b")])
        other = asyncio.create_task(_await(lambda: second))
        await asyncio.sleep(0)
        first.set_result(1)
        second.set_result(2)
        assert await begun == [1, 2] and await other == 2

    asyncio.run(main())


def test_future_that_others_cancel_ends_all():
    async def main():
        first, second = futures(2)
        log = []
        task = asyncio.create_task(_await(lambda: Begun([waiting(first, log, "a"), waiting(second, log, "b")])))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert log[-2:] == ["b is cancelled", "b ends"]

    asyncio.run(main())


def test_what_nobody_awaits_any_more_is_closed():
    async def main():
        given, log = futures(2), []

        async def abandoned():
            await Begun([waiting(one, log, name) for one, name in zip(given, "ab")])

        coroutine = abandoned()
        coroutine.send(None)
        coroutine.close()
        assert log[2:] == ["a ends", "b ends"]

    asyncio.run(main())
