"""Connection.lines and Channel.messages: which message an application sees again, and which it does not. Cancelled
calls of readline."""

import asyncio
import contextlib
import random
import shutil
import threading

import pytest

from server import client_conn
from server.core.line_reader import LineReader
from server.stores.sqlite import SQLiteStore
from tests.patience import PATIENCE_S
from tests.server.all_stores import STORES, SlowStore, TemporaryStore
from tests.server.channel_peer import ChannelClient
from tests.server.peer import Client, Service, until, within


async def joined(service, lines=(), kind=Client):
    client = kind(service.port)
    await within(client.connect())
    for line in lines:
        await within(client.write(line))
    await within(client.acknowledged())
    return client, await within(client_conn("a"))


class OfLines:
    """How a test sends and reads the lines of a client. Messages are str here."""

    number = 0
    sent = staticmethod(Client.write)

    def __init__(self, conn):
        self.messages = conn.lines
        self.take = conn.readline

    @staticmethod
    def text(line):
        return line[:-1]


class OfChannel(OfLines):
    """Those of its channel 20."""

    number = 20

    async def sent(client, text):
        client.send(20, text.encode())

    def __init__(self, conn):
        self.messages = conn.channel(20).messages
        self.take = conn.channel(20).receive

    @staticmethod
    def text(message):
        return message.data.decode()


BOTH = pytest.mark.parametrize("of", [OfLines, OfChannel])


@contextlib.asynccontextmanager
async def reading(of, store, texts=()):
    """A client that has sent these texts, and its reader."""
    async with Service(store=store) as service:
        client, conn = await joined(service, kind=ChannelClient)
        for text in texts:
            await within(of.sent(client, text))
        await within(client.acknowledged())
        await client.accepted()
        yield client, of(conn)


async def texts_of(of, messages, count):
    return [of.text(await within(messages.__anext__())) for _ in range(count)]


@BOTH
@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("how", [{}, {"commit": "before"}, {"ahead": 0}, {"ahead": 10}])
def test_messages_come_in_order_and_once(of, store, how):
    async def main():
        async with reading(of, store(), map(str, range(30))) as (_, reader):
            got = []
            async for message in reader.messages(**how):
                got.append(of.text(message))
                if len(got) == 30:
                    break
            assert got == [str(i) for i in range(30)]

    asyncio.run(main())


@BOTH
@pytest.mark.parametrize("store", STORES)
def test_message_that_an_application_died_with_comes_again(of, store):
    async def main():
        async with reading(of, store(), "abcd") as (_, reader):
            messages = reader.messages()
            assert await texts_of(of, messages, 2) == ["a", "b"] and messages.number == 1
            again = reader.messages()
            assert await texts_of(of, again, 2) == ["b", "c"] and again.number == 2
            assert of.text(await within(reader.take())) == "c"
            assert of.text(await within(reader.take())) == "d"

    asyncio.run(main())


@BOTH
@pytest.mark.parametrize("store", STORES)
def test_cancelled_iteration_commits_nothing_more(of, store):
    async def main():
        async with reading(of, store(), "a") as (client, reader):
            messages = reader.messages()
            assert await texts_of(of, messages, 1) == ["a"]
            waiting = asyncio.create_task(messages.__anext__())  # done with a
            await asyncio.sleep(0.1)
            waiting.cancel()
            await of.sent(client, "b")
            assert await texts_of(of, messages, 1) == ["b"]
            assert await texts_of(of, reader.messages(), 1) == ["b"]

    asyncio.run(main())


@BOTH
def test_numbers_are_the_same_in_the_next_process(of):
    async def main(store, sent, expected, number):
        async with reading(of, store, sent) as (_, reader):
            messages = reader.messages()
            assert await texts_of(of, messages, len(expected)) == expected
            assert messages.number == number

    store = TemporaryStore()
    asyncio.run(main(store, ["a", "b"], ["a", "b"], 1))
    store.close()
    again = SQLiteStore(store.path)
    asyncio.run(main(again, [], ["b"], 1))
    again.close()


