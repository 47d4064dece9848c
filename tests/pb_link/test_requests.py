"""The client's requests, and its answers to those of the server. The link's loop does not run: see channel_app.py."""

import asyncio
import unittest

from primitives.platform import sleep_ms, ticks_ms
from protocol.channel_records import ANSWER, EXPIRES, FAILURE, REQUEST
from protocol.link_errors import LinkDown
from protocol.request_reasons import INTERRUPTED, reason_of
from protocol.requests import RequestFailed, RequestTimeout, ident_of
from tests.pb_link.channel_app import App as ChannelApp
from tests.pb_link.channel_app import turns

LONG_MS = 60000


class App(ChannelApp):
    """Its server reads nothing by itself on channel 99."""

    def __init__(self):
        super().__init__()
        self.tasks = []

    def ask(self, data, timeout_ms=LONG_MS):
        """A task that makes a request on channel 99."""
        task = asyncio.create_task(self.request(99, data, timeout_ms))
        self.tasks.append(task)
        return task

    async def take(self, count=1):
        """Returns [(id, data, type)] of requests and answers that the server has got and accepted."""
        found = []
        for _ in range(20):
            await turns()
            self.exchange()
            channel = self.server.channels.get(99)
            while channel is not None and channel.front(ticks_ms()) is not None:
                entry = channel.received[0]
                found.append((ident_of(entry), channel.front_data(), entry[1]))
                self.server.channels.accept(channel, ticks_ms())
            if len(found) >= count:
                break
        assert len(found) == count, found
        return found

    async def answer(self, name, data, kind=ANSWER):
        self.server.channels.get(99).append(name + data, True, kind)
        self.exchange()
        await turns()

    async def request_of_server(self, data, name=b"name"):
        self.server.channels.get(99).append(name + data, True, REQUEST)
        self.exchange()
        await turns()


