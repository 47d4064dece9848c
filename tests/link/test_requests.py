"""Requests and their answers over the whole path, whatever fails between."""

import asyncio
import random

import pytest

import esp_link.bridge
from protocol.errors import LinkDown, RequestFailed, RequestTimeout
from protocol.request_reasons import NO_HANDLER
from tests.link.harness import System
from tests.link.test_link import QUICK
from tests.server.all_stores import STORES, TemporaryStore
from tests.server.peer import until, within

LONG_MS = 60000


@pytest.fixture(autouse=True)
def quick_recovery(monkeypatch):
    for name, ms in QUICK.items():
        monkeypatch.setattr(esp_link.bridge, name, ms)


def run(main, **more):
    async def whole():
        async with System(**more) as system:
            await main(system, await system.connected())

    asyncio.run(whole())


def doubled(data):
    return data + data


@pytest.mark.parametrize("kind", STORES)
def test_each_end_asks_and_the_other_answers(kind):
    async def slowly(data):
        await asyncio.sleep(0.01)
        return "text \u00e4" if data == b"text" else None

    async def main(system, conn):
        for asks, answers in ((system.app, conn), (conn, system.app)):
            number = 20 if asks is conn else 21
            answers.on_request(number, doubled)
            assert await within(asks.request(number, b"\x00\xff", LONG_MS)) == b"\x00\xff\x00\xff"
            assert await within(asks.request(number, "ab", LONG_MS)) == b"abab"
            answers.on_request(number, slowly)
            assert await within(asks.request(number, b"text", LONG_MS)) == "text \u00e4".encode()
            assert await within(asks.request(number, b"none", LONG_MS)) == b""
        assert system.chip.boots == 1

    run(main, store=kind())


@pytest.mark.parametrize("kind", STORES)
def test_requests_that_are_asked_at_once_get_their_own_answers(kind):
    async def handler(data):
        await asyncio.sleep(random.random() / 50)
        return b"answer to " + data

    async def main(system, conn):
        for asks, answers in ((system.app, conn), (conn, system.app)):
            number = 20 if asks is conn else 21
            answers.on_request(number, handler)
            found = await within(asyncio.gather(*(asks.request(number, b"%d" % i, LONG_MS) for i in range(40))))
            assert found == [b"answer to %d" % i for i in range(40)]

    run(main, store=kind())


def test_exception_of_a_handler_reaches_the_caller_with_its_text():
    def handler(data):
        raise KeyError("\u00e4" * 300)

    async def wrong(data):
        return 5

    async def main(system, conn):
        for asks, answers in ((system.app, conn), (conn, system.app)):
            number = 20 if asks is conn else 21
            answers.on_request(number, handler)
            with pytest.raises(RequestFailed, match="channel %d: KeyError: '\u00e4{90,100}$" % number):
                await within(asks.request(number, b"", LONG_MS))
            answers.on_request(number, wrong)
            with pytest.raises(RequestFailed, match="TypeError: a message must be bytes or a str, not int"):
                await within(asks.request(number, b"", LONG_MS))
            answers.on_request(number, lambda data: bytes(9000))
            with pytest.raises(RequestFailed, match="ValueError: .*9000 bytes"):
                await within(asks.request(number, b"", LONG_MS))
            answers.on_request(number, doubled)
            assert await within(asks.request(number, b"1", LONG_MS)) == b"11"

    run(main)


def test_late_answer_is_not_given_to_the_next_request():
    async def main(system, conn):
        for asks, answers in ((system.app, conn), (conn, system.app)):
            number = 20 if asks is conn else 21
            free = asyncio.Event()

            async def handler(data, free=free):
                if data == b"slow":
                    await free.wait()
                return data

            answers.on_request(number, handler)
            with pytest.raises(RequestTimeout, match="channel %d within 300 ms" % number):
                await within(asks.request(number, b"slow", 300))
            cancelled = asyncio.create_task(asks.request(number, b"slow", LONG_MS))
            await asyncio.sleep(0.1)
            cancelled.cancel()
            asking = asyncio.create_task(asks.request(number, b"next", LONG_MS))
            await asyncio.sleep(0.05)
            free.set()
            assert await within(asking) == b"next"
            assert await within(asks.request(number, b"last", LONG_MS)) == b"last"

    run(main)


def test_request_to_an_absent_end_fails_at_once_or_waits_and_a_late_one_never_runs():
    async def main(system, conn):
        ran = []

        def handler(data):
            ran.append(data)
            return data

        system.app.on_request(20, handler)
        conn.on_request(21, handler)
        assert await within(system.app.request(21, b"up", LONG_MS)) == b"up"
        assert await within(conn.request(20, b"down", LONG_MS)) == b"down"
        system.chip.broken = True
        system.chip.kill()
        await until(lambda: not conn.status() and not system.app.status(), "the end of the connection")
        for end, number in ((system.app, 21), (conn, 20)):
            with pytest.raises(LinkDown):
                await within(end.request(number, b"at once", LONG_MS, wait=False))
            with pytest.raises(RequestTimeout):
                await within(end.request(number, b"late", 100))
        waiting = [
            asyncio.create_task(end.request(number, b"kept", LONG_MS)) for end, number in ((system.app, 21), (conn, 20))
        ]
        await asyncio.sleep(0.1)
        system.chip.broken = False
        system.chip.boot()
        assert await within(asyncio.gather(*waiting)) == [b"kept", b"kept"]
        assert ran == [b"up", b"down", b"kept", b"kept"]

    run(main)


