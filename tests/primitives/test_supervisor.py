import asyncio
import unittest

from primitives.supervisor import Supervisor


async def fail(error):
    raise error


async def last():
    await asyncio.sleep(60)


async def succeed():
    pass


class TestSupervisor(unittest.TestCase):
    def run_tasks(self, *coroutines, on_fault=None):
        async def main():
            group = Supervisor(on_fault)
            for task in [group.start(coroutine) for coroutine in coroutines]:
                try:
                    await task
                except asyncio.CancelledError:
                    pass
            return group.fault

        return asyncio.run(main())

    def test_task_that_ends_is_no_fault(self):
        self.assertIsNone(self.run_tasks(succeed(), succeed()))

    def test_first_exception_is_kept(self):
        first, second = ValueError("first"), OSError("second")
        self.assertIs(self.run_tasks(succeed(), fail(first), fail(second)), first)

    def test_owner_is_told_once(self):
        told = []
        self.run_tasks(fail(ValueError()), fail(ValueError()), on_fault=lambda: told.append(1))
        self.assertEqual(told, [1])

    def test_who_awaits_a_task_gets_its_result_or_is_cancelled(self):
        async def result():
            return 5

        async def awaits(group, coroutine, got):
            got.append(await group.start(coroutine))

        async def main():
            group, got = Supervisor(), []
            await awaits(group, result(), got)
            with self.assertRaises(asyncio.CancelledError):
                await awaits(group, fail(ValueError("of the task")), got)
            return str(group.fault), got

        self.assertEqual(asyncio.run(main()), ("of the task", [5]))

    def test_cancelled_task_is_no_fault(self):
        async def main():
            group = Supervisor()
            task = group.start(last())
            await asyncio.sleep(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            return group.fault

        self.assertIsNone(asyncio.run(main()))


if __name__ == "__main__":
    unittest.main()