class TestRequests(unittest.TestCase):
    def test_concurrent_requests_are_matched_by_their_ids(self):
        async def main():
            app = App()
            tasks = [app.ask(b"%d" % i) for i in range(3)]
            await turns()
            app.connect()
            requests = await app.take(3)
            self.assertEqual([request[1] for request in requests], [b"0", b"1", b"2"])
            self.assertEqual({request[2] for request in requests}, {REQUEST | EXPIRES})
            self.assertEqual(len({request[0] for request in requests}), 3)
            for at in (1, 0, 2):
                await app.answer(requests[at][0], b"answer %d" % at)
                self.assertEqual(await tasks[at], b"answer %d" % at)

        asyncio.run(main())

    def test_ids_of_two_lives_begin_at_different_numbers(self):
        async def main():
            found = set()
            for _ in range(4):
                app = App()
                app.ask(b"")
                await turns()
                app.connect()
                found.add((await app.take())[0][0])
            self.assertEqual(len(found), 4)

        asyncio.run(main())

    def test_failure_is_raised_with_its_text(self):
        async def main():
            app = App()
            task = app.ask(b"")
            await turns()
            app.connect()
            name = (await app.take())[0][0]
            await app.answer(name, b"ValueError: bad", FAILURE)
            try:
                await task
                self.fail("it was an answer")
            except RequestFailed as error:
                self.assertEqual(str(error), "channel 99: ValueError: bad")

        asyncio.run(main())

    def test_late_answers_are_thrown_away(self):
        async def main():
            app = App()
            late = app.ask(b"late", 1300)  # frames are made for 1,000 ms later
            gone = app.ask(b"gone")
            await turns()
            app.connect()
            names = [request[0] for request in await app.take(2)]
            gone.cancel()
            try:
                await late
                self.fail("it was answered")
            except RequestTimeout as error:
                self.assertIn("channel 99 within 1300 ms", str(error))
            following = app.ask(b"following")
            names.append((await app.take())[0][0])
            for name in names:
                await app.answer(name, b"answer to " + name)
            self.assertEqual(await following, b"answer to " + names[2])
            app.exchange()
            self.assertEqual(app.server.channels.get(99).acknowledged, 3)

        asyncio.run(main())

    def test_request_that_was_not_sent_in_time_never_is(self):
        async def main():
            app = App()
            task = app.ask(b"late", 20)
            try:
                await task
                self.fail("it was answered")
            except RequestTimeout:
                pass
            await sleep_ms(20)
            app._link.session.channels.tick(ticks_ms())
            app.connect()
            await app.take(0)

        asyncio.run(main())

    def test_so_many_requests_wait_for_answers_and_the_next_one_for_its_place(self):
        from pb_link.requests import (
            MAX_REQUESTS,  # here: MicroPython's stack is too short for it in front of the others
        )

        async def main():
            app = App()
            tasks = [app.ask(b"%d" % i) for i in range(MAX_REQUESTS + 1)]
            late = app.ask(b"late", 100)
            await turns()
            app.connect()
            names = [request[0] for request in await app.take(MAX_REQUESTS)]
            try:
                await late
                self.fail("it was answered")
            except RequestTimeout:
                pass
            await app.answer(names[0], b"done")
            self.assertEqual(await tasks[0], b"done")
            self.assertEqual([request[1] for request in await app.take()], [b"%d" % MAX_REQUESTS])

        asyncio.run(main())

    def test_without_a_link_it_fails_at_once_if_it_is_not_to_wait(self):
        async def main():
            app = App()
            for call, kind in (
                (app.request(99, b"", LONG_MS, wait=False), LinkDown),
                (app.request(99, 5, LONG_MS), TypeError),
                (app.request(99, b"", None), TypeError),
                (app.request(99, b"", 0), ValueError),
                (app.request(99, bytes(8187), LONG_MS), ValueError),
            ):
                try:
                    await call
                    self.fail("it waits")
                except kind:
                    pass
            app.connect()
            await app.take(0)

        asyncio.run(main())

    def test_handler_answers_one_request_at_a_time(self):
        async def main():
            app = App()
            ran, free = [], asyncio.Event()

            async def handler(data):
                ran.append(data)
                await free.wait()
                return data + b"!"

            app.on_request(99, handler)
            app.connect()
            await app.request_of_server(b"1", b"nam1")
            await app.request_of_server(b"2", b"nam2")
            self.assertEqual(ran, [b"1"])
            self.assertEqual(app.server.channels.get(99).acknowledged, 1)
            free.set()
            self.assertEqual(
                await app.take(2), [(b"nam1", b"1!", ANSWER), (b"nam2", b"2!", ANSWER)]
            )
            self.assertEqual(ran, [b"1", b"2"])

        asyncio.run(main())

    def test_handler_may_be_a_function_and_what_it_raises_is_told(self):
        async def main():
            app = App()

            def handler(data):
                if data == b"bad":
                    raise ValueError("no")
                return {b"none": None, b"text": "\u00e4", b"int": 5, b"long": bytes(8187)}[data]

            app.on_request(99, handler)
            app.connect()
            for data, kind, answer in (
                (b"bad", FAILURE, b"ValueError: no"),
                (b"none", ANSWER, b""),
                (b"text", ANSWER, "\u00e4".encode()),
                (b"int", FAILURE, b"TypeError: a message must be bytes or a str, not int"),
                (b"long", FAILURE, b"ValueError: 8187 bytes for channel 99, the longest is 8186"),
            ):
                await app.request_of_server(data)
                self.assertEqual(await app.take(), [(b"name", answer, kind)])

        asyncio.run(main())

    def test_late_request_of_the_server_does_not_run(self):
        async def main():
            app = App()
            ran, free = [], asyncio.Event()

            async def handler(data):
                ran.append(data)
                await free.wait()

            app.on_request(99, handler)
            app.connect()
            await app.request_of_server(b"first")
            app.server.channels.get(99).append(bytes(2) + b"namelate", True, REQUEST | EXPIRES, ticks_ms() + 10)
            app.exchange()
            await app.request_of_server(b"last")
            await sleep_ms(30)
            free.set()
            await app.take(2)
            self.assertEqual(ran, [b"first", b"last"])

        asyncio.run(main())

    def test_request_whose_handler_is_cancelled_gets_a_failure_and_does_not_run_again(self):
        async def main():
            app = App()
            ran = []

            async def handler(data):
                ran.append(data)
                await asyncio.Event().wait()

            app.on_request(99, handler)
            app.connect()
            await app.request_of_server(b"1")
            app.channel(99).requests()._task.cancel()  # as `run` does before it starts the application again
            await turns()
            app.on_request(99, lambda data: b"second")
            await app.request_of_server(b"2", b"nam2")
            found = await app.take(2)
            self.assertEqual([found[0][0], found[0][2]], [b"name", FAILURE])
            self.assertEqual(reason_of(found[0][1], 99), INTERRUPTED)
            self.assertEqual(found[1], (b"nam2", b"second", ANSWER))
            self.assertEqual(ran, [b"1"])

        asyncio.run(main())

    def test_handler_that_waits_for_what_is_cancelled_fails_and_the_next_request_is_answered(self):
        async def main():
            app = App()
            inner = []

            async def handler(data):
                if data == b"itself":
                    raise asyncio.CancelledError
                if data == b"task":
                    inner.append(asyncio.create_task(wait()))
                    await inner[0]
                return data

            async def wait():  # sleep_ms is no coroutine of its own in MicroPython
                await sleep_ms(LONG_MS)

            app.on_request(99, handler)
            app.connect()
            await app.request_of_server(b"task", b"nam1")
            while not inner:
                await sleep_ms(2)
            await sleep_ms(2)  # the handler waits for it
            inner[0].cancel()
            await app.request_of_server(b"itself", b"nam2")
            await app.request_of_server(b"next", b"nam3")
            found = await app.take(3)
            self.assertEqual([(name, kind) for name, _, kind in found], [
                (b"nam1", FAILURE), (b"nam2", FAILURE), (b"nam3", ANSWER),
            ])  # fmt: skip
            self.assertEqual(found[0][1], b"RuntimeError: the handler has waited for what was cancelled")
            self.assertFalse(app.channel(99).requests()._task.done())

        asyncio.run(main())

    def test_task_that_is_cancelled_ends_its_handler_first(self):
        async def main():
            app = App()
            ended = []

            async def handler(data):
                try:
                    await sleep_ms(LONG_MS)
                finally:
                    await sleep_ms(5)
                    ended.append(data)

            app.on_request(99, handler)
            app.connect()
            await app.request_of_server(b"1")
            await sleep_ms(20)
            task = app.channel(99).requests()._task
            task.cancel()
            for _ in range(100):
                if task.done():
                    break
                await sleep_ms(5)
            self.assertTrue(task.done())
            self.assertEqual(ended, [b"1"])
            found = await app.take()
            self.assertEqual(found[0][2], FAILURE)
            self.assertIn(b"interrupted", found[0][1])

        asyncio.run(main())

    def test_memory_error_in_a_handler_is_told_and_one_in_the_task_is_tried_again(self):
        async def main():
            app = App()

            def handler(data):
                raise MemoryError("no room")

            app.on_request(99, handler)
            requests = app.channel(99).requests()
            append, failing = requests._append_answer, [True, True]

            def fails():
                if failing:
                    failing.pop()
                    raise MemoryError
                append()

            requests._append_answer = fails
            app.connect()
            await app.request_of_server(b"1")
            await sleep_ms(600)
            self.assertEqual(await app.take(), [(b"name", b"MemoryError: no room", FAILURE)])
            self.assertEqual(failing, [])

        asyncio.run(main())

    def test_what_does_not_belong_on_the_channel_is_refused(self):
        async def main():
            app = App()
            app.on_request(99, lambda data: data)
            app.connect()
            app.server.channels.get(99).append(b"plain", True)
            await app.answer(b"unkn", b"answer to an earlier life")
            await app.request_of_server(b"good")
            self.assertEqual(await app.take(), [(b"name", b"good", ANSWER)])
            app = App()
            reading = asyncio.create_task(app.channel(99).receive())
            await turns()
            app.connect()
            await app.request_of_server(b"1")
            found = await app.take()
            self.assertEqual(found[0][2], FAILURE)
            self.assertIn(b"channel 99 is used for messages", found[0][1])
            app.server.channels.get(99).append(b"plain", True)
            app.exchange()
            self.assertEqual((await reading).data, b"plain")

        asyncio.run(main())

    def test_channel_is_for_messages_or_for_requests_and_for_one_way_of_them(self):
        async def main():
            app = App()
            app.on_request(30, lambda data: data)
            self.assertRaises(TypeError, app.on_request, 30, None)
            for call in (app.channel(30).send(b""), app.channel(30).receive(), app.request(30, b"", LONG_MS)):
                try:
                    await call
                    self.fail("it was taken")
                except ValueError as error:
                    self.assertIn("channel 30", str(error))
            await app.channel(31).send(b"", wait=False)
            self.assertRaises(ValueError, app.on_request, 31, lambda data: data)
            app.ask(b"")
            await turns()
            self.assertRaises(ValueError, app.on_request, 99, lambda data: data)

        asyncio.run(main())


if __name__ == "__main__":
    unittest.main()
