import asyncio
import sys
import unittest

from primitives.platform import ticks_diff, ticks_ms
from primitives.timed_flag import Sleepers, TimedFlag

_BOUND = "CPython's are bound to the loop in which they are used first"


class TestTimedFlag(unittest.TestCase):
    def test_wait_ends_with_the_flag_or_with_the_time_and_tells_which(self):
        async def main():
            flag = TimedFlag()
            flag.open()
            flag.set()
            await flag.wait_ms(60000)
            self.assertFalse(flag.by_clock)
            start = ticks_ms()
            await flag.wait_ms(30)
            self.assertTrue(flag.by_clock)
            self.assertTrue(30 <= ticks_diff(ticks_ms(), start) < 30000)
            flag.close()
            flag.close()

        asyncio.run(main())

    def test_task_whose_flag_is_always_set_leaves_the_others_their_turns(self):
        flag, turns = TimedFlag(), []

        async def busy():
            for _ in range(5):
                flag.set()
                await flag.wait_ms(60000)
                self.assertFalse(flag.by_clock)
                turns.append("busy")

        async def main():
            flag.open()
            task = asyncio.create_task(busy())
            await asyncio.sleep(0)
            while "busy" not in turns[-1:] or turns.count("busy") < 5:
                turns.append("other")
                await asyncio.sleep(0)
            await task
            flag.close()

        asyncio.run(main())
        self.assertTrue(turns.count("other") >= 5, turns)

    def test_flag_of_a_loop_that_was_left_opens_in_the_next_one_with_a_clock_of_that(self):
        if sys.implementation.name != "micropython":
            self.skipTest(_BOUND)
        flag = TimedFlag()

        async def first():
            flag.open()
            await flag.wait_ms(1)
            return flag._clock

        async def second():
            flag.open()
            await flag.wait_ms(30)
            self.assertTrue(flag.by_clock)
            return flag._clock

        clock = asyncio.run(first())  # no close: the program was interrupted
        asyncio.new_event_loop()
        self.assertIsNot(asyncio.run(second()), clock)
        flag.close()
        asyncio.new_event_loop()


class TestSleepers(unittest.TestCase):
    def test_task_of_a_loop_that_was_left_does_not_go_on_in_the_next_one(self):
        sleepers = Sleepers()
        woken = []

        async def sleep(name):
            await sleepers.sleep(60000)
            woken.append(name)

        async def begin(name):
            task = asyncio.create_task(sleep(name))
            await asyncio.sleep(0)
            return task

        async def second():
            sleepers.wake()
            await asyncio.sleep(0.01)
            task = await begin("second")
            sleepers.wake()
            await task
            await asyncio.sleep(0.01)

        asyncio.run(begin("first"))
        asyncio.new_event_loop()
        asyncio.run(second())
        self.assertEqual(woken, ["second"])


if __name__ == "__main__":
    unittest.main()
