"""`Reading` by itself: what it hands out and has committed, whatever the store answers, and in which order."""

import asyncio

import pytest

from server.core.message import line
from server.core.store import ReadingLost
from server.stores.reading import Reading
from tests.patience import PATIENCE_S


class Table:
    """A reading's row and inbox, and the process that reads. Statements that move the cursor wait for `commit`.

    It is unlike PostgreSQL in that a claim never fails while `free` is True, and that nothing takes time."""

    def __init__(self, *data):
        self.store = object()
        self.inbox = dict(enumerate(data))
        self.reader = self.next = 0
        self.own = False  # the last claim was this process's
        self.free = True
        self.alive = True
        self.gone = 0
        self.moves = []  # (fence, next, gone) that are under way
        self.dropped = []  # what the owner was told of
        self.given_back = 0
        self.told = 0
        self.in_ram = False  # this process has claimed the client, with its messages
        self.here = False  # and the client is connected to it
        self.reading = Reading(self, "a", 0)

    def commit(self, known=True):
        """The statements that are under way have been done. known: the process learns that."""
        moves, self.moves = self.moves, []
        for fence, number, gone in moves:
            done = fence == self.reader
            if done:
                self.next, self.gone = self.next if number is None else number, gone
            self.reading.moved(fence, number, gone, done if known else None)

    def claimed_elsewhere(self):
        self.own = False
        self.reader += 1
        self.free = False

    # What Reading uses

    def lives(self):
        return self.alive

    async def claim(self, reading):
        if not self.free:
            return None
        self.reader += 1
        own, self.own = self.own, True
        return 1, self.reader, self.next, own, 0

    async def fetch(self, reading, number):
        return self._from(number)

    def _from(self, number):
        return [(at, line(data)) for at, data in self.inbox.items() if at >= number]

    def look(self, reading, limit=None):
        return reading.changed.wait(limit)

    def has(self, client_id):
        return self.here

    def at_hand(self, reading, number, most):
        return self._from(number)[:most] if self.in_ram else []

    def move(self, reading, number):
        self.moves.append((reading.fence, number, reading.gone_before(number)))

    def moved(self, reading):
        self.dropped.append(reading.gone)

    def give_back(self, reading):
        self.given_back += 1
        reading.stop()

    def lost(self, reading):
        self.told += 1


def run(coroutine):
    async def main():
        async with asyncio.timeout(PATIENCE_S):
            return await coroutine

    return asyncio.run(main())


