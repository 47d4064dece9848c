"""What is typed at the server comes to the interpreter byte by byte, and Ctrl-C to the application that runs.

The interpreter with os.dupterm is in tests/sim/mpy/test_repl.py.
"""

import asyncio
import unittest

# First: imports in imports need more stack than a 32-bit interpreter has.
from pb_link import app_base  # noqa: F401
from protocol import channel  # noqa: F401

# isort: split
from pb_link.console_input import TYPED_BYTES, Input
from primitives.platform import core, sleep_ms
from tests.pb_link.test_console import app, looks

MOMENTS = 1000  # that the prompt waits at most: on a busy machine a task may not come round in one


async def connected():
    one = app()
    one.console._input = one.input = Input(one.console)
    task = one.begin()
    one.connect()
    await looks(one, 4)
    return one, task


async def typed(one, *texts):
    for text in texts:
        one.server.channels.get(3).append(text, True)
    one.exchange()


def read(one):
    found = bytearray()
    buf = bytearray(1)
    one.input._run_loop = lambda: None  # the loop runs already
    while one.console.readinto(buf) == 1:
        found += buf
    return bytes(found)


def play(main):
    async def whole():
        one, task = await connected()
        await main(one)
        one.close()
        await task

    asyncio.run(whole())


class TestInput(unittest.TestCase):
    def test_bytes_are_read_one_by_one_and_accepted_when_they_are_taken(self):
        async def main(one):
            self.assertFalse(one.input.waits())
            await typed(one, b"1+", b"", b"2\r")
            self.assertTrue(one.input.waits())
            self.assertEqual(one.server.channels.get(3).acknowledged, 0)
            found = read(one) + read(one)  # an empty message is a pause
            self.assertEqual(found, b"1+2\r")
            one.exchange()
            self.assertEqual(one.server.channels.get(3).acknowledged, 3)
            self.assertFalse(one.input.waits())

        play(main)

    def test_what_is_typed_while_nobody_reads_is_kept_up_to_a_bound(self):
        async def main(one):
            await typed(one, b"a" * 200, b"b" * 100, b"c" * 50)
            one.input.look()
            one.exchange()
            self.assertEqual(one.server.channels.get(3).acknowledged, 3)
            self.assertEqual(read(one), b"a" * 200 + b"c" * 50)
            self.assertTrue(TYPED_BYTES >= 250)

        play(main)

    def test_ctrl_c_interrupts_once_and_drops_what_was_typed_before(self):
        async def main(one):
            begun = []
            one.console.create_task = begun.append
            await typed(one, b"old", b"older\x03new", b"er")
            one.input.look()
            self.assertEqual(len(begun), 1)
            with self.assertRaises(KeyboardInterrupt):
                begun[0].send(None)
            self.assertEqual(read(one), b"newer")

        play(main)

    def test_ctrl_c_for_whose_task_there_is_no_memory_is_not_lost(self):
        async def main(one):
            begun = []

            def fail(coroutine):
                coroutine.close()
                raise MemoryError

            one.console.create_task = fail
            await typed(one, b"\x03")
            with self.assertRaises(MemoryError):
                one.input.look()
            one.console.create_task = begun.append
            one.input.look()
            self.assertEqual(len(begun), 1)
            begun[0].close()

        play(main)

    def test_at_the_prompt_nothing_is_taken_from_it(self):
        async def main(one):
            one.input._at_prompt = True
            await typed(one, b"\x03")
            one.input.look()
            self.assertEqual(read(one), b"\x03")

        play(main)

    def test_loop_runs_while_the_prompt_waits_and_what_it_raises_does_not_come_out(self):
        if not hasattr(core, "run_until_complete"):
            return  # CPython has no prompt of its own to serve

        async def counting(counts):
            while True:
                counts.append(1)
                await sleep_ms(1)

        async def ending(error):
            raise error

        one = app()
        one.console._input = Input(one.console)
        counts, buf = [], bytearray(1)
        core.create_task(counting(counts))
        core.cur_task = None
        for _ in range(MOMENTS):
            self.assertTrue(one.console.readinto(buf) is None)
            if len(counts) > 2:
                break
        self.assertTrue(len(counts) > 2 and core.cur_task is None)
        core.create_task(ending(SystemExit()))
        self.assertTrue(one.console.readinto(buf) is None)
        core.create_task(ending(KeyboardInterrupt()))
        self.assertEqual((one.console.readinto(buf), buf), (1, b"\x03"))
        one.console._input._front = self._fail
        self.assertTrue(one.console.readinto(buf) is None)
        asyncio.new_event_loop()

    def _fail(self):
        raise MemoryError


if __name__ == "__main__":
    unittest.main()
