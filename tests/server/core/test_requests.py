"""Requests at the server: what runs, and what is answered, on every store, whatever ends in the middle."""

import asyncio
import random

import pytest

from primitives.platform import ticks_ms
from primitives.waiting import ticks_add
from protocol.channel_records import ANSWER, EXPIRES, FAILURE, REQUEST
from protocol.errors import LinkDown, RequestFailed, RequestTimeout, StoreError
from protocol.request_reasons import RESTARTED
from protocol.requests import ident, ident_of
from server import MemoryStore, client_conn
from server.core.message import BEGUN, Message
from server.core.requests import MAX_HANDLERS, MAX_REQUESTS, refusal
from tests.server.all_stores import STORES, FailingStore, SlowStore, TemporaryStore
from tests.server.channel_peer import ChannelClient
from tests.server.peer import Service, until, within

LONG_MS = 60000


class Peer(ChannelClient):
    """A client that asks and answers on channel 20 by hand."""

    def ask(self, number, data=b"", ttl_ms=LONG_MS, channel=20):
        deadline = ticks_add(ticks_ms(), ttl_ms)
        self.open(channel).append(bytes(2) + ident(number) + data, True, REQUEST | EXPIRES, deadline)
        self._after()

    def answer(self, name, data, kind=ANSWER):
        self.open(20).append(name + data, True, kind)
        self._after()

    def _after(self):
        if self.up:
            self._flush()

    async def calls(self, count, channel=20):
        """Returns [(id, data, type)] of the requests and answers that have come."""
        found = await self.messages(channel, count)
        return [(ident_of(entry), entry[0][6 if entry[1] & EXPIRES else 4 :], entry[1] & ~EXPIRES) for entry in found]


async def joined(service, client=None):
    client = client or Peer(service.port)
    client.port = service.port
    await within(client.connect())
    return client, await within(client_conn("a"))


def run(main, kind=MemoryStore):
    async def whole():
        async with Service(store=kind()) as service:
            await main(service)

    asyncio.run(whole())


def waiting(service):
    """Messages in the inbox of channel 20."""
    return service.store.unread("a", 20)[0]


# Answering


@pytest.mark.parametrize("kind", STORES)
def test_requests_are_answered_in_their_order_and_leave_the_store(kind):
    async def main(service):
        client, conn = await joined(service)
        ran = []

        def handler(data):
            ran.append(data)
            return data[::-1]

        client.ask(1, b"early")
        await client.accepted()
        conn.on_request(20, handler)
        client.ask(2, b"later")
        client.ask(3, b"")
        found = await client.calls(3)
        assert [one for one in found if one[0] == ident(2)] == [(ident(2), b"retal", ANSWER)]
        assert sorted(found) == [(ident(1), b"ylrae", ANSWER), (ident(2), b"retal", ANSWER), (ident(3), b"", ANSWER)]
        assert ran == [b"early", b"later", b""]
        await until(lambda: not waiting(service), "the removal")
        assert len(client.got[20]) == 3

    run(main, kind)


@pytest.mark.parametrize("kind", STORES)
def test_so_many_handlers_run_at_once_and_other_channels_go_on(kind):
    async def main(service):
        client, conn = await joined(service)
        running, free = [], asyncio.Event()

        async def handler(data):
            running.append(data)
            await free.wait()

        conn.on_request(20, handler)
        conn.on_request(21, lambda data: b"other")
        for i in range(MAX_HANDLERS + 2):
            client.ask(i, b"%d" % i)
        await until(lambda: len(running) == MAX_HANDLERS, "handlers")
        client.open(21).append(b"name", True, REQUEST)
        client._after()
        assert await client.calls(1, 21) == [(b"name", b"other", ANSWER)]
        assert len(running) == MAX_HANDLERS
        free.set()
        await client.calls(MAX_HANDLERS + 2)
        assert running == [b"%d" % i for i in range(MAX_HANDLERS + 2)]

    run(main, kind)


