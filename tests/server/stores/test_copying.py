"""Copies of stores from one kind to another."""

import asyncio

import pytest

from protocol.channel_records import EXPIRES
from protocol.errors import StoreError
from server.core.message import Message
from server.stores import copying, postgres_admin, postgres_copy
from server.stores.postgres import PostgresStore
from server.stores.sqlite import SQLiteStore
from server.stores.timeline import ROW_COST, ROWS_AT_ONCE
from tests.server import postgres
from tests.server.store_calls import EPOCH, a_line, a_lines, messages_of


@pytest.fixture
def url(monkeypatch):
    """The address of a database with empty tables."""
    url, schema = postgres.server().url, postgres.new_schema()
    postgres_admin.init(url, schema)
    monkeypatch.setattr(postgres_copy.Tables.__init__, "__defaults__", (schema,))
    defaults = {**PostgresStore.__init__.__kwdefaults__, "schema": schema}
    monkeypatch.setattr(PostgresStore.__init__, "__kwdefaults__", defaults)
    return url


def opened(address):
    return PostgresStore(address) if address.startswith("postgresql") else SQLiteStore(address)


async def fill(store):
    for client_id, count in (("a", 3), ("b", 0)):
        owner = (await store.claim(client_id)).owner
        lines = [b"in %d" % number for number in range(count)]
        await store.receive(client_id, owner, EPOCH, {0: count, 20: 2}, a_lines(lines), {20: 1})
        messages = [Message(20, 0, 0, b"\0\xff"), Message(20, 1, 5, b"typed")]
        await store.receive(client_id, owner, EPOCH, {20: 4}, messages)
        for number in range(3):
            await store.put(client_id, owner, a_line(b"out %d" % number))
        await store.put(client_id, owner, Message(21, EXPIRES, 10**13, b"later"))
        await store.acknowledge(client_id, owner, {0: 1})
        await store.take(client_id, owner)
        store.note(client_id, owner, "a note \u20ac")
        for begin in (5, 6, 7):
            for run in (1, 2**47):
                store.timeline().keep(client_id, 0, begin, run, b"\0%d of " % run + client_id.encode() * begin)
        store.timeline().keep(None, 2, 5, 1, b"\0 of the server")
        await store.away(client_id, owner, 60)


async def content(store):
    """What a store has of each client, but what each claim changes."""
    found = {}
    for client_id in ("a", "b"):
        state = await store.claim(client_id)
        found[client_id] = [
            state.epoch, state.peer_epoch, state.cursors, state.expired, state.bases, state.outbox, state.serial,
            state.note, state.pasts, state.runs[0], await messages_of(store, state.owner, 0, client_id),
            await messages_of(store, state.owner, 20, client_id),
        ]  # fmt: skip
    return found, await store.backlogs(), store.total


async def history(store):
    """What a store has of the history."""
    read = store.timeline().read
    return {(name, level): sorted(await read(name, level, [5, 6, 7])) for name in (None, "a", "b") for level in (0, 2)}


def used(address, work):
    store = opened(address)
    try:
        return asyncio.run(work(store))
    finally:
        store.close()


@pytest.mark.parametrize("way", ["into PostgreSQL", "out of PostgreSQL", "into a file"])
def test_nothing_is_lost(url, tmp_path, way):
    file, other = str(tmp_path / "store.db"), str(tmp_path / "other.db")
    ways = {"into PostgreSQL": (file, url), "out of PostgreSQL": (url, file), "into a file": (file, other)}
    source, target = ways[way]
    used(source, fill)
    before, measured = used(source, content), used(source, history)
    assert len(measured["a", 0]) == 6 and measured[None, 2] == [(5, 1, b"\0 of the server")]
    owner = used(source, lambda store: store.claim("a")).owner
    assert copying.copy(source, target) == (2, (2 + 2 + 3) + (2 + 3))
    assert used(target, content) == before and used(target, history) == measured
    assert used(target, lambda store: store.claim("a")).owner > owner


def test_server_that_still_runs_on_the_database_is_fenced(url, tmp_path):
    store = PostgresStore(url)

    async def main():
        owner = (await store.claim("a")).owner
        await asyncio.to_thread(copying.copy, url, str(tmp_path / "copy.db"))
        with pytest.raises(StoreError, match="another owner"):
            await store.put("a", owner, a_line(b"late"))

    try:
        asyncio.run(main())
    finally:
        store.close()


def test_many_clients_are_copied_in_parts(url, tmp_path, monkeypatch):
    monkeypatch.setattr(copying, "CLIENTS_AT_ONCE", 7)
    file = str(tmp_path / "store.db")

    async def main(store):
        for number in range(20):
            for begin in range(ROWS_AT_ONCE // 10):
                store.timeline().keep(f"c{number}", 0, begin, 7, b"\0 %d" % number)
            await store.put(f"c{number}", (await store.claim(f"c{number}")).owner, a_line(b"x"))

    used(file, main)
    assert copying.copy(file, url) == (20, 20)
    assert postgres_admin.check(url, PostgresStore.__init__.__kwdefaults__["schema"])["messages"] == 20
    back = str(tmp_path / "back.db")
    assert copying.copy(url, back) == (20, 20)
    for address in (url, back):
        rows = used(address, lambda store: store.timeline().read("c19", 0, list(range(ROWS_AT_ONCE // 10))))
        assert len(rows) == ROWS_AT_ONCE // 10 and {data for _, _, data in rows} == {b"\0 19"}
        assert len(used(address, lambda store: store.timeline().sizes())) == ROWS_AT_ONCE // 10


def test_rows_of_a_client_that_came_meanwhile_are_left_out(tmp_path):
    target = copying._File(str(tmp_path / "copy.db"), False)
    try:
        target.keep([(0, 5, None, 1, b"\0"), (0, 5, "late", 1, b"\0")])
    finally:
        target.close()
    sizes = used(str(tmp_path / "copy.db"), lambda store: store.timeline().sizes())
    assert sizes == [(0, 5, 1 + ROW_COST)]


def test_history_that_cannot_be_written_ends_the_copy(tmp_path):
    target = copying._File(str(tmp_path / "copy.db"), False)
    try:
        with pytest.raises(StoreError, match="the history cannot be written: NOT NULL"):
            target.keep([(0, 5, None, 1, None)] * 2)
    finally:
        target.close()


def test_store_with_clients_is_not_copied_into(url, tmp_path):
    file = str(tmp_path / "store.db")
    used(file, fill)
    used(url, fill)
    with pytest.raises(StoreError, match="has clients already"):
        copying.copy(file, url)


def test_store_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(StoreError, match="there is no store"):
        copying.copy(str(tmp_path / "a.db"), str(tmp_path / "b.db"))
    assert not list(tmp_path.iterdir())


def test_store_is_not_copied_into_itself(tmp_path):
    with pytest.raises(StoreError, match="into itself"):
        copying.copy(str(tmp_path / "a.db"), str(tmp_path / "a.db"))
