import asyncio
import unittest

from primitives.task_flag import TaskFlag
from primitives.waiting import wait_for_ms


class TestTaskFlag(unittest.TestCase):
    def test_flag_wakes_the_task_that_waits_and_is_clear_again(self):
        async def main():
            flag = TaskFlag()
            task = asyncio.create_task(flag.wait())
            await asyncio.sleep(0)
            flag.set()
            await task
            with self.assertRaises(asyncio.TimeoutError):
                await wait_for_ms(flag.wait(), 10)

        asyncio.run(main())

    def test_flag_that_was_set_before_is_seen(self):
        async def main():
            flag = TaskFlag()
            flag.set()
            await flag.wait()
            flag.set()
            flag.clear()
            with self.assertRaises(asyncio.TimeoutError):
                await wait_for_ms(flag.wait(), 10)

        asyncio.run(main())