def test_client_that_does_not_read_its_answers_stops_handlers_of_that_channel_only():
    async def main(service):
        client, conn = await joined(service)
        client.mute = {20}
        ran = []

        def handler(data):
            ran.append(data)
            return bytes(8000)

        conn.on_request(20, handler)
        conn.on_request(21, lambda data: data)
        for i in range(20):
            client.ask(i, b"%d" % i)
        await until(lambda: len(ran) >= MAX_HANDLERS, "handlers")
        client.ask(1, b"other", channel=21)
        assert await client.calls(1, 21) == [(ident(1), b"other", ANSWER)]
        await asyncio.sleep(0.1)
        assert len(ran) < 15
        client.read_again()
        await client.calls(20)
        assert ran == [b"%d" % i for i in range(20)]

    run(main)


@pytest.mark.parametrize("kind", STORES)
def test_late_request_does_not_run_although_it_was_accepted_in_time(kind):
    async def main(service):
        client, conn = await joined(service)
        ran = []
        client.ask(1, b"late", 150)
        client.ask(2, b"in time")
        await client.accepted()
        await asyncio.sleep(0.3)
        conn.on_request(20, ran.append)
        assert await client.calls(1) == [(ident(2), b"", ANSWER)]
        assert ran == [b"in time"]
        await until(lambda: not waiting(service), "the removal")

    run(main, kind)


def test_request_without_a_time_limit_is_never_late():
    async def main(service):
        client, conn = await joined(service)
        client.open(20).append(b"name", True, REQUEST)
        client._after()
        await client.accepted()
        await asyncio.sleep(0.02)
        conn.on_request(20, lambda data: b"ran")
        assert await client.calls(1) == [(b"name", b"ran", ANSWER)]

    run(main)


def test_what_a_handler_raises_is_told_to_the_client_and_to_the_operator():
    async def main(service):
        told = []
        service.events.subscribe(lambda event, client, details: told.append((event, details)))
        client, conn = await joined(service)

        async def handler(data):
            if data == b"cancelled":
                other = asyncio.create_task(asyncio.sleep(9))
                other.cancel()
                await other
            raise ValueError("no \u00e4")

        conn.on_request(20, handler)
        client.ask(1)
        assert await client.calls(1) == [(ident(1), "ValueError: no \u00e4".encode(), FAILURE)]
        assert ("request_failed", {"channel": 20, "error": "ValueError: no \u00e4"}) in told
        client.ask(2, b"cancelled")
        assert (await client.calls(2))[1] == (ident(2), b"CancelledError", FAILURE)
        conn.on_request(20, lambda data: bytes(8187))
        client.ask(3)
        assert b"8187 bytes, the longest is 8186" in (await client.calls(3))[2][1]

    run(main)


@pytest.mark.parametrize("kind", STORES)
def test_handler_that_ran_when_the_server_ended_does_not_run_again_and_its_request_fails(kind):
    async def main():
        store, ran = kind(), []

        async def stuck(data):
            ran.append(data)
            await asyncio.Event().wait()

        async with Service(store=store) as service:
            client, conn = await joined(service)
            conn.on_request(20, stuck)
            client.ask(1, b"running")
            await until(lambda: ran, "the handler")
            number, message = await store.look("a", conn.state.owner, 0, 20)
            assert message.kind == REQUEST | BEGUN
            client.cut()
        async with Service(store=store) as service:
            client, conn = await joined(service, client)
            client.ask(2, b"new")
            conn.on_request(20, lambda data: ran.append(data))
            found = dict((name, (data, kind)) for name, data, kind in await client.calls(2))
            assert found[ident(1)][1] == FAILURE and b"the server was restarted" in found[ident(1)][0]
            assert found[ident(2)] == (b"", ANSWER)
            assert ran == [b"running", b"new"]
            await until(lambda: not waiting(service), "the removal")

    asyncio.run(main())


