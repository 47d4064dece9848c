"""Hints between processes: told soon, few, and none that anything depends on."""

import asyncio

import asyncpg
import pytest

from server.core.store import StoreGone
from server.stores import postgres_hints
from server.stores.postgres_hints import ALL, Hints, channel_of, decode_hint, encode_hint
from tests.server import postgres
from tests.server.peer import until
from tests.server.shared_bed import run


class Process:
    """Its Hints, and what it has heard."""

    def __init__(self, node, schema="pb_link", url=None):
        self.heard = []
        self.warned = []
        self.beats = 0
        self.gone = self.cancel_in_beat = False

        async def joined():
            return node

        self.hints = Hints(url or postgres.server().url, schema, joined, self._beat, self._hear, self.warned.append)

    async def _beat(self, connection):
        self.connection = connection
        self.beats += 1
        if self.gone:
            raise StoreGone("gone")
        if self.cancel_in_beat:
            self.cancel_in_beat = False
            self.task.cancel()

    def _hear(self, word, keys):
        self.heard.append((word, keys))

    async def __aenter__(self):
        self.task = asyncio.create_task(self.hints.run())
        await until(lambda: self.beats, "the first beat")
        return self

    async def __aexit__(self, *error):
        self.task.cancel()
        await asyncio.wait([self.task])


def test_hint_is_decoded_as_it_was_encoded():
    found = {"mail": {3, 12}, "result": None}
    assert decode_hint(encode_hint(found)) == found
    assert encode_hint(found) == "mail:3,12 result:"


@pytest.mark.parametrize("payload", ["", "nonsense", "mail", "mail:x", "mail:1,,2", "mail:-1", "mail:\u0663"])
def test_what_others_send_on_the_channel_is_no_hint(payload):
    assert decode_hint(payload) == {}


def test_channels_are_told_apart_and_have_names_that_postgresql_takes():
    names = {channel_of(schema, node) for schema in ("a" * 63, "a" * 62) for node in (ALL, 1, 2**63 - 1)}
    assert len(names) == 6 and all(len(name) <= 63 for name in names)


def test_process_is_told_and_others_are_not():
    async def main():
        async with Process(1) as one, Process(2) as two, Process(3) as three, Process(2, "another") as stranger:
            one.hints.tell(2, "mail", 7)
            await until(lambda: two.heard, "the hint")
            one.hints.tell(ALL, "seen", 8)
            await until(lambda: len(two.heard) == 2 and three.heard, "the hint for all")
            assert two.heard == [("mail", {7}), ("seen", {8})] and three.heard == [("seen", {8})]
            assert one.heard == stranger.heard == []  # not what it has told itself, and nothing of other tables
            one.hints.tell(1, "mail", 9)
            await until(lambda: one.heard == [("mail", {9})], "what it is to do itself")

    run(main())


def test_what_is_told_within_a_moment_is_one_notification(monkeypatch):
    monkeypatch.setattr(postgres_hints, "COALESCE_S", 3600.0)

    async def main():
        async with Process(1) as one, Process(2) as two:
            one.hints.tell(2, "mail", 1)
            await until(lambda: two.heard, "the first one, which waits for nothing")
            for key in range(2, 100):
                one.hints.tell(2, "mail", key)
                one.hints.tell(2, "result")
            monkeypatch.setattr(postgres_hints, "COALESCE_S", 0.0)
            one.hints.look()
            await until(lambda: len(two.heard) == 3, "the others")
            assert dict(two.heard[1:]) == {"mail": set(range(2, 100)), "result": None}
            await until(lambda: one.hints.sent == 2, "the end of the second one")
            assert one.hints.sent == 2

    run(main())


def test_too_many_keys_are_all_keys(monkeypatch):
    async def main():
        async with Process(1) as one, Process(2) as two:
            for key in range(postgres_hints.MAX_KEYS + 2):
                one.hints.tell(2, "mail", 10**18 + key)
            await until(lambda: ("mail", None) in two.heard, "all")

    run(main())


def test_cancellation_at_the_end_of_a_beat_is_not_lost():
    """CPython 3.11's asyncio.wait_for loses one that comes in the same turn of the loop as the result."""

    async def main():
        async with Process(1) as one:
            one.cancel_in_beat = True
            one.hints.look()
            await asyncio.wait([one.task])
            assert one.task.cancelled()

    run(main())


def test_connection_that_breaks_is_made_again_and_all_is_looked_at(monkeypatch):
    monkeypatch.setattr(postgres_hints, "BEAT_S", 3600.0)
    monkeypatch.setattr(postgres_hints, "PAUSE_S", 0.01)

    async def main():
        async with Process(1) as one, Process(2) as two:
            pid = two.connection.get_server_pid()
            killer = await asyncpg.connect(postgres.server().url)
            await killer.execute("SELECT pg_terminate_backend($1)", pid)
            await killer.close()
            two.hints.tell(1, "mail", 1)  # which finds that the connection is broken, and may be lost
            await until(lambda: two.beats == 2, "the look after connecting again")
            one.hints.tell(2, "mail", 5)
            await until(lambda: ("mail", {5}) in two.heard, "the hint")

    run(main())


def test_without_a_connection_a_hint_is_lost_and_nothing_grows():
    process = Process(1)
    process.hints.tell(2, "mail", 1)
    assert process.hints._due == {}


def test_what_ends_the_store_ends_the_hints():
    async def main():
        async with Process(1) as one:
            one.gone = True
            one.hints.look()
            with pytest.raises(StoreGone):
                await one.task

    run(main())
