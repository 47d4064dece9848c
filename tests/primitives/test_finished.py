"""An awaitable that has nothing to wait for."""

import asyncio
import sys
import unittest

from primitives.finished import finished


async def with_limit(awaitable):
    return await asyncio.wait_for(awaitable, 60)


class TestFinished(unittest.TestCase):
    def run_tasks(self, main):
        return asyncio.run(main())

    def test_it_is_awaited_as_often_as_it_is_called_and_other_tasks_have_no_turn(self):
        turns = []

        async def other():
            turns.append(1)

        async def main():
            task = asyncio.create_task(other())
            results = [await finished(), await finished(), await finished()]
            self.assertEqual((results, turns), ([None, None, None], []))
            await task

        self.run_tasks(main)

    def test_it_can_be_a_task_or_several_and_have_a_limit(self):
        async def main():
            tasks = [asyncio.create_task(finished()) for _ in range(2)]
            results = [await tasks[0], await tasks[1], await with_limit(finished())]
            results += await asyncio.gather(finished(), finished())
            self.assertEqual(results, [None] * 5)

        self.run_tasks(main)

    def test_it_may_be_closed_and_awaited_again(self):
        async def main():
            one = finished()
            one.close()
            await finished()

        self.run_tasks(main)

    def test_it_takes_no_memory_on_a_board(self):
        if sys.implementation.name != "micropython":
            return
        import micropython

        async def main():
            await finished()
            micropython.heap_lock()
            await finished()
            micropython.heap_unlock()

        self.run_tasks(main)


if __name__ == "__main__":
    unittest.main()
