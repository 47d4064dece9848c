"""The part of a store's contract that is about calls: those that overlap, are cancelled or fail, and those at the end.

A base of StoreContract, which has the helpers. This file runs under both interpreters.
"""

import asyncio
import os

from protocol.errors import StoreError
from server.core.history import runs_around
from tests.server.store_calls import EPOCH, a_line, a_lines, all_ended, begin, cost, data_of, ended, inbox_of, numbered
from tests.server.store_model import RandomCalls


class StoreCalls:
    # Calls that overlap

    def test_calls_that_overlap_take_effect_in_the_order_in_which_they_were_begun(self):
        async def test():
            store, owner = self.store, await self.claim()
            lines = [b"%d" % i for i in range(20)]
            calls = []
            for i in range(20):
                calls.append(store.put("a", owner, a_line(lines[i])))
                calls.append(store.receive("a", owner, EPOCH, {0: i}, a_lines([lines[i]])))
                calls.append(store.acknowledge("a", owner, {0: i // 2}))
                calls.append(store.away("a", owner, i))
            calls.append(store.realign("a", owner, b"another.", {0: 77}, {0: 12}))
            calls.append(store.claim("a"))
            found = await all_ended(begin(*calls))
            self.assertEqual([error for _, error in found if error], [])
            state = found[-1][0]
            got = (state.peer_epoch, state.cursors[0], state.bases[0], state.lines)
            self.assertEqual(got, (b"another.", 77, 12, lines[12:]))
            self.assertEqual(await inbox_of(store, state.owner), numbered(0, lines))
            self.assertEqual((await store.backlogs())[0]["away_s"], 19)

        self.run_it(test)

    def test_write_that_is_begun_behind_a_discard_is_fenced(self):
        async def test():
            store, owner = self.store, await self.claim()
            puts = [store.put("a", owner, a_line(data)) for data in (b"0", b"1")]
            tasks = begin(puts[0], store.discard("a", owner), puts[1])
            first, (discarded, _), last = await all_ended(tasks)
            self.assertEqual((first[1], discarded[1]), (None, 1))
            self.assertIn("another owner", str(last[1]))
            self.assertEqual((await store.claim("a")).lines, [])

        self.run_it(test)

    def test_line_is_not_seen_before_receive_has_returned_unless_it_is_safe(self):
        async def test():
            store, owner = self.store, await self.claim()
            (task,) = begin(store.receive("a", owner, EPOCH, {0: 1}, a_lines([b"x"])))
            await asyncio.sleep(0)
            seen = await store.look("a", owner, 0)
            self.assertIn(seen, (None, (0, a_line(b"x"))))
            await task
            self.assertEqual(await store.look("a", owner, 0), (0, a_line(b"x")))

        self.run_it(test)

    def test_together_runs_its_steps_in_order(self):
        async def test():
            store, owner = self.store, await self.claim()
            await store.receive("a", owner, EPOCH, {0: 1}, a_lines([b"x", b"y"]))
            steps = [lambda line=line: store.put("a", owner, a_line(line)) for line in (b"0", b"1", b"2")]
            steps.append(lambda: store.acknowledge("a", owner, {0: 2}))
            steps.append(lambda: store.take("a", owner))
            self.assertEqual(await store.together(steps), [None, None, None, None, (0, a_line(b"x"))])
            self.assertEqual(await store.together(steps[4:]), [(1, a_line(b"y"))])
            self.assertEqual(await store.together([]), [])
            state = await store.claim("a")
            self.assertEqual((state.bases[0], state.lines), (2, [b"2"]))

        self.run_it(test)

    def test_together_that_fails_has_ended_all_its_steps(self):
        async def test():
            store, owner, running = self.store, await self.claim(), []

            async def counted(call):
                running.append(call)
                await call
                for _ in range(5):
                    await asyncio.sleep(0)
                running.remove(call)

            async def bad():
                await store.put("a", owner, a_line(b"before"))
                raise StoreError("the first")

            steps = [
                bad, lambda: counted(store.put("a", owner, a_line(b"x"))), lambda: counted(store.take("a", owner)),
            ]  # fmt: skip
            await self.refused(store.together(steps), "the first")
            self.assertEqual(running, [])
            state = await store.claim("a")
            self.assertIn(state.lines, ([b"before"], [b"before", b"x"]))

        self.run_it(test)

    # Cancellation

    def test_take_whose_caller_is_cancelled_is_undone(self):
        async def test():
            store, owner = self.store, await self.claim()
            lines = [b"%d" % i for i in range(30)]
            await store.receive("a", owner, EPOCH, {0: 1}, a_lines(lines))
            taken = []
            for pauses in range(24):
                (task,) = begin(store.take("a", owner))
                for _ in range(pauses):
                    await asyncio.sleep(0 if pauses < 8 else 0.0004)
                task.cancel()
                row, _ = await ended(task)
                if row is not None:
                    taken.append(row[1].data)
                expected = numbered(0, lines)[len(taken) :]
                self.assertEqual(await inbox_of(store, owner), expected, pauses)
            self.assertEqual(taken, lines[: len(taken)])
            self.assertEqual(store.total, cost(lines[len(taken) :]))
            state = await store.claim("a")
            self.assertEqual(await inbox_of(store, state.owner), numbered(0, lines)[len(taken) :])

        self.run_it(test)
        self.assert_same_inbox_after_the_end()

    def test_take_that_is_cancelled_when_its_result_is_ready_is_undone(self):
        """By a call that ends in the same step of the loop, and before it."""

        async def test():
            store, owner = self.store, await self.claim()
            await store.receive("a", owner, EPOCH, {0: 1}, a_lines([b"0", b"1"]))

            async def cancel():
                await store.put("a", owner, a_line(b"x"))
                tasks[2].cancel()

            tasks = []
            tasks.extend(begin(store.put("a", owner, a_line(b"x")), cancel(), store.take("a", owner)))
            line = data_of((await all_ended(tasks))[2][0])
            self.assertIn(line, (None, b"0"))
            self.assertEqual(data_of(await store.take("a", owner)), b"0" if line is None else b"1")

        self.run_it(test)
        self.assert_same_inbox_after_the_end()

    def test_take_that_is_cancelled_before_it_was_written_is_undone(self):
        """Its line is removed and there again in one transaction."""

        async def test():
            store, owner = self.store, await self.claim()
            await store.receive("a", owner, EPOCH, {0: 1}, a_lines([b"0", b"1"]))
            put, take = begin(store.put("a", owner, a_line(b"x")), store.take("a", owner))
            await asyncio.sleep(0)
            take.cancel()
            line = data_of((await ended(take))[0])
            await put
            self.assertEqual(data_of(await store.take("a", owner)), b"0" if line is None else b"1")
            if line is None:
                await store.give_back("a", owner, 0, a_line(b"0"))

        self.run_it(test)
        self.assert_same_inbox_after_the_end()

    def test_take_that_ends_with_its_loop_is_undone(self):
        async def test():
            self.owner = await self.claim()
            await self.store.receive("a", self.owner, EPOCH, {0: 1}, a_lines([b"0", b"1"]))
            tasks.extend(begin(self.store.take("a", self.owner)))
            await asyncio.sleep(0)

        async def look():
            return await inbox_of(self.store, await self.claim())

        tasks = []
        self.run_it(test)
        taken = tasks[0].done() and not getattr(tasks[0], "cancelled", bool)()  # not in MicroPython
        if self.bed.outlives:
            self.open_anew()
        self.assertEqual(self.bed.run(look()), [(1, b"1")] if taken else [(0, b"0"), (1, b"1")])

    def assert_same_inbox_after_the_end(self):
        """What the store shows is what the next process finds."""

        async def look():
            owner = (await self.store.claim("a")).owner
            return await inbox_of(self.store, owner)

        before = self.bed.run(look())
        if self.bed.outlives:
            self.open_anew()
            self.assertEqual(self.bed.run(look()), before)

    def test_cancelled_write_is_done_or_not(self):
        async def test():
            store, owner = self.store, await self.claim()
            outbox = []
            for pauses in range(8):
                line = b"%d" % pauses
                (task,) = begin(store.put("a", owner, a_line(line)))
                for _ in range(pauses):
                    await asyncio.sleep(0)
                task.cancel()
                _, error = await ended(task)
                state = await store.claim("a")
                owner = state.owner
                allowed = [outbox + [line]] if error is None else [outbox, outbox + [line]]
                self.assertIn(state.lines, allowed)
                outbox = state.lines

        self.run_it(test)

    # Failure

    def broken(self, test):
        if not self.bed.can_fail:
            self.skipTest("there is no disk that can fail")
        self.run_it(test)

    def test_failure_fails_what_is_in_progress_and_every_later_call_of_the_owner(self):
        async def test():
            store, owner = self.store, await self.filled()
            quiet = await self.claim("b")
            mend = self.bed.break_disk(store)
            lines = [b"%d" % i for i in range(5)]
            tasks = begin(*[store.put("a", owner, a_line(line)) for line in lines])
            for _, error in await all_ended(tasks):
                self.assertIsInstance(error, StoreError)
            mend()
            for call in self.calls(owner):
                await self.refused(call, "claim it again")
            await store.put("b", quiet, a_line(b"another client's"))
            state = await store.claim("a")
            self.assertEqual(state.lines[:2], [b"out 1", b"out 2"])
            rest = state.lines[2:]
            self.assertEqual(rest, [line for line in lines if line in rest])
            self.assertEqual(await inbox_of(store, state.owner), [(1, b"in 1")])
            await self.refused(store.put("a", owner, a_line(b"x")), "another owner")
            await store.put("a", state.owner, a_line(b"x"))

        self.broken(test)

    def test_failure_is_of_all_calls_in_progress_whatever_client_they_are_of(self):
        async def test():
            store, owners = self.store, {}
            for client_id in ("a", "b", "c"):
                owners[client_id] = await self.claim(client_id)
            mend = self.bed.break_disk(store)
            for _, error in await all_ended(begin(*[store.put(one, owners[one], a_line(b"x")) for one in owners])):
                self.assertIsInstance(error, StoreError)
            mend()
            held = []
            for client_id, owner in owners.items():
                await self.refused(store.put(client_id, owner, a_line(b"y")), "claim it again")
                held.extend((await store.claim(client_id)).lines)
            self.assertEqual(store.total, cost(held))
            self.assertEqual(sum(one["lines"] for one in await store.backlogs()), len(held))

        self.broken(test)

    def test_line_that_was_shown_is_safe_though_its_receive_fails(self):
        async def test():
            store, owner = self.store, await self.claim()
            mend = self.bed.break_disk(store)
            (task,) = begin(store.receive("a", owner, EPOCH, {0: 1}, a_lines([b"x"])))
            await asyncio.sleep(0)
            seen = await store.look("a", owner, 0)
            taken, _ = await ended(begin(store.take("a", owner))[0])
            self.assertIsInstance((await ended(task))[1], StoreError)
            mend()
            found = await inbox_of(store, await self.claim())
            self.assertEqual([(one[0], one[1].data) for one in (seen, taken) if one is not None], found)

        self.broken(test)

    def test_failure_leaves_total_true(self):
        async def test():
            store, owners = self.store, {}
            for client_id in ("a", "b", "c"):
                owners[client_id] = await self.claim(client_id)
            await store.put("b", owners["b"], a_line(b"y"))
            mend = self.bed.break_disk(store)
            (task,) = begin(store.receive("a", owners["a"], EPOCH, {0: 1}, a_lines([b"x" * 2000])))
            self.assertIsInstance((await ended(task))[1], StoreError)
            mend()
            await store.put("c", owners["c"], a_line(b"at once, while the store finds out what it has"))
            found = [b"y", b"at once, while the store finds out what it has"]
            found += [line for _, line in await inbox_of(store, await self.claim())]
            self.assertEqual(store.total, cost(found))

        self.broken(test)

    def test_failure_tells_of_the_room_that_it_leaves(self):
        async def test():
            store, told = self.store, []
            store.on_room = lambda: told.append(store.total)
            owners = {}
            for client_id in ("a", "b"):
                owners[client_id] = await self.claim(client_id)
            mend = self.bed.break_disk(store)
            (task,) = begin(store.receive("a", owners["a"], EPOCH, {0: 1}, a_lines([b"x" * 2000])))
            await asyncio.sleep(0)
            self.assertFalse(store.inbox_room("b"))
            self.assertIsInstance((await ended(task))[1], StoreError)
            mend()
            await asyncio.sleep(0.1)  # the store may look what it has
            if store.total < 1000:
                self.assertTrue(store.inbox_room("b"))
                self.assertEqual(told, [0])

        if not self.bed.has_total or not self.bed.can_fail:
            self.skipTest("clients have no limit in common, or no disk that can fail")
        self.open_anew(total_bytes=1000)
        self.run_it(test)

    def test_claim_that_fails_gives_the_client_to_nobody(self):
        async def test():
            store, owner = self.store, await self.filled()
            mend = self.bed.break_disk(store)
            await self.refused(store.claim("a"))
            await self.refused(store.claim("new"))
            mend()
            self.assertGreater((await self.assert_filled()).owner, owner)
            self.assertGreater((await store.claim("new")).owner, 0)

        self.broken(test)

    # Its end

    def test_closed_store_raises_in_every_method(self):
        async def filled():
            self.owner = await self.filled()

        async def test():
            store = self.store
            others = [store.peek("a"), store.claim("a"), store.claim("b"), store.backlogs(), store.watch()]
            for call in others + self.calls(self.owner):
                await self.refused(call, "closed")
            calls = [lambda: store.inbox_room("a"), lambda: store.outbox_room("a", 1), lambda: store.unread("a")]
            for call in calls:
                with self.assertRaises(StoreError):
                    call()
            self.assertIsNotNone(self.store.total)

        self.run_it(filled)
        self.store.close()
        self.store.close()
        self.run_it(test)

    def test_close_finishes_what_was_begun(self):
        async def test():
            owner = await self.claim()
            tasks = begin(*[self.store.put("a", owner, a_line(b"%d" % i)) for i in range(4)])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.store.close()
            for _, error in await all_ended(tasks):
                if error is None:
                    done.append(error)

        async def found():
            return (await self.store.claim("a")).lines

        done = []
        self.run_it(test)
        if self.bed.outlives:
            self.open_anew()
            self.assertEqual(len(done), 4)
            self.assertEqual(self.bed.run(found()), [b"0", b"1", b"2", b"3"])

    def test_watch_runs_until_it_is_cancelled_or_the_store_is_closed(self):
        async def test():
            watches = begin(self.store.watch(), self.store.watch(), self.store.watch())
            await asyncio.sleep(0.05)
            self.assertEqual([task.done() for task in watches], [False] * 3)
            watches[0].cancel()
            self.assertIsInstance((await ended(watches[0]))[1], asyncio.CancelledError)
            await self.claim()
            self.store.close()
            for task in watches[1:]:
                self.assertIn("closed", str((await ended(task))[1]))

        self.run_it(test)

    def test_store_serves_one_loop_after_another(self):
        async def first():
            await self.filled()
            begin(self.store.watch())
            self.left = begin(self.store.put("b", await self.claim("b"), a_line(b"left")))
            await asyncio.sleep(0)

        async def second():
            watch = begin(self.store.watch())[0]
            await self.assert_filled_but_for("b")
            self.assertFalse(watch.done())
            watch.cancel()

        self.run_it(first)
        self.run_it(second)

    async def assert_filled_but_for(self, other):
        owner = await self.claim(other)
        await self.store.discard(other, owner)
        await self.assert_filled()

    def test_what_was_written_outlives_the_store(self):
        async def fill():
            await self.filled()
            state = await self.store.claim("a")
            await self.store.named("a", state.owner, state.run)
            return state

        async def test():
            self.assertEqual(await self.store.peek("a"), (before.owner, before.epoch))
            self.assertEqual(self.store.total, cost([b"in 1", b"out 1", b"out 2"]))
            state = await self.assert_filled()
            self.assertGreater(state.owner, before.owner)
            self.assertEqual(state.runs[:-1], runs_around(before.runs, before.run))
            await self.refused(self.store.put("a", before.owner, a_line(b"x")), "another owner")

        if not self.bed.outlives:
            self.skipTest("nothing outlives it")
        before = self.bed.run(fill())
        self.open_anew()
        self.run_it(test)

    # Chance

    def test_random_calls(self):
        fresh = int.from_bytes(os.urandom(3), "big")
        for seed in list(range(self.bed.seeds)) + [fresh]:
            self.tearDown()
            self.setUp()
            try:
                RandomCalls(self, seed).run()
            except BaseException:
                print("test_random_calls fails with seed", seed)
                raise
