import asyncio
import unittest

from primitives.broadcast import Broadcast
from primitives.timeout import Timeout


class TestBroadcast(unittest.TestCase):
    def test_pulse_wakes_every_task_that_waits(self):
        woken = []

        async def wait(changed, name):
            await changed.wait()
            woken.append(name)

        async def main():
            changed = Broadcast()
            tasks = [asyncio.create_task(wait(changed, name)) for name in "abc"]
            await asyncio.sleep(0)
            changed.pulse()
            for task in tasks:
                await task

        asyncio.run(main())
        self.assertEqual(sorted(woken), ["a", "b", "c"])

    def test_pulse_is_gone_for_those_who_come_later(self):
        async def main():
            changed = Broadcast()
            changed.pulse()
            task = asyncio.create_task(changed.wait())
            for _ in range(3):
                await asyncio.sleep(0)
            self.assertFalse(task.done())
            changed.pulse()
            await task

        asyncio.run(main())

    def test_waiting_for_a_condition_sees_every_change(self):
        async def main():
            changed, items, got = Broadcast(), [], []

            async def take():
                while len(got) < 5:
                    while not items:
                        await changed.wait()
                    got.append(items.pop(0))

            task = asyncio.create_task(take())
            for i in range(5):
                items.append(i)
                changed.pulse()
                await asyncio.sleep(0)
            await task
            self.assertEqual(got, [0, 1, 2, 3, 4])

        asyncio.run(main())

    def test_waiter_with_a_limit_that_is_cancelled_stays_cancelled_when_a_pulse_follows_at_once(self):
        async def main():
            changed = Broadcast()
            limit = Timeout(60000)

            async def wait():
                while True:
                    await changed.wait(limit)

            task = asyncio.create_task(wait())
            await asyncio.sleep(0)
            task.cancel()
            changed.pulse()
            with self.assertRaises(asyncio.CancelledError):
                await task

        asyncio.run(main())

    def test_cancelled_waiter_does_not_disturb_the_others(self):
        async def main():
            changed = Broadcast()
            first = asyncio.create_task(changed.wait())
            second = asyncio.create_task(changed.wait())
            await asyncio.sleep(0)
            first.cancel()
            changed.pulse()
            await second
            with self.assertRaises(asyncio.CancelledError):
                await first

        asyncio.run(main())


if __name__ == "__main__":
    unittest.main()
