"""Effects in the application's own tables, exactly once: together with the reader's cursor, or not at all."""

import asyncio
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from protocol.channel_records import FIELD, REQUEST
from protocol.errors import LocalProtocolError, StoreError
from server.core.store import ReadingLost
from server.stores import postgres_transactions
from tests.server.reading_bed import Bed, run, until
from tests.server.stores.transaction_program import STEPS

ROOT = Path(__file__).resolve().parents[3]


class EffectBed(Bed):
    """A Bed with a table of the application. Each line is in it as often as its effect was done."""

    async def __aenter__(self):
        await super().__aenter__()
        await self.do("CREATE TABLE {schema}.effect (place bigserial PRIMARY KEY, line text, pid int)")
        self.owner = self.process()
        await self.own(self.owner)
        return self

    async def effects(self):
        return [row["line"].strip() for row in await self.do("SELECT line FROM {schema}.effect ORDER BY place")]

    async def insert(self, db, line):
        await db.execute(f"INSERT INTO {self.schema}.effect (line) VALUES ($1)", line)


async def work(bed, conn, most=100):
    """One transaction. Returns its lines."""
    async with conn.transaction(most) as (lines, db):
        for line in lines:
            await bed.insert(db, line)
    return [line.strip() for line in lines]


def test_effect_and_cursor_are_committed_together_on_any_process():
    async def main():
        async with EffectBed() as bed:
            other = bed.process()
            await bed.say("one", "two", "three", "four")
            assert await work(bed, other.conn(), 3) == ["one", "two", "three"]
            assert await work(bed, other.conn(), 3) == ["four"]
            waits = asyncio.create_task(work(bed, other.conn()))
            await bed.say("five")
            assert await waits == ["five"]
            assert await bed.effects() == ["one", "two", "three", "four", "five"]
            await until(lambda: bed.owner.store.unread("a") == (0, 5))

    run(main())


def test_block_that_raises_has_done_nothing_and_gets_the_lines_again():
    async def main():
        async with EffectBed() as bed:
            await bed.say("one", "two")
            with pytest.raises(ZeroDivisionError):
                async with bed.owner.conn().transaction() as (lines, db):
                    await bed.insert(db, lines[0])
                    raise ZeroDivisionError("of the block")
            with pytest.raises(asyncpg.UndefinedTableError):
                async with bed.owner.conn().transaction() as (lines, db):
                    await bed.insert(db, lines[0])
                    await db.execute("SELECT FROM nowhere")
            assert await bed.effects() == []
            assert await work(bed, bed.owner.conn()) == ["one", "two"]
            assert await bed.effects() == ["one", "two"]

    run(main())


def test_constraint_that_is_looked_at_at_the_end_rolls_all_back():
    async def main():
        async with EffectBed() as bed:
            await bed.do("ALTER TABLE {schema}.effect ADD UNIQUE (line) DEFERRABLE INITIALLY DEFERRED")
            await bed.say("same", "same", "other")
            with pytest.raises(asyncpg.UniqueViolationError):
                await work(bed, bed.owner.conn())
            assert await work(bed, bed.owner.conn(), 1) == ["same"]

    run(main())


def test_cancelled_block_has_done_nothing():
    async def main():
        async with EffectBed() as bed:
            await bed.say("one")
            inside = asyncio.Event()

            async def block():
                async with bed.owner.conn().transaction() as (lines, db):
                    await bed.insert(db, lines[0])
                    inside.set()
                    await asyncio.Event().wait()

            task = asyncio.create_task(block())
            await inside.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await bed.effects() == []
            assert await work(bed, bed.owner.conn()) == ["one"]

    run(main())


def test_call_that_is_cancelled_at_any_moment_leaves_the_next_one_nothing_to_wait_for():
    async def main():
        async with EffectBed() as bed:
            lines = [f"line {number}" for number in range(30)]
            await bed.say(*lines)
            conn, release = bed.process().conn(), postgres_transactions.Transactions.release
            for turn in range(12):
                task = asyncio.create_task(work(bed, conn, 2))
                if turn % 2:  # while the connection is given back, when all is committed

                    async def cancelled(self, connection, broken=False, task=task):
                        task.cancel()
                        await asyncio.sleep(0)
                        await release(self, connection, broken)

                    postgres_transactions.Transactions.release = cancelled
                else:
                    await asyncio.sleep(0.002 * turn)
                    task.cancel()
                await asyncio.wait([task])
                postgres_transactions.Transactions.release = release
            while await bed.effects() != lines:
                await work(bed, conn, 2)

    run(main())


@pytest.mark.parametrize("local", [True, False], ids=["where the client is", "elsewhere"])
def test_reader_that_was_given_up_commits_no_effect(local):
    async def main():
        async with EffectBed() as bed:
            one, other = bed.owner if local else bed.process(), bed.process()
            await bed.say("one", "two")
            with pytest.raises(ReadingLost, match="nothing of the transaction was done"):
                async with one.conn().transaction() as (lines, db):
                    for line in lines:
                        await bed.insert(db, line)
                    await bed.stop(one)
                    assert await work(bed, other.conn()) == ["one", "two"]
            assert await bed.effects() == ["one", "two"]
            assert one.lost() == ["a"]

    run(main())


def test_two_transactions_of_one_process_have_other_lines():
    async def main():
        async with EffectBed() as bed:
            await bed.say("one", "two", "three", "four")
            calls = [work(bed, bed.owner.conn(), 2) for _ in range(2)]
            assert sorted(await asyncio.gather(*calls)) == [["one", "two"], ["three", "four"]]
            assert await bed.effects() == ["one", "two", "three", "four"]

    run(main())


