"""`serve(handler)`: a call for each client that comes, made again after a failure, which is told; others go on."""

import asyncio

import pytest

import server
from protocol.errors import LocalProtocolError
from server.core import serving
from tests.server.core.test_events import Told
from tests.server.peer import OTHER_KEY, Client, Service, until, within


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr(serving, "FIRST_MS", 20)


class Served(Service):
    """A Service whose clients a handler serves. told: events about handlers."""

    def __init__(self, handler, **how):
        super().__init__(**how)
        self.handler = handler
        self.told = Told()

    def serve(self):
        self.serving = asyncio.create_task(server.serve(self.handler))

    async def __aenter__(self):
        await super().__aenter__()
        self.events.subscribe(self.told)
        self.serve()
        return self

    def failures(self):
        return [(client_id, details) for event, client_id, details in self.told if event == "handler_failed"]


async def echo(conn):
    async for line in conn.lines():
        await conn.write(line)


async def talk(client, line):
    await client.write(line)
    count = len(client.lines)
    assert (await within(client.expect(count + 1)))[-1] == line + "\n"


def test_each_client_that_comes_has_a_call_that_lasts_through_outages():
    async def main():
        calls = []

        async def handler(conn):
            calls.append(conn.client_id)
            await echo(conn)

        async with Served(handler) as service:
            clients = [Client(service.port), Client(service.port, "b", OTHER_KEY)]
            for client in clients:
                await within(client.connect())
                await talk(client, "one")
                client.cut()
                await within(client.connect())
                await talk(client, "two")
            assert calls == ["a", "b"]

    asyncio.run(main())


def test_client_that_came_before_serve_is_served():
    async def main():
        async with Service() as service:
            client = Client(service.port)
            await within(client.connect())
            task = asyncio.create_task(server.serve(echo))
            await talk(client, "late")
            task.cancel()

    asyncio.run(main())


def test_handler_that_returns_is_called_again_when_the_client_has_come_again():
    async def main():
        calls = []

        async def greet(conn):
            calls.append(conn.nconns)
            await conn.write(f"welcome {len(calls)}")

        async with Served(greet) as service:
            client = Client(service.port)
            for count in (1, 2, 3):
                await within(client.connect())
                await within(client.expect(count))
                await asyncio.sleep(0.05)  # it is not called a second time
                assert client.lines[-1] == f"welcome {count}\n" and len(calls) == count
                client.cut()

    asyncio.run(main())


def test_client_that_comes_again_during_the_call_has_another_call_after_it():
    async def main():
        calls, go = [], asyncio.Event()

        async def handler(conn):
            calls.append(conn.nconns)
            await go.wait()

        async with Served(handler) as service:
            client = Client(service.port)
            for _ in range(3):
                await within(client.connect())
                client.cut()
            await until(lambda: service.connection().nconns == 3 and calls == [1], "the connections")
            go.set()
            await until(lambda: calls == [1, 3], "the second call")
            await asyncio.sleep(0.05)
            assert calls == [1, 3]

    asyncio.run(main())


def test_handler_that_fails_is_told_with_its_traceback_and_called_again_while_others_go_on():
    async def main():
        async def handler(conn):
            async for line in conn.lines():
                if line == "poison\n" and len(service.failures()) < 3:
                    raise ValueError("my fault")
                await conn.write(line)

        service = Served(handler)
        async with service:
            client, other = Client(service.port), Client(service.port, "b", OTHER_KEY)
            await within(client.connect())
            await within(other.connect())
            await client.write("poison")
            for number in range(5):
                await talk(other, str(number))
            assert await within(client.expect(1)) == ["poison\n"]  # it was not processed, so it came again
        failures = service.failures()
        assert [client_id for client_id, _ in failures] == ["a"] * 3
        for _, details in failures:
            assert details["error"] == "ValueError: my fault" and details["at"].startswith(__file__ + ":")
            assert 'raise ValueError("my fault")' in details["traceback"] and "in handler" in details["traceback"]

    asyncio.run(main())


def test_handler_with_a_group_of_tasks_of_which_one_fails_is_told_and_called_again():
    """Before Python 3.13 the group leaves the handler's task marked as cancelled, and it was taken for that."""

    async def main():
        async def fails(conn):
            assert await conn.readline() != "fail\n"

        async def handler(conn):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(fails(conn))
                tasks.create_task(asyncio.Event().wait())

        async with Served(handler) as service:
            client = Client(service.port)
            await within(client.connect())
            for count in (1, 2):
                await client.write("fail")
                await until(lambda count=count: len(service.failures()) == count, "the failure")
            assert "AssertionError" in service.failures()[-1][1]["traceback"]

    asyncio.run(main())


