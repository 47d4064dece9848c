"""A batch that is held at each point of its way, by a proxy between the store and PostgreSQL, and what happens then.

What holds in each case: what the store has told to be safe is there once, and what it has refused may be sent again.
"""

import asyncio

import pytest

from protocol.errors import StoreError
from server.core.store import Fenced, TakenOver
from server.stores import postgres_database
from tests.cluster.held_bed import HeldBed, caught, run
from tests.cluster.pg_messages import NOT_SENT, POINTS, UNANSWERED, Trap, is_batch, is_commit
from tests.cluster.proxy import TO_CLIENT
from tests.server.store_calls import EPOCH, a_line, a_lines, ended, inbox_of

LINE = [(0, b"late")]


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Nothing is waited for that need not be."""
    monkeypatch.setattr(postgres_database, "PAUSE_S", 0.02)


def a_receive(store, owner):
    return store.receive("a", owner, EPOCH, {0: 1}, a_lines([b"late"]))


async def resent(store, state):
    """The client sends the line again to its new owner, unless that has it. Returns the inbox."""
    if not state.cursors[0]:
        await a_receive(store, state.owner)
    return await inbox_of(store, state.owner)


# The client has gone to another server


@pytest.mark.parametrize("point", POINTS)
def test_batch_of_a_server_that_has_lost_its_client_comes_too_late(point):
    async def main():
        async with HeldBed() as bed:
            trap = Trap(point=point)
            (one, _), (other, _) = await bed.store(trap), await bed.store()
            owner = (await one.claim("a")).owner
            late = await caught(trap, a_receive(one, owner))
            state = await other.claim("a")
            trap.link.release()
            _, error = await ended(late)
            assert (error is None) == (state.cursors[0] == 1) == (point == UNANSWERED)
            assert error is None or "another owner" in str(error)
            assert await resent(other, state) == LINE

    run(main())


def test_rows_that_fail_when_it_is_sent_again_do_not_hide_that_it_was_done():
    """PostgreSQL has failed over, and what the batch has beside its messages is damaged there."""

    async def main():
        async with HeldBed() as bed:
            trap = Trap(point=UNANSWERED)
            one, _ = await bed.store(trap)
            owner = (await one.claim("a")).owner
            one.timeline().keep("a", 0, 1, 7, b"row")
            late = await caught(trap, one.put("a", owner, a_line(b"once")))
            await bed.do("ALTER TABLE {schema}.timeline RENAME TO other")
            await bed.do("CREATE TABLE {schema}.timeline (level int)")
            trap.link.reset()
            assert await ended(late) == (None, None)
            assert (await bed.do("SELECT count(*) FROM {schema}.outbox"))[0][0] == 1

    run(main())


@pytest.mark.parametrize("point", POINTS)
def test_call_that_may_have_been_done_before_the_client_was_lost_is_not_told_as_not_done(point):
    """Its connection ends, and before the batch is sent again another server claims the client, with what was done.
    Fenced would say that nothing was: the message would be written again, elsewhere."""

    async def main():
        async with HeldBed() as bed:
            trap = Trap(point=point)
            (one, _), (other, _) = await bed.store(trap), await bed.store()
            owner = (await one.claim("a")).owner
            late = await caught(trap, one.put("a", owner, a_line(b"once")))
            state = await other.claim("a")
            assert bool(state.outbox) == (point == UNANSWERED)
            trap.link.reset()
            _, error = await ended(late)
            assert isinstance(error, TakenOver) and not isinstance(error, Fenced)
            _, error = await ended(one.put("a", owner, a_line(b"never")))
            assert isinstance(error, Fenced)

    run(main())


@pytest.mark.parametrize("point", POINTS)
def test_batch_of_a_dead_server_comes_too_late(point):
    """Its connection does not end at once: the network has the batch, and delivers it when the client is elsewhere."""

    async def main():
        async with HeldBed() as bed:
            trap = Trap(point=point)
            (one, proxy), (other, _) = await bed.store(trap), await bed.store()
            owner = (await one.claim("a")).owner
            late = await caught(trap, a_receive(one, owner))
            proxy.hold()  # whatever it does from now on
            state = await other.claim("a")
            assert await resent(other, state) == LINE
            proxy.release()
            trap.link.hold(TO_CLIENT)  # nobody is there
            await _quiet(bed)
            assert await inbox_of(other, state.owner) == LINE
            assert (await other.claim("a")).cursors[0] == 1
            trap.link.reset()
            await ended(late)

    run(main())


async def _quiet(bed):
    """Return when PostgreSQL does nothing for a store."""
    busy = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pb_link' AND state = 'active'"
    while (await bed.do(busy))[0][0]:
        await asyncio.sleep(0.01)


def test_batch_that_waits_for_the_row_while_the_client_is_claimed_does_nothing():
    async def main():
        async with HeldBed() as bed:
            (one, _), (other, _) = await bed.store(), await bed.store()
            owner = (await one.claim("a")).owner
            lock = await bed.row_lock()
            late = asyncio.ensure_future(a_receive(one, owner))
            await bed.waiting()
            await lock.execute(f"UPDATE {bed.schema}.client SET owner = owner + 1, version = version + 1; COMMIT")
            await lock.close()
            with pytest.raises(StoreError, match="another owner"):
                await late
            state = await other.claim("a")
            assert state.cursors[0] == 0
            assert await resent(other, state) == LINE

    run(main())


# The connection ends


async def _seen(store, client_id):
    """What the next owner finds."""
    state = await store.claim(client_id)
    return await inbox_of(store, state.owner, client_id), state.cursors, state.bases, state.lines, state.owner


async def _new(store, client_id):
    """Returns the owner of a client with a line each way."""
    owner = (await store.claim(client_id)).owner
    await store.receive(client_id, owner, EPOCH, {0: 1}, a_lines([b"up"]))
    await store.put(client_id, owner, a_line(b"down"))
    return owner


CALLS = {
    "receive": lambda store, *of: store.receive(*of, EPOCH, {0: 2}, a_lines([b"more"])),
    "put": lambda store, *of: store.put(*of, a_line(b"more")),
    "take": lambda store, *of: store.take(*of),
    "drop": lambda store, *of: store.drop(*of, 1),
    "acknowledge": lambda store, *of: store.acknowledge(*of, {0: 1}),
    "discard": lambda store, *of: store.discard(*of),
}


@pytest.mark.parametrize("limit", [False, True], ids=["cut", "given up"])
@pytest.mark.parametrize("point", POINTS)
def test_call_whose_connection_ends_in_its_batch_is_done_once(monkeypatch, point, limit):
    async def main():
        async with HeldBed() as bed:
            trap = Trap(point=point)
            (one, _), (other, _) = await bed.store(trap), await bed.store()
            if limit:
                monkeypatch.setattr(postgres_database, "STATEMENT_S", 0.3)
            for name, call in CALLS.items():
                expected = await call(other, "whole " + name, await _new(other, "whole " + name))
                task = await caught(trap, call(one, name, await _new(one, name)))
                if not limit:
                    trap.link.reset()
                result = await task
                trap.link.release()  # what the network still had of it
                await _quiet(bed)
                if name != "discard":  # it has a new epoch
                    assert result == expected, name
                assert await _seen(other, name) == await _seen(other, "whole " + name), name
            assert bed.told.count("store_away") == bed.told.count("store_back") >= len(CALLS)

    run(main())


@pytest.mark.parametrize("limit", [False, True], ids=["cut", "given up"])
def test_call_whose_connection_ends_while_it_waits_for_the_row_is_done_once(monkeypatch, limit):
    async def main():
        async with HeldBed() as bed:
            (one, proxy), (other, _) = await bed.store(), await bed.store()
            owner = await _new(one, "a")
            if limit:
                monkeypatch.setattr(postgres_database, "STATEMENT_S", 0.3)
            lock = await bed.row_lock()
            task = asyncio.ensure_future(CALLS["receive"](one, "a", owner))
            await bed.waiting()
            if not limit:
                proxy.reset()
            await bed.waiting(2)  # what is sent again waits behind the one that has lost its connection
            await lock.execute("COMMIT")
            await lock.close()
            await task
            await _quiet(bed)
            assert (await _seen(other, "a"))[0] == [(0, b"up"), (1, b"more")]

    run(main())


@pytest.mark.parametrize("limit", [False, True], ids=["cut", "given up"])
@pytest.mark.parametrize("fits", [is_batch, is_commit])
@pytest.mark.parametrize("point", POINTS)
def test_claim_whose_connection_ends_is_made_all_the_same(monkeypatch, point, fits, limit):
    """The server that gets the client has it, and no other: whether the first claim was committed or not."""
    async def main():
        async with HeldBed() as bed:
            trap = Trap(fits, point)
            (one, _), (other, _) = await bed.store(trap), await bed.store()
            before = await other.claim("a")
            await a_receive(other, before.owner)
            if limit:
                monkeypatch.setattr(postgres_database, "STATEMENT_S", 0.5)
            task = await caught(trap, one.claim("a"))
            if not limit:
                trap.link.reset()
            while not bed.told:
                await asyncio.sleep(0.01)
            trap.link.release()  # it has the row, until PostgreSQL has heard of the end
            state = await task
            await _quiet(bed)
            assert state.owner > before.owner and state.cursors[0] == 1
            with pytest.raises(StoreError, match="another owner"):
                await other.put("a", before.owner, a_line(b"late"))
            await one.put("a", state.owner, a_line(b"mine"))
            assert await inbox_of(one, state.owner) == LINE
            assert (await other.claim("a")).lines == [b"mine"]

    run(main())


def test_connection_that_ends_while_another_server_claims_leaves_the_choice_to_the_client():
    """The batch was done, its answer lost, and the client claimed elsewhere before anybody could look."""

    async def main():
        async with HeldBed() as bed:
            trap = Trap(point=UNANSWERED)
            (one, proxy), (other, _) = await bed.store(trap), await bed.store()
            owner = (await one.claim("a")).owner
            late = await caught(trap, a_receive(one, owner))
            proxy.hold()  # its next connection too
            trap.link.reset()
            state = await other.claim("a")
            proxy.release()
            with pytest.raises(StoreError, match="another owner"):
                await late
            assert state.cursors[0] == 1  # so the client does not send it again
            assert await resent(other, state) == LINE

    run(main())


def test_other_clients_of_a_batch_are_not_held_up_by_the_one_that_was_lost():
    async def main():
        async with HeldBed() as bed:
            trap = Trap(point=NOT_SENT)
            (one, _), (other, _) = await bed.store(trap), await bed.store()
            mine, theirs = (await one.claim("stays")).owner, (await one.claim("a")).owner
            writes = one.together([
                lambda: one.receive("stays", mine, EPOCH, {0: 1}, a_lines([b"in time"])),
                lambda: a_receive(one, theirs),
            ])  # fmt: skip
            task = await caught(trap, writes)
            state = await other.claim("a")
            trap.link.release()
            with pytest.raises(StoreError, match="another owner"):
                await task
            assert await inbox_of(one, mine, "stays") == [(0, b"in time")]
            assert state.cursors[0] == 0

    run(main())