def test_more_transactions_than_connections_wait_for_one(monkeypatch):
    monkeypatch.setattr(postgres_transactions, "MOST", 2)

    async def main():
        async with EffectBed() as bed:
            ids = [f"c{number}" for number in range(8)]
            for client_id in ids:
                await bed.own(bed.owner, client_id)
                await bed.say("line of " + client_id, client_id=client_id)
            await asyncio.gather(*(work(bed, bed.owner.conn(client_id)) for client_id in ids))
            assert sorted(await bed.effects()) == sorted("line of " + client_id for client_id in ids)

    run(main())


def test_channel_has_transactions_too():
    async def main():
        async with EffectBed() as bed:
            await bed.send(20, b"one", b"two")
            async with bed.process().conn().channel(20).transaction() as (messages, db):
                assert [(message.channel, message.data) for message in messages] == [(20, b"one"), (20, b"two")]
            await until(lambda: bed.owner.store.unread("a", 20)[0] == 0)

    run(main())


def test_what_belongs_to_requests_is_no_message_elsewhere_either():
    async def main():
        async with EffectBed() as bed:
            request = REQUEST, b"\0" * FIELD + b"question"
            await bed.send(20, request, b"one", b"two", request, b"three")
            other = bed.process()
            channel = other.conn().channel(20)
            async with channel.transaction() as (messages, db):
                assert [message.data for message in messages] == [b"one", b"two"]
            assert (await channel.receive()).data == b"three"
            assert {event for event, _, _ in other.told} == {"channel_mixed"}

    run(main())


def test_other_stores_have_none():
    from server import MemoryStore
    from server.core.registry import Registry

    registry = Registry()
    registry.use(MemoryStore())

    async def main():
        with pytest.raises(LocalProtocolError, match="only the store in PostgreSQL"):
            async with registry.get("a").transaction():
                pass

    run(main())


# The end of the connection, at each moment


async def broken(bed, conn, moment):
    """A transaction whose connection breaks: "before" COMMIT was sent, or when it was "done" and not answered. Returns
    the error."""
    begin = conn.transaction()
    try:
        async with begin as (lines, db):
            for line in lines:
                await bed.insert(db, line)
            transaction = begin._transaction
            finish = transaction.finish

            async def breaks():
                if moment == "done":
                    await finish()
                transaction._db.terminate()
                raise ConnectionResetError("broken by the test")

            transaction.finish = breaks
    except StoreError as error:
        return error


def test_commit_that_was_done_and_not_answered_is_found():
    async def main():
        async with EffectBed() as bed:
            await bed.say("one", "two")
            assert await broken(bed, bed.owner.conn(), "done") is None
            await bed.say("three")
            assert await work(bed, bed.owner.conn()) == ["three"]
            assert await bed.effects() == ["one", "two", "three"]

    run(main())


def test_commit_that_never_came_is_told_and_the_lines_come_again():
    async def main():
        async with EffectBed() as bed:
            await bed.say("one", "two")
            error = await broken(bed, bed.owner.conn(), "before")
            assert "nothing of the transaction was done" in str(error)
            assert await bed.effects() == []
            assert await work(bed, bed.owner.conn()) == ["one", "two"]
            assert await bed.effects() == ["one", "two"]

    run(main())


# SIGKILL


class Program:
    """The application as a process. Args: bed; step, after: see transaction_program.py."""

    def __init__(self, bed, step, after):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.server.stores.transaction_program", bed.server.url, bed.schema, step, after],
            stdout=subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip

    async def said(self, what):
        """Return when it has said this."""
        line = await asyncio.to_thread(self._process.stdout.readline)
        assert line.decode().strip() == what, line

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process.stdout.close()


@pytest.mark.parametrize("step", STEPS)
def test_application_that_is_killed_has_each_effect_once(step):
    """Between every two steps of a transaction, and in the first and in a later one."""

    async def main():
        async with EffectBed() as bed:
            lines = [f"line {number}" for number in range(20)]
            await bed.say(*lines[:10])
            for after in ("1", "2"):
                program = Program(bed, step, after)
                try:
                    await program.said("running")
                    await program.said("stopped")
                finally:
                    program.kill()
                await bed.do("UPDATE {schema}.node SET seen = seen - interval '1 hour' WHERE id NOT IN (1)")
            await bed.say(*lines[10:])
            program = Program(bed, "never", "0")
            try:
                await program.said("running")
                await until(lambda: done(bed, lines))
            finally:
                program.kill()
            assert await bed.effects() == lines

    async def done(bed, lines):
        found = await bed.effects()
        return found == lines or len(found) > len(lines) or found != lines[: len(found)]

    run(main())


def test_stopped_application_that_goes_on_has_no_effect_twice():
    """SIGSTOP in the middle of a transaction; another process works meanwhile."""

    async def main():
        async with EffectBed() as bed:
            await bed.say("one", "two", "three", "four")
            program = Program(bed, "half", "1")
            try:
                await program.said("running")
                await program.said("stopped")  # its effects are in the database, and nobody else sees them
                await bed.do("UPDATE {schema}.node SET seen = seen - interval '1 hour' WHERE id NOT IN (1)")
                other = bed.process()
                found = []
                while len(found) < 4:
                    found += await work(bed, other.conn(), 3)
            finally:
                program.kill()
            assert await bed.effects() == ["one", "two", "three", "four"]

    with suppress(ReadingLost):
        run(main())