@pytest.mark.parametrize("kind", STORES)
def test_handler_goes_on_when_its_client_is_claimed_anew_and_its_answer_is_put_once(kind):
    async def main(service):
        client, conn = await joined(service)
        ran, free = [], asyncio.Event()

        async def handler(data):
            ran.append(data)
            await free.wait()
            return b"answer"

        conn.on_request(20, handler)
        client.ask(1, b"1")
        await until(lambda: ran, "the handler")
        client.cut()
        conn._begin(service.store, await service.store.claim("a"))  # as after a failure of the store
        await within(client.connect())
        await asyncio.sleep(0.05)
        free.set()
        assert await client.calls(1) == [(ident(1), b"answer", ANSWER)]
        client.ask(2, b"2")
        assert (await client.calls(2))[1:] == [(ident(2), b"answer", ANSWER)]
        assert ran == [b"1", b"2"]

    run(main, kind)


def test_another_server_that_has_claimed_the_client_answers_for_the_one_that_has_lost_it():
    async def main(service):
        client, conn = await joined(service)
        free, ran = asyncio.Event(), []

        async def handler(data):
            ran.append(data)
            await free.wait()
            return b"too late"

        conn.on_request(20, handler)
        client.ask(1)
        await until(lambda: ran, "the handler")
        state = await service.store.claim("a")  # the other server, which answers and removes
        await service.store.remove("a", state.owner, (0,))
        free.set()
        client.cut()
        await asyncio.sleep(0.05)
        await within(client.connect())  # this one claims it again
        client.ask(2)
        assert await client.calls(1) == [(ident(2), b"too late", ANSWER)]

    run(main)


@pytest.mark.parametrize("method", ["put", "mark", "remove"])
def test_store_that_fails_repeats_no_handler(method):
    async def main():
        store = MarkingStore()
        async with Service(store=store) as service:
            client, conn = await joined(service)
            ran = []
            conn.on_request(20, lambda data: ran.append(data))
            client.ask(1, b"1")
            await client.calls(1)
            await until(lambda: not waiting(service), "the removal")
            store.failing = method
            client.ask(2, b"2")
            await until(lambda: conn.fault, "the fault")
            store.failing = None
            client.cut()
            await within(client.connect())
            client.ask(3, b"3")
            count = 4 if method == "remove" else 3  # the answer had been put, and comes twice: the client sees its id
            assert {name for name, _, _ in await client.calls(count)} == {ident(1), ident(2), ident(3)}
            assert ran == [b"1", b"2", b"3"]
            await until(lambda: not waiting(service), "the removal")

    asyncio.run(main())


class MarkingStore(FailingStore):
    async def mark(self, *args):
        self._may("mark")
        await super().mark(*args)

    async def remove(self, *args):
        self._may("remove")
        await super().remove(*args)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", [MemoryStore, TemporaryStore])
def test_random_ends_of_the_server_repeat_no_handler_and_leave_no_request_without_an_answer(kind, seed):
    rng = random.Random(seed)
    store, ran, client = kind(), [], None

    async def handler(data):
        ran.append(data)
        await asyncio.sleep(rng.random() / 50)
        return b"answer to " + data

    async def life(client, last):
        async with Service(store=store) as service:
            client, conn = await joined(service, client)
            conn.on_request(20, handler)
            if last:
                await until(lambda: len(client.got.get(20, ())) == client.asked, "the answers")
            else:
                for _ in range(rng.randrange(8)):
                    client.ask(client.asked, b"%d" % client.asked)
                    client.asked += 1
                    if rng.random() < 0.3:
                        client.cut()
                        await within(client.connect())
                await asyncio.sleep(rng.random() / 25)
            client.cut()

    async def main():
        client = Peer(0)
        client.asked = 0
        for _ in range(8):
            await life(client, False)
        await life(client, True)
        await asyncio.sleep(0.05)
        return client, await client.calls(client.asked)

    client, found = asyncio.run(main())
    assert sorted(name for name, _, _ in found) == [ident(i) for i in range(client.asked)]
    assert len(ran) == len(set(ran))
    for name, data, kind_of in found:
        text = b"%d" % int.from_bytes(name, "big")
        if kind_of == ANSWER:
            assert data == b"answer to " + text and text in ran
        else:
            assert data.startswith(b"the server was restarted")