@BOTH
@pytest.mark.parametrize("how, repeated", [({"ahead": 0}, 1), ({}, 2), ({"ahead": 3}, 4)])
def test_crash_repeats_the_message_in_progress_and_as_many_before_it_as_are_ahead(of, how, repeated):
    """A copy of the files, made while the thread is held before its transaction, is what a crash would leave."""

    async def main(store, copy):
        async with reading(of, store, map(str, range(10))) as (_, reader):
            messages = reader.messages(**how)
            assert await texts_of(of, messages, 4) == list("0123")
            await until(lambda: store.unread("a", of.number)[0] == 7 and store._flying is None, "the removals")
            commit, held, free = store._database.commit, threading.Event(), threading.Event()

            def hold(changes):
                held.set()
                free.wait(PATIENCE_S)
                return commit(changes)

            store._database.commit = hold
            for _ in range(repeated - 1):
                await within(messages.__anext__())
            following = asyncio.create_task(messages.__anext__())
            await until(held.is_set, "the transaction")
            await asyncio.sleep(0.05)
            assert not following.done() and messages.number == 3 + repeated - 1
            for end in ("", "-wal"):
                shutil.copy(store.path + end, copy + end)
            free.set()
            await within(following)

    async def after(store):
        async with reading(of, store) as (_, reader):
            assert await texts_of(of, reader.messages(), 1) == ["3"]

    store = TemporaryStore()
    copy = store.path + "-after"
    asyncio.run(main(store, copy))
    store.close()
    again = SQLiteStore(copy)
    asyncio.run(after(again))
    again.close()


@BOTH
@pytest.mark.parametrize("how, returned", [({"ahead": 0}, 1), ({}, 2), ({"ahead": 3}, 4)])
def test_with_ahead_so_many_are_returned_before_the_commit_of_the_first_is_safe(of, how, returned):
    """What comes on another channel between them does not count."""

    async def main():
        store = SlowStore()
        async with reading(of, store) as (client, reader):
            for number in range(8):
                await of.sent(client, str(number))
                client.send(21, b"between")
                await client.accepted()
                await within(client.acknowledged())
            messages = reader.messages(**how)
            store.gate.clear()
            assert await texts_of(of, messages, returned) == [str(number) for number in range(returned)]
            following = asyncio.create_task(messages.__anext__())
            await asyncio.sleep(0.05)
            assert not following.done() and store.inside == "drop"
            store.gate.set()
            assert of.text(await within(following)) == str(returned)

    asyncio.run(main())


@BOTH
def test_bad_arguments_are_refused_with_words(of):
    async def main():
        async with Service() as service:
            reader = of(service.connection())
            with pytest.raises(ValueError, match="commit must be"):
                reader.messages(commit="never")
            for bad in (-1, 1.5, None):
                with pytest.raises(ValueError, match="ahead must be a whole number from 0 on"):
                    reader.messages(ahead=bad)

    asyncio.run(main())


@pytest.mark.parametrize("store", STORES[1:])
def test_line_taken_for_a_reader_that_was_cancelled_goes_back(store):
    async def main():
        async with Service(store=store()) as service:
            lines = [f"{i}\n" for i in range(40)]
            client, conn = await joined(service)
            sending = asyncio.create_task(send(client, lines))
            rng = random.Random(1)
            got = []
            while len(got) < len(lines):
                readers = [asyncio.create_task(conn.readline()) for _ in range(rng.randrange(1, 4))]
                await asyncio.sleep(rng.random() * 0.01)
                for reader in readers:
                    reader.cancel()
                await asyncio.wait(readers)
                got += [reader.result() for reader in readers if not reader.cancelled()]
                if rng.random() < 0.3:
                    await until(lambda: not conn.inbox.reader.taken, "all lines to go back")
            assert got == lines
            await sending

    asyncio.run(main())


async def send(client, lines):
    for line in lines:
        await within(client.write(line))


def test_number_of_unsafe_messages_is_told_without_a_look_at_each():
    compared = []

    class Number(int):
        def __ge__(self, other):
            compared.append(self)
            return int(self) >= int(other)

        def __lt__(self, other):
            compared.append(self)
            return int(self) < int(other)

    reader = LineReader("a")
    for number in (0, 2, 3, 7, *range(10, 70)):
        reader.finish(Number(number))
    reader.give(Number(70))
    compared.clear()
    assert reader.unsafe == 64 and len(compared) == 2


def test_message_that_is_processed_twice_or_late_is_one():
    reader = LineReader("a")
    reader.give(4)
    for number in (3, 4, 4, 2):
        reader.finish(number)
    assert (reader.unsafe, reader.finished) == (1, 5)