@pytest.mark.parametrize("seed", range(3))
def test_handler_runs_once_for_a_request_whatever_fails_on_the_way(seed):
    async def main(system, conn):
        rng = random.Random(seed)
        ran = {20: [], 21: []}
        answered = []

        def counting(number):
            async def handler(data):
                ran[number].append(data)
                await asyncio.sleep(rng.random() / 20)
                return number.to_bytes(1, "big") + data

            return handler

        async def ask_all(end, number):
            for i in range(25):
                data = b"%d" % i + rng.randbytes(rng.choice((0, 10, 2000)))
                assert await end.request(number, data, LONG_MS) == number.to_bytes(1, "big") + data
                answered.append(data)

        async def disturb():
            """No fault before something has been answered since the last one: a slow machine needs longer for it."""
            seen = 0
            while True:
                await asyncio.sleep(0.15)
                while len(answered) == seen:
                    await asyncio.sleep(0.01)
                seen = len(answered)
                if rng.random() < 0.5:
                    system.chip.restart()
                elif system.chip.socket and system.chip.on:
                    try:
                        system.chip.socket.cut()
                    except OSError:
                        pass

        system.app.on_request(20, counting(20))
        conn.on_request(21, counting(21))
        disturbing = asyncio.create_task(disturb())
        try:
            await within(asyncio.gather(ask_all(conn, 20), ask_all(system.app, 21)), 60)
        finally:
            disturbing.cancel()
        for number in ran:
            assert len(ran[number]) == 25

    run(main, store=TemporaryStore())


def test_reset_of_the_bridge_while_a_handler_runs_neither_repeats_nor_loses_it():
    async def main(system, conn):
        for asks, answers in ((system.app, conn), (conn, system.app)):
            number = 20 if asks is conn else 21
            ran, free = [], asyncio.Event()

            async def handler(data, ran=ran, free=free):
                ran.append(data)
                await free.wait()
                return data

            answers.on_request(number, handler)
            asking = asyncio.create_task(asks.request(number, b"once", LONG_MS))
            await until(ran.copy, "the handler")
            await within(system.app.reboot())
            free.set()
            assert await within(asking) == b"once"
            assert ran == [b"once"]

    run(main)


def test_server_that_stops_while_the_client_asks_answers_after_its_start():
    async def main(system, conn):
        ran = []
        conn.on_request(21, lambda data: ran.append(data))
        await system.service.stop()
        asking = asyncio.create_task(system.app.request(21, b"once", LONG_MS))
        await asyncio.sleep(0.3)
        system.service.start()
        assert await within(asking) == b""
        assert ran == [b"once"]

    run(main)


def test_closed_link_ends_requests():
    async def main(system, conn):
        asking = asyncio.create_task(system.app.request(21, b"", LONG_MS))
        system.app.on_request(20, doubled)
        await asyncio.sleep(0)
        system.app.close()
        with pytest.raises(LinkDown):
            await within(asking)
        with pytest.raises(LinkDown):
            await within(system.app.request(21, b"", LONG_MS))

    run(main)


def test_channel_is_for_messages_or_for_requests():
    async def main(system, conn):
        app = system.app
        for end in (app, conn):
            end.on_request(30, doubled)
            with pytest.raises(ValueError, match="channel 30 is used for requests"):
                await end.channel(30).send(b"")
            with pytest.raises(ValueError, match="channel 30 is used for requests"):
                await end.channel(30).receive(0)
            with pytest.raises(ValueError, match="channel 30 answers requests here"):
                await within(end.request(30, b"", LONG_MS))
            await end.channel(31).send(b"", wait=False)
            with pytest.raises(ValueError, match="channel 31 is used for messages"):
                end.on_request(31, doubled)
            with pytest.raises(ValueError, match="channel 31 is used for messages"):
                end.request(31, b"", LONG_MS)
        # The two ends differ.
        for asks, reads, number in ((app, conn, 40), (conn, app, 41)):
            reading = asyncio.create_task(reads.channel(number).receive())
            await asyncio.sleep(0)
            with pytest.raises(RequestFailed, match="channel %d is used for messages at the" % number) as raised:
                await within(asks.request(number, b"", LONG_MS))
            assert asks is app or raised.value.reason == NO_HANDLER
            reading.cancel()
        for asks, other, number in ((app, conn, 50), (conn, app, 51)):
            theirs = asyncio.create_task(other.request(number, b"", LONG_MS))
            await asyncio.sleep(0)
            with pytest.raises(RequestFailed, match="no handler of requests at the") as raised:
                await within(asks.request(number, b"", LONG_MS))
            assert asks is app or raised.value.reason == NO_HANDLER
            theirs.cancel()

    run(main)