async def turns():
    """Have all that can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


def data_of(number, message):
    return message.data


async def begun(coroutine):
    task = asyncio.create_task(coroutine)
    await turns()
    return task


def test_next_message_comes_when_the_one_before_is_committed():
    async def main():
        table = Table(b"one", b"two")
        first = await table.reading.next_after(None, 0)
        assert first == (table.store, 0, line(b"one"))
        second = await begun(table.reading.next_after(first[:2], 0))
        assert table.moves == [(1, 1, 1)] and not second.done()
        table.commit()
        assert (await second)[1:] == (1, line(b"two"))
        assert table.dropped[-1] == 1

    run(main())


@pytest.mark.parametrize("connected", [True, False], ids=["connected", "claimed"])
def test_message_that_came_with_the_client_while_the_table_was_asked_is_found(connected):
    """The answer of the table is older, and who tells of the message tells nobody: the call does not wait yet."""

    async def main():
        table = Table()
        answer = asyncio.Event()

        async def fetch(reading, number):
            found = list(table.inbox.items())
            await answer.wait()
            return found

        table.fetch = fetch
        call = await begun(table.reading.next_after(None, 0))
        table.in_ram, table.here, table.inbox[0] = True, connected, b"one"
        table.reading.changed.pulse()
        answer.set()
        await turns()
        table.here = True
        assert (await call)[1:] == (0, line(b"one"))

    run(main())


def test_messages_ahead_do_not_wait():
    async def main():
        table = Table(b"one", b"two", b"three", b"four")
        place = (await table.reading.next_after(None, 2))[:2]
        for number in (1, 2):
            place = (await table.reading.next_after(place, 2))[:2]
            assert place[1] == number
        fourth = await begun(table.reading.next_after(place, 2))
        assert not fourth.done()
        table.commit()
        assert (await fourth)[1] == 3

    run(main())


def test_taken_message_is_returned_when_that_is_committed():
    async def main():
        table = Table(b"one", b"two")
        call = await begun(table.reading.take(None, data_of))
        assert not call.done()
        table.commit()
        assert await call == b"one"

    run(main())


@pytest.mark.parametrize("committed", [True, False], ids=["committed", "under way"])
def test_cancelled_take_gives_the_message_to_the_next_call(committed):
    async def main():
        table = Table(b"one", b"two")
        call = await begun(table.reading.take(None, data_of))
        call.cancel()
        if committed:
            table.commit()
        await turns()
        table.commit()
        assert table.next == 0  # it is in its place again
        assert 1 not in table.dropped
        again = await begun(table.reading.take(None, data_of))
        table.commit()
        assert await again == b"one"
        last = await begun(table.reading.take(None, data_of))
        table.commit()
        assert await last == b"two"

    run(main())


def test_cancelled_take_behind_which_another_one_has_taken_keeps_its_message_here():
    async def main():
        table = Table(b"one", b"two", b"three")
        first = await begun(table.reading.take(None, data_of))
        second = await begun(table.reading.take(None, data_of))
        first.cancel()
        await turns()
        table.commit()
        assert await second == b"two"
        third = await begun(table.reading.take(None, data_of))
        table.commit()
        assert await third == b"one"

    run(main())


def test_message_that_waits_in_ram_is_not_given_up():
    """Its place is behind what another call has got: nobody but the next call here can have it."""

    async def main():
        table = Table(b"one", b"two", b"three")
        first = await begun(table.reading.take(None, data_of))
        second = await begun(table.reading.take(None, data_of))
        first.cancel()
        await turns()
        table.commit()
        assert await second == b"two"
        assert not table.reading.idle() and table.gone == 0 and table.reading.gone == 0
        found = await table.reading.several(10, lambda message: True)
        assert found == [(0, line(b"one"))]  # a transaction has it alone
        table.reading.end()
        assert await table.reading.several(10, lambda message: True) == found  # it was rolled back
        table.reading.end(table.reading.fence, [0], 2)
        assert table.reading.idle() and table.reading.gone == 2
        assert await table.reading.several(10, lambda message: True) == [(2, line(b"three"))]
        table.reading.end()

    run(main())


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_calls_that_are_all_cancelled_leave_their_messages_to_whoever_reads(order):
    async def main():
        table = Table(b"one", b"two", b"three")
        calls = [await begun(table.reading.take(None, data_of)) for _ in range(2)]
        for at in order:
            calls[at].cancel()
            await turns()
        while table.moves:
            table.commit()
            await turns()
        assert (table.next, table.gone) == (0, 0) and table.reading.idle()

    run(main())


@pytest.mark.parametrize("was_done", [True, False])
@pytest.mark.parametrize("cancelled", ["before", "while it is claimed anew", "behind"])
def test_cancelled_take_whose_outcome_is_unknown_loses_nothing(was_done, cancelled):
    async def main():
        table = Table(b"one", b"two")
        call = await begun(table.reading.take(None, data_of))
        if cancelled == "before":
            call.cancel()
            await turns()
            assert len(table.moves) == 2  # it is to be moved back
            table.moves.pop()
        table.free = cancelled == "before"
        if was_done:
            table.commit(known=False)
        else:
            (move,), table.moves = table.moves, []
            table.reading.moved(*move, None)
        await turns()
        if cancelled == "while it is claimed anew":
            call.cancel()
            await turns()
        table.free = True
        table.reading.changed.pulse()
        if cancelled == "behind":
            call.cancel()
        again = await begun(table.reading.take(None, data_of))
        while table.moves:
            table.commit()
            await turns()
        assert await again == b"one"

    run(main())


def test_late_end_of_a_transaction_changes_nothing_of_a_newer_claim():
    async def main():
        table = Table(b"one", b"two", b"three")
        found, fence = await table.reading.several(1, lambda message: True), table.reading.fence
        table.next = 1  # it is committed, and the answer comes late
        table.reading.lose("unknown")
        call = await begun(table.reading.take(None, data_of))
        assert not call.done() and table.moves == []  # another reader waits for the end
        table.reading.end(fence, [number for number, _ in found], 1)
        await turns()
        table.commit()
        assert await call == b"two"
        assert (table.reading.next, table.reading.finished) == (2, 2)

    run(main())


def test_messages_that_were_looked_past_are_found_again_when_their_calls_are_cancelled():
    async def main():
        table = Table(b"one", b"two", b"three")
        calls = [await begun(table.reading.take(None, data_of)) for _ in range(2)]
        for call in calls:
            call.cancel()
        await turns()
        while table.moves:
            table.commit()
            await turns()
        again = await begun(table.reading.take(None, data_of))
        table.commit()
        assert await again == b"one"

    run(main())


def test_two_calls_that_take_the_same_message_both_return_and_neither_gets_what_the_other_has():
    """The outcome of the first one's statement is unknown: the second claims, and is handed its message."""

    async def main():
        table = Table(b"one", b"two")
        first = await begun(table.reading.take(None, data_of))
        table.free = False
        (move,), table.moves = table.moves, []
        second = await begun(table.reading.take(None, data_of))
        table.reading.moved(*move, None)
        await turns()
        table.free = True
        table.reading.changed.pulse()
        for _ in range(4):
            await turns()
            table.commit()
        assert sorted([await first, await second]) == [b"one", b"two"]

    run(main())


def test_other_readers_wait_for_the_end_of_a_transaction():
    async def main():
        table = Table(b"one", b"two", b"three")
        found = await table.reading.several(2, lambda message: True)
        take = await begun(table.reading.take(None, data_of))
        lines = await begun(table.reading.next_after(None, 0))
        assert table.moves == [] and not take.done() and not lines.done() and not table.reading.untold()
        table.next = 2
        table.reading.end(table.reading.fence, [number for number, _ in found], 2)
        await turns()
        table.commit()
        assert await take == b"three"
        lines.cancel()

    run(main())


