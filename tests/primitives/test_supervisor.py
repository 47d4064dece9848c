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
                await task
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
