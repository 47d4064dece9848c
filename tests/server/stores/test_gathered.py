"""Calls of one kind that are made together."""

import asyncio

import pytest

from server.stores.gathered import Gathered
from tests.patience import PATIENCE_S


class Work:
    """Notes what is asked, and answers when told to."""

    def __init__(self):
        self.asked = []
        self.done = []

    def __call__(self, keys, done):
        self.asked.append(keys)
        self.done.append(done)

    def answer(self, results=None, error=None):
        self.done.pop(0)(results, error)


def run(scenario):
    async def main():
        work = Work()
        async with asyncio.timeout(PATIENCE_S):
            return await scenario(work, Gathered(work))

    return asyncio.run(main())


def test_calls_that_come_while_one_is_under_way_are_the_next_one():
    async def scenario(work, gathered):
        calls = [asyncio.create_task(gathered.call(key)) for key in "abcb"]
        await asyncio.sleep(0)
        assert work.asked == [["a"]]
        work.answer({"a": 1})
        assert work.asked == [["a"], ["b", "c"]]
        work.answer({"b": 2, "c": 3})
        return await asyncio.gather(*calls)

    assert run(scenario) == [(1, True), (2, True), (3, True), (2, False)]


def test_call_for_what_is_under_way_asks_anew():
    async def scenario(work, gathered):
        calls = [asyncio.create_task(gathered.call("a"))]
        await asyncio.sleep(0)
        calls.append(asyncio.create_task(gathered.call("a")))
        await asyncio.sleep(0)
        work.answer({"a": 1})
        work.answer({"a": 2})
        return await asyncio.gather(*calls)

    assert run(scenario) == [(1, True), (2, True)]


def test_error_of_one_is_its_own_and_an_error_of_the_work_is_everybodys():
    async def scenario(work, gathered):
        calls = [asyncio.create_task(gathered.call(key)) for key in "abc"]
        await asyncio.sleep(0)
        work.answer(error=OSError("all"))
        work.answer({"b": ValueError("this one"), "c": 3})
        return await asyncio.gather(*calls, return_exceptions=True)

    all_of_them, one, good = run(scenario)
    assert (str(all_of_them), str(one), good) == ("all", "this one", (3, True))


def test_call_that_is_cancelled_does_not_end_the_work_of_another():
    async def scenario(work, gathered):
        first, second = [asyncio.create_task(gathered.call("a")) for _ in range(2)]
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        while work.done:
            work.answer({"a": 1})
        return await second

    assert run(scenario)[0] == 1


def test_another_loop_begins_anew():
    work = Work()
    gathered = Gathered(work)

    async def left():
        asyncio.create_task(gathered.call("a"))
        await asyncio.sleep(0)

    asyncio.run(left())

    async def main():
        call = asyncio.create_task(gathered.call("b"))
        await asyncio.sleep(0)
        work.done.pop(0)({"a": 1}, None)  # of the loop that has ended: nobody waits for it
        work.answer({"b": 2})
        return await call

    assert asyncio.run(main()) == (2, True)
