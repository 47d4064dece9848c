"""Waiting calls are woken one at a time, in order."""

import asyncio

import pytest

from server.core.turns import Counted, Turns
from tests.server.all_stores import STORES
from tests.server.core.test_writers import joined, settle, store_of_two_lines
from tests.server.peer import Client, Service, until, within

WRITERS = 300


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts how often a task is run again."""

    wakeups = 0

    def call_soon(self, callback, *args, context=None):
        self.wakeups += "wakeup" in getattr(callback, "__name__", "").lower()  # its repr would take half of the time
        return super().call_soon(callback, *args, context=context)


def run(main):
    """Run the coroutine main(loop) in a CountingLoop."""
    loop = CountingLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main(loop))


def test_turns_come_in_order_when_others_leave_before_theirs():
    async def main():
        turns, order = Turns(), []

        async def call(number):
            ticket = turns.enter()
            try:
                await turns.first(ticket)
                await asyncio.sleep(0)
                order.append(number)
            finally:
                turns.leave(ticket)

        tasks = [asyncio.create_task(call(number)) for number in range(9)]
        await asyncio.sleep(0)
        for number in (0, 3, 4, 8):
            tasks[number].cancel()
        await within(asyncio.wait(tasks))
        assert order == [1, 2, 5, 6, 7] and not turns

    asyncio.run(main())


def test_count_wakes_those_that_it_concerns_and_forgets_cancelled_ones():
    async def main():
        counted = Counted()
        tasks = [asyncio.create_task(counted.wait(number)) for number in (1, 2, 2, 5)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.sleep(0)
        counted.reached(2)
        await settle()
        assert [task.done() for task in tasks] == [True, True, True, False]
        counted.wake_all()
        await within(tasks[3])

    asyncio.run(main())


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("wait", [True, False])
def test_hundreds_of_writers_that_wait_are_woken_one_at_a_time(kind, wait):
    """Before, each change woke all of them: 500,000 wakeups for a thousand lines."""

    async def main(loop):
        async with Service(store=store_of_two_lines(kind)) as service:
            conn = service.connection()
            lines = [f"{number}\n" for number in range(WRITERS)]
            tasks = [asyncio.create_task(conn.write(line, wait=wait)) for line in lines]
            await settle()
            before = loop.wakeups
            client, _ = await joined(service)
            await within(asyncio.gather(*tasks))
            assert await within(client.expect(WRITERS)) == lines
            assert WRITERS // 2 < loop.wakeups - before < 30 * WRITERS, loop.wakeups - before

    run(main)


@pytest.mark.parametrize("kind", STORES)
def test_hundreds_of_writers_that_wait_for_an_acknowledgement_are_woken_one_at_a_time(kind):
    async def main(loop):
        async with Service(store=kind(65536, 1 << 20)) as service:
            conn = service.connection()
            lines = [f"{number}\n" for number in range(WRITERS)]
            tasks = [asyncio.create_task(conn.write(line)) for line in lines]
            await until(lambda: not conn._writers, "all lines stored")
            before = loop.wakeups
            client = Client(service.port)
            await within(client.connect())
            await within(asyncio.gather(*tasks))
            assert client.lines == lines
            assert WRITERS // 2 < loop.wakeups - before < 30 * WRITERS, loop.wakeups - before

    run(main)


def test_hundreds_of_lines_of_qos_0_that_wait_are_woken_one_at_a_time():
    async def main(loop):
        async with Service() as service:
            client, conn = await joined(service)
            client.reading = False
            lines = [f"{number:04d}" + 500 * "x" + "\n" for number in range(WRITERS)]
            before = loop.wakeups
            tasks = [asyncio.create_task(conn.write(line, qos=False)) for line in lines]
            await settle()
            assert not all(task.done() for task in tasks)
            client.reading = True
            client._hand_over()
            client._flush()
            await within(asyncio.gather(*tasks))
            await within(client.expect(WRITERS))
            assert client.lines == lines
            assert WRITERS // 2 < loop.wakeups - before < 30 * WRITERS, loop.wakeups - before

    run(main)