# Asking


@pytest.mark.parametrize("kind", STORES)
def test_answers_are_matched_by_their_ids_and_leave_the_store(kind):
    async def main(service):
        client, conn = await joined(service)
        tasks = [asyncio.create_task(conn.request(20, b"%d" % i, LONG_MS)) for i in range(5)]
        requests = await client.calls(5)
        assert [data for _, data, _ in requests] == [b"%d" % i for i in range(5)]
        client.answer(b"none", b"unknown")
        for name, data, kind_of in reversed(requests):
            assert kind_of == REQUEST
            client.answer(name, b"answer to " + data, FAILURE if data == b"3" else ANSWER)
        for i in (0, 1, 2, 4):
            assert await within(tasks[i]) == b"answer to %d" % i
        with pytest.raises(RequestFailed, match="channel 20: answer to 3"):
            await within(tasks[3])
        await until(lambda: not waiting(service), "the removal")

    run(main, kind)


@pytest.mark.parametrize("kind", STORES)
def test_late_answer_is_thrown_away_and_so_is_that_to_a_server_of_before(kind):
    async def main():
        store = kind()
        async with Service(store=store) as service:
            client, conn = await joined(service)
            with pytest.raises(RequestTimeout, match="channel 20 within 100 ms"):
                await within(conn.request(20, b"late", 100))
            lost = asyncio.create_task(conn.request(20, b"lost", LONG_MS))
            requests = await client.calls(2)
            client.cut()
            client.answer(requests[1][0], b"to the server of before")
            lost.cancel()
        async with Service(store=store) as service:
            client, conn = await joined(service, client)
            asking = asyncio.create_task(conn.request(20, b"new", LONG_MS))
            requests = await client.calls(3)
            client.answer(requests[0][0], b"late")
            client.answer(requests[2][0], b"new")
            assert await within(asking) == b"new"
            await until(lambda: not waiting(service), "the removal")

    asyncio.run(main())


def test_request_waits_for_an_absent_client_or_fails_at_once():
    async def main(service):
        conn = service.connection()
        with pytest.raises(LinkDown, match="absent"):
            await within(conn.request(20, b"", LONG_MS, wait=False))
        with pytest.raises(RequestTimeout):
            await within(conn.request(20, b"late", 50))
        asking = asyncio.create_task(conn.request(20, b"kept", LONG_MS))
        await asyncio.sleep(0.02)
        client, _ = await joined(service)
        name, data, _ = (await client.calls(1))[0]
        assert data == b"kept"
        client.answer(name, b"1")
        assert await within(asking) == b"1"
        asking = asyncio.create_task(conn.request(20, b"", LONG_MS, wait=False))
        client.answer((await client.calls(2))[1][0], b"2")
        assert await within(asking) == b"2"
        with pytest.raises(LinkDown, match="channel 30"):
            await within(conn.request(30, b"", LONG_MS, wait=False))

    run(main)


def test_so_many_requests_wait_for_answers_and_the_next_one_for_its_place():
    async def main(service):
        client, conn = await joined(service)
        tasks = [asyncio.create_task(conn.request(20, b"%d" % i, LONG_MS)) for i in range(MAX_REQUESTS + 1)]
        requests = await client.calls(MAX_REQUESTS)
        with pytest.raises(RequestTimeout):
            await within(conn.request(20, b"late", 50))
        assert len(client.got[20]) == MAX_REQUESTS
        client.answer(requests[5][0], b"done")
        assert await within(tasks[5]) == b"done"
        assert (await client.calls(MAX_REQUESTS + 1))[-1][1] == b"%d" % MAX_REQUESTS

    run(main)