def test_pause_doubles_up_to_its_bound_and_is_short_again_after_a_steady_call(monkeypatch):
    monkeypatch.setattr(serving, "LAST_MS", 4000)
    monkeypatch.setattr(serving, "FIRST_MS", 1000)
    monkeypatch.setattr(serving, "STEADY_MS", 2000)  # far above what a short call takes
    pauses = []

    async def no_sleep(ms):
        pauses.append(ms)
        await asyncio.sleep(0)

    monkeypatch.setattr(serving, "sleep_ms", no_sleep)

    async def main():
        calls = []

        async def handler(conn):
            calls.append(conn)
            if len(calls) == 5:
                await asyncio.sleep(2.1)
            if len(calls) < 7:
                raise ValueError

        async with Served(handler) as service:
            await within(Client(service.port).connect())
            await until(lambda: len(calls) == 7, "seven calls")
            assert pauses == [1000, 2000, 4000, 4000, 1000, 2000]
            assert [details["again_s"] for _, details in service.failures()] == [1, 2, 4, 4, 1, 2]

    asyncio.run(main())


class Strange(BaseException):
    pass


@pytest.mark.parametrize("error", [asyncio.CancelledError, Strange])
def test_no_exception_ends_the_serving_of_a_client_unseen(error):
    async def main():
        calls = []

        async def handler(conn):
            calls.append(conn)
            if len(calls) == 1:
                raise error
            await echo(conn)

        async with Served(handler) as service:
            client = Client(service.port)
            await within(client.connect())
            await talk(client, "x")
            assert len(service.failures()) == 1

    asyncio.run(main())


def test_handlers_end_with_serve_and_their_lines_stay():
    async def main():
        ended = []

        async def handler(conn):
            try:
                async for _ in conn.lines():
                    await asyncio.sleep(1000)
            finally:
                ended.append(conn.client_id)

        async with Served(handler) as service:
            client = Client(service.port)
            await within(client.connect())
            await client.write("not yet processed")
            await within(client.acknowledged())
            service.serving.cancel()
            await within(asyncio.wait([service.serving]))
            assert ended == ["a"] and not service.failures()
            service.handler = echo
            service.serve()
            assert await within(client.expect(1)) == ["not yet processed\n"]

    asyncio.run(main())


def test_program_that_ends_cancels_all_tasks_and_no_failure_is_told():
    async def main(service):
        await service.__aenter__()
        await within(Client(service.port).connect())
        await asyncio.sleep(0.05)

    service = Served(echo)
    asyncio.run(main(service))
    assert not service.failures()


def test_handler_that_swallows_its_cancellation_does_not_keep_serve(monkeypatch):
    monkeypatch.setattr(serving, "END_MS", 100)

    async def main():
        go = asyncio.Event()

        async def stubborn(conn):
            while not go.is_set():
                try:
                    await go.wait()
                except asyncio.CancelledError:
                    pass

        async with Served(stubborn) as service:
            await within(Client(service.port).connect())
            await asyncio.sleep(0.05)
            service.serving.cancel()
            await within(asyncio.wait([service.serving]))
            go.set()

    asyncio.run(main())


def test_client_of_a_gateway_is_left_to_it():
    async def main():
        calls = []

        async def handler(conn):
            calls.append(conn.client_id)

        service = Served(handler)
        service.registry.readers.reserve("[mqtt]", {"a"})
        async with service:
            await within(Client(service.port).connect())
            await within(Client(service.port, "b", OTHER_KEY).connect())
            await until(lambda: calls, "the call for b")
            assert calls == ["b"] and not service.failures()

    asyncio.run(main())


@pytest.mark.parametrize("handler", [None, "app:handler", Served])
def test_handler_that_is_none_is_an_error_at_once(handler):
    with pytest.raises(TypeError, match="async def handler"):
        server.serve(handler)


def test_handler_that_is_no_coroutine_function_is_told():
    async def main():
        async with Served(lambda conn: None) as service:
            await within(Client(service.port).connect())
            await until(service.failures, "the failure")
            assert "write async def handler(conn)" in service.failures()[0][1]["error"]

    asyncio.run(main())


def test_second_handler_beside_the_first_is_an_error():
    async def main():
        async with Served(echo) as service:
            await asyncio.sleep(0)
            with pytest.raises(LocalProtocolError, match="use one"):
                await server.serve(echo)
            service.serving.cancel()
            await within(asyncio.wait([service.serving]))
            service.serve()
            client = Client(service.port)
            await within(client.connect())
            await talk(client, "served again")

    asyncio.run(main())