def test_reader_inside_its_own_transaction_is_refused():
    async def main():
        table = Table(b"one", b"two")
        await table.reading.several(1, lambda message: True)
        with pytest.raises(RuntimeError, match="channel 0 of a is read inside a transaction of it"):
            await table.reading.take(None, data_of)
        table.reading.end()

    run(main())


def test_calls_that_wait_for_their_turn_do_not_wake_each_other():
    async def main():
        table, claims = Table(b"one"), []
        table.free = False
        true = table.claim

        async def claim(reading):
            claims.append(reading)
            await asyncio.sleep(0)
            return await true(reading)

        table.claim = claim
        calls = [await begun(table.reading.take(None, data_of)) for _ in range(3)]
        await turns()
        await turns()
        assert len(claims) <= 3
        for call in calls:
            call.cancel()

    run(main())


def test_claim_that_was_given_up_is_made_again_to_let_others_read():
    async def main():
        table = Table(b"one", b"two")
        call = await begun(table.reading.take(None, data_of))
        table.commit()
        await call
        table.reading.lose("unknown")
        assert table.reading.unsettled and not table.reading.waits
        await table.reading.settle()
        assert table.reading.fence == 2 and table.reading.idle() and not table.reading.unsettled

    run(main())


def test_table_is_told_when_nothing_can_come_back():
    async def main():
        table = Table(b"one")
        call = await begun(table.reading.take(None, data_of))
        table.commit()
        await call
        assert table.gone == 0 and table.reading.untold()
        table.moves.append((table.reading.fence, None, table.reading.gone))
        table.commit()
        assert table.gone == 1 and not table.reading.untold()

    run(main())


def test_reader_without_its_fence_waits_and_goes_on_where_the_other_one_has_ended():
    async def main():
        table = Table(b"one", b"two", b"three")
        place = (await table.reading.next_after(None, 0))[:2]
        table.claimed_elsewhere()
        following = await begun(table.reading.next_after(place, 0))
        table.commit()
        await turns()
        assert table.told == 1 and not following.done()
        table.next, table.free = 2, True  # the other one has processed two of them
        table.reading.changed.pulse()
        assert (await following)[1] == 2

    run(main())


def test_message_that_nobody_else_has_processed_meanwhile_is_not_handed_out_again():
    """The process was given up for a moment, and nobody has claimed: what it has processed counts."""

    async def main():
        table = Table(b"one", b"two")
        place = (await table.reading.next_after(None, 0))[:2]
        table.reading.lose("unknown")
        following = await begun(table.reading.next_after(place, 0))
        table.commit()
        assert (await following)[1] == 1
        assert table.told == 0

    run(main())


def test_done_with_says_clearly_that_it_was_lost():
    async def main():
        table = Table(b"one")
        place = (await table.reading.next_after(None, 0))[:2]
        table.claimed_elsewhere()
        done = await begun(table.reading.done_with(place, 0))
        table.commit()
        with pytest.raises(ReadingLost, match="another process reads channel 0 of a now"):
            await done
        with pytest.raises(ReadingLost):
            await table.reading.done_with(place, 0)

    run(main())


@pytest.mark.parametrize("was_done", [True, False])
def test_take_whose_outcome_is_unknown_is_looked_up(was_done):
    async def main():
        table = Table(b"one", b"two")
        call = await begun(table.reading.take(None, data_of))
        if was_done:
            table.commit(known=False)
        else:
            (move,), table.moves = table.moves, []
            table.reading.moved(*move, None)
        await turns()
        table.commit()
        assert await call == b"one"
        assert table.next == 1

    run(main())


def test_process_that_is_not_seen_hands_nothing_out():
    async def main():
        table = Table(b"one")
        await table.reading.next_after(None, 0)
        table.alive = table.free = False
        following = await begun(table.reading.next_after(None, 0))
        assert not following.done()
        table.alive = table.free = True
        table.reading.changed.pulse()
        assert (await following)[1] == 0
        assert table.reading.fence == 2  # it was claimed anew

    run(main())


def test_it_is_given_back_when_its_reader_is_gone():
    async def main():
        table = Table(b"one", b"two")
        place = (await table.reading.next_after(None, 0))[:2]
        assert not table.reading.idle()
        waits = await begun(table.reading.next_after(place, 0))
        table.reading.abandon(0)
        assert not table.given_back  # a call waits
        table.commit()
        assert (await waits)[1] == 1
        table.reading.abandon(1)
        assert table.given_back == 1

    run(main())


def test_reader_that_is_to_leave_commits_and_gets_nothing_more():
    async def main():
        table = Table(b"one", b"two")
        place = (await table.reading.next_after(None, 0))[:2]
        table.reading.leaving = True
        waits = await begun(table.reading.next_after(place, 0))
        assert not table.reading.parked
        table.commit()
        await turns()
        assert table.reading.parked and not waits.done()
        table.reading.leaving = False
        table.reading.changed.pulse()
        assert (await waits)[1] == 1
        assert not table.reading.parked

    run(main())