@pytest.mark.parametrize("kind", STORES)
def test_new_life_of_the_client_fails_what_the_former_one_had_accepted(kind):
    async def main(service):
        client, conn = await joined(service)
        accepted = asyncio.create_task(conn.request(20, b"accepted", LONG_MS))
        answered = asyncio.create_task(conn.request(20, b"answered", LONG_MS))
        name = (await client.calls(2))[1][0]
        channel = conn.channel(20)._client.of_session(20)
        await until(lambda: not channel.unacknowledged(), "the acknowledgement")
        client.mute = {20}
        open_ = asyncio.create_task(conn.request(20, b"for the next life", LONG_MS))
        await until(lambda: client.open(20).received, "the request")
        client.answer(name, b"yes")
        assert await within(answered) == b"yes"
        client.cut()
        client, _ = await joined(service)
        with pytest.raises(RequestFailed, match="the client was restarted") as raised:
            await within(accepted)
        assert raised.value.reason == RESTARTED
        name, data, _ = (await client.calls(1))[0]
        assert data == b"for the next life"
        client.answer(name, b"here")
        assert await within(open_) == b"here"

    run(main, kind)


def test_store_that_takes_long_does_not_make_a_request_wait_longer():
    async def main():
        store = SlowStore()
        async with Service(store=store) as service:
            client, conn = await joined(service)
            store.gate.clear()
            with pytest.raises(RequestTimeout):
                await within(conn.request(20, b"1", 100))
            asking = asyncio.create_task(conn.request(20, b"2", LONG_MS))
            await asyncio.sleep(0.02)
            store.gate.set()
            requests = await client.calls(1)
            name, data, _ = requests[-1]
            assert data == b"2"
            client.answer(name, b"yes")
            assert await within(asking) == b"yes"

    asyncio.run(main())


def test_failed_store_is_told_to_who_asks():
    async def main():
        store = FailingStore()
        async with Service(store=store) as service:
            _, conn = await joined(service)
            store.failing = "put"
            with pytest.raises(StoreError):
                await within(conn.request(20, b"", LONG_MS))

    asyncio.run(main())


def test_discarded_request_times_out():
    async def main(service):
        conn = service.connection()
        asking = asyncio.create_task(conn.request(20, b"", 300))
        await asyncio.sleep(0.05)
        assert await conn.discard() == 1
        with pytest.raises(RequestTimeout):
            await within(asking)

    run(main)


# Mixed


def test_what_does_not_belong_on_a_channel_is_told():
    async def main(service):
        told = []
        service.events.subscribe(lambda event, client, details: told.append((event, details)))
        client, conn = await joined(service, Peer(service.port, (20, 21, 22)))
        conn.on_request(20, lambda data: data)
        client.send(20, b"plain")
        client.ask(1, b"good")
        assert await client.calls(1) == [(ident(1), b"good", ANSWER)]
        assert ("channel_mixed", {"channel": 20, "used_for": "requests"}) in told
        for number, messages in ((21, conn.channel(21).messages()), (22, None)):
            client.ask(1, b"", channel=number)
            client.open(number).append(b"nameanswer", True, ANSWER)
            client.send(number, b"plain")
            got = await within(messages.__anext__() if messages else conn.channel(number).receive())
            assert got.data == b"plain"
            text = b"channel %d is used for messages at the server" % number
            assert await client.calls(1, number) == [(ident(1), text, FAILURE)]
            assert ("channel_mixed", {"channel": number, "used_for": "messages"}) in told

    run(main)


def test_bad_arguments_ask_nothing():
    async def main(service):
        conn = service.connection()
        for data, timeout_ms, kind in ((5, 1, TypeError), (bytes(8187), 1, ValueError), (b"", 0, ValueError),
                                       (b"", None, TypeError), (b"", 1 << 30, ValueError)):  # fmt: skip
            with pytest.raises(kind):
                await within(conn.request(20, data, timeout_ms))
        with pytest.raises(ValueError, match="16 to 127"):
            conn.request(0, b"", 1)
        with pytest.raises(TypeError, match="function"):
            conn.on_request(20, None)
        asking = asyncio.create_task(conn.request(20, b"", LONG_MS))
        await asyncio.sleep(0.01)
        with pytest.raises(ValueError, match="makes requests here"):
            conn.on_request(20, len)
        asking.cancel()
        assert refusal(Message(20, ANSWER, 0, b"name"), "is") is None

    run(main)
