import asyncio
import unittest

from primitives.platform import Flag, sleep_ms, ticks_diff, ticks_ms
from primitives.waiting import ticks_add, wait_for_ms

# Of the circle: 2**30 on boards and under CPython, more in 64-bit MicroPython.
WRAP = ticks_add(0, -1) + 1


class TestTicks(unittest.TestCase):
    def test_ticks_count_milliseconds_within_their_circle(self):
        async def main():
            start = ticks_ms()
            await sleep_ms(20)
            return start, ticks_ms()

        start, end = asyncio.run(main())
        self.assertTrue(0 <= start < WRAP)
        self.assertTrue(18 <= ticks_diff(end, start) < 2000)

    def test_ticks_can_be_read_outside_of_tasks(self):
        self.assertTrue(0 <= ticks_ms() < WRAP)

    def test_difference_is_signed_and_crosses_the_wrap(self):
        self.assertEqual(ticks_diff(10, WRAP - 10), 20)
        self.assertEqual(ticks_diff(WRAP - 10, 10), -20)
        self.assertEqual(ticks_diff(7, 7), 0)

    def test_sum_crosses_the_wrap(self):
        self.assertEqual(ticks_add(WRAP - 5, 10), 5)
        self.assertEqual(ticks_add(5, -10), WRAP - 5)


class TestWaiting(unittest.TestCase):
    def test_wait_ends_with_its_result_or_in_time(self):
        async def soon():
            return 7

        async def late():
            await sleep_ms(5000)

        async def main():
            self.assertEqual(await wait_for_ms(soon(), 1000), 7)
            with self.assertRaises(asyncio.TimeoutError):
                await wait_for_ms(late(), 10)

        asyncio.run(main())


async def waiting(flag):
    await flag


class TestFlag(unittest.TestCase):
    def test_flag_set_before_the_wait_is_not_lost_and_is_used_up(self):
        async def main():
            flag = Flag()
            flag.set()
            flag.set()
            await wait_for_ms(flag, 1000)
            with self.assertRaises(asyncio.TimeoutError):
                await wait_for_ms(flag, 20)
            flag.set()
            await flag
            with self.assertRaises(asyncio.TimeoutError):
                await wait_for_ms(flag, 20)

        asyncio.run(main())

    def test_flag_wakes_its_waiter(self):
        async def main():
            flag = Flag()
            task = asyncio.create_task(waiting(flag))
            await sleep_ms(1)
            flag.set()
            await wait_for_ms(task, 1000)

        asyncio.run(main())

    def test_flag_that_was_cleared_is_not_set(self):
        async def main():
            flag = Flag()
            flag.set()
            flag.clear()
            with self.assertRaises(asyncio.TimeoutError):
                await wait_for_ms(flag, 20)

        asyncio.run(main())


if __name__ == "__main__":
    unittest.main()
