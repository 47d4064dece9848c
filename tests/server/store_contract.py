"""The contract of a store (server/core/store.py) as tests: every store passes all of them. What is tested of calls that
overlap, are cancelled or fail is in store_contract_calls.py, of channels in store_contract_channels.py, of claims in
store_contract_owners.py.

`StoreContract` is mixed into a TestCase that names a bed: see store_beds.py for the beds, and test_contract.py for the
list of them. What overlaps is made with tasks that are begun in a known order. This file runs under both interpreters.
"""

from protocol.errors import StoreError
from protocol.lines import NUMBERS
from server.core.history import RUNS, begin_run, runs_around
from server.core.store import LINE_COST, Store
from tests.server.store_calls import (
    EPOCH,
    INBOX,
    OUTBOX,
    MemoryBed,
    a_line,
    a_lines,
    all_ended,
    begin,
    cost,
    data_of,
    inbox_of,
    numbered,
)  # fmt: skip
from tests.server.store_contract_calls import StoreCalls
from tests.server.store_contract_channels import StoreChannels
from tests.server.store_contract_owners import StoreOwners

ALL_LINES = [b"", b"x", b"\0", b"\xff\xfe\0", b'"', b"\\u0000\r\t", "\u20ac\U0001f600".encode(), b"y" * 8192]


class StoreContract(StoreCalls, StoreChannels, StoreOwners):
    bed_class = MemoryBed

    def setUp(self):
        self.bed = self.bed_class()
        self.stores = []
        self.store = self.open()

    def tearDown(self):
        for store in self.stores:
            store.close()
        self.bed.remove()

    def open(self, **limits):
        store = self.bed.open(**limits)
        self.stores.append(store)
        return store

    def run_it(self, test):
        self.bed.run(test())

    async def refused(self, call, words=""):
        """The call raises StoreError with these words."""
        try:
            await call
        except StoreError as error:
            self.assertIn(words, str(error))
            return
        self.fail("a call that must fail has not")

    async def claim(self, client_id="a"):
        return (await self.store.claim(client_id)).owner

    async def filled(self, client_id="a"):
        """The owner of a client with something of everything."""
        owner = await self.claim(client_id)
        await self.store.receive(client_id, owner, EPOCH, {0: 7}, a_lines([b"in 0", b"in 1"]))
        for line in (b"out 0", b"out 1", b"out 2"):
            await self.store.put(client_id, owner, a_line(line))
        await self.store.acknowledge(client_id, owner, {0: 1})
        await self.store.take(client_id, owner)
        self.store.note(client_id, owner, "a note")
        await self.store.away(client_id, owner, 60)
        return owner

    def calls(self, owner, client_id="a"):
        """A call of each method that takes an owner."""
        store = self.store

        async def note(**how):
            store.note(client_id, owner, "another note", **how)

        return [
            store.receive(client_id, owner, b"another.", {0: 9}, a_lines([b"x"])),
            store.look(client_id, owner, 0),
            store.take(client_id, owner),
            store.give_back(client_id, owner, 0, a_line(b"in 0")),
            store.remove(client_id, owner, [0, 1]),
            store.mark(client_id, owner, 1, 2),
            store.expire(client_id, owner, 0, 2),
            store.drop(client_id, owner, 9),
            store.put(client_id, owner, a_line(b"x")),
            store.acknowledge(client_id, owner, {0: 2}),
            store.discard(client_id, owner),
            store.realign(client_id, owner, b"another.", {0: 9}, {0: 3}),
            store.named(client_id, owner, b"some run"),
            store.away(client_id, owner, 99),
            store.renew(client_id, owner),
            note(),
            note(at_once=True),
        ]

    async def assert_filled(self):
        """The client is as `filled` left it. Returns the ClientState."""
        state = await self.store.claim("a")
        found = (state.peer_epoch, state.cursors[0], state.bases[0], state.lines, state.note)
        self.assertEqual(found, (EPOCH, 7, 1, [b"out 1", b"out 2"], "a note"))
        self.assertEqual(await inbox_of(self.store, state.owner), [(1, b"in 1")])
        self.assertEqual(await self.store.backlogs(), [{"id": "a", "lines": 2, "bytes": 10, "away_s": 60}])
        self.assertEqual(self.store.total, cost([b"in 1", b"out 1", b"out 2"]))
        return state

    # What a store is

    def test_store_overrides_every_method(self):
        values = ("immediate", "on_room", "on_read", "on_lost", "latency", "trouble", "others", "readings")
        for name in dir(Store):
            if name[0] != "_" and name not in values:
                self.assertIsNot(getattr(type(self.store), name), getattr(Store, name), name)

    def test_call_of_an_immediate_store_is_made_in_the_callers_step(self):
        if not self.store.immediate:
            self.skipTest("it may suspend")

        async def test():
            owner = await self.claim()
            for call in [self.store.peek("a"), self.store.claim("b"), self.store.backlogs()] + self.calls(owner):
                try:
                    call.send(None)
                except (StopIteration, StoreError):
                    continue
                self.fail("an immediate store has suspended")

        self.run_it(test)

    # Claims and owners

    def test_state_of_a_client_that_is_new(self):
        async def test():
            owner, epoch = await self.store.peek("a")
            state = await self.store.claim("a")
            self.assertEqual((owner, epoch, len(epoch)), (0, state.epoch, 8))
            self.assertGreater(state.owner, 0)
            found = (state.peer_epoch, state.cursors[0], state.bases[0], state.lines, state.note)
            self.assertEqual(found, (None, 0, 0, [], ""))
            self.assertEqual(state.runs, [(state.run, 0)])
            self.assertEqual(len(state.run), 8)
            self.assertEqual(data_of(await self.store.take("a", state.owner)), None)
            self.assertEqual(await self.store.look("a", state.owner, 0), None)
            self.assertEqual((await self.store.backlogs(), self.store.total), ([], 0))

        self.run_it(test)

    def test_owner_number_grows_with_each_claim(self):
        async def test():
            last = 0
            for i in range(5):
                state = (await self.store.discard("a", last))[0] if i == 3 else await self.store.claim("a")
                self.assertGreater(state.owner, last)
                last = state.owner
                self.assertEqual((await self.store.peek("a"))[0], last)

        self.run_it(test)

    def test_peek_claims_nothing(self):
        async def test():
            owner = await self.filled()
            known = await self.store.peek("a")
            self.assertEqual(known[0], owner)
            self.assertEqual(await self.store.peek("a"), known)
            await self.store.put("a", owner, a_line(b"still mine"))
            self.assertEqual((await self.store.claim("a")).epoch, known[1])

        self.run_it(test)

    def test_claim_tells_everything_that_is_safe(self):
        async def test():
            await self.filled()
            before = await self.assert_filled()
            after = await self.assert_filled()
            self.assertEqual(after.epoch, before.epoch)

        self.run_it(test)

    def test_state_is_the_callers_own(self):
        async def test():
            await self.filled()
            state = await self.store.claim("a")
            del state.outbox[:]
            state.was_put(0)
            state.was_acknowledged({0: 2})
            state.named(state.run)
            del state.runs[:]
            self.assertEqual(len((await self.assert_filled()).runs), 3)

        self.run_it(test)

    def test_fenced_owner_changes_nothing_and_is_told(self):
        async def test():
            owner = await self.filled()
            self.store = self.bed.other(self.store)
            await self.assert_filled()
            for call in self.calls(owner):
                await self.refused(call, "another owner has claimed a")
            await self.assert_filled()

        self.run_it(test)

    def test_discard_fences_the_owner_as_a_claim_does(self):
        async def test():
            owner = await self.filled()
            await self.store.discard("a", owner)
            for call in self.calls(owner):
                await self.refused(call, "another owner")

        self.run_it(test)

    def test_owner_that_nobody_was_given_changes_nothing(self):
        async def test():
            owner = await self.filled()
            for wrong in (0, owner + 1, owner - 1, -1):
                for call in self.calls(wrong):
                    await self.refused(call)
            await self.assert_filled()

        self.run_it(test)

    def test_client_that_nobody_has_claimed_is_an_error(self):
        async def test():
            await self.store.peek("a")  # which gives it no owner
            for client_id in ("a", "b"):
                for call in self.calls(0, client_id):
                    await self.refused(call, "nobody has claimed " + client_id)
                with self.assertRaises(StoreError):
                    self.store.inbox_room(client_id)
                with self.assertRaises(StoreError):
                    self.store.outbox_room(client_id, 1)
                with self.assertRaises(StoreError):
                    self.store.unread(client_id)
            self.assertEqual((await self.store.peek("a"))[0], 0)

        self.run_it(test)

    def test_write_that_overlaps_a_claim_is_in_its_state_or_fails(self):
        async def test():
            owner = await self.claim()
            other = self.bed.other(self.store)
            lines = [b"%d" % i for i in range(9)]
            puts = [self.store.put("a", owner, a_line(line)) for line in lines]
            tasks = begin(*puts[:3], other.claim("a"), *puts[3:6])
            state = (await all_ended(tasks))[3][0]
            await self.refused(puts[6], "another owner")
            writes = await all_ended(tasks[:3] + tasks[4:])
            done = [lines[i] for i in range(6) if writes[i][1] is None]
            self.assertEqual(state.lines, done)
            self.assertEqual((await other.claim("a")).lines, done)
            for call in puts[7:]:
                await self.refused(call, "another owner")
            if other is self.store:
                self.assertEqual(done, lines[:3])

        self.run_it(test)

    def test_claims_that_overlap_have_each_their_owner_and_run(self):
        async def test():
            states = [found[0] for found in await all_ended(begin(*[self.store.claim("a") for _ in range(4)]))]
            owners = [state.owner for state in states]
            self.assertEqual((owners, len(set(owners))), (sorted(owners), 4))
            self.assertEqual(len({state.run for state in states}), 4)
            self.assertEqual(len({state.epoch for state in states}), 1)
            for owner in owners[:3]:
                await self.refused(self.store.put("a", owner, a_line(b"x")))
            await self.store.put("a", owners[3], a_line(b"x"))

        self.run_it(test)

    def test_clients_do_not_share_anything(self):
        async def test():
            await self.filled()
            state = await self.store.claim("b")
            self.assertEqual((state.lines, state.note, await inbox_of(self.store, state.owner, "b")), ([], "", []))
            await self.store.receive("b", state.owner, b"another.", {0: 1}, a_lines([b"x"]))
            await self.store.discard("b", state.owner)
            self.assertNotEqual((await self.store.peek("a"))[1], (await self.store.peek("b"))[1])
            self.assertEqual(data_of(await self.store.take("b", (await self.store.claim("b")).owner)), b"x")
            await self.assert_filled()

        self.run_it(test)

    # The inbox

    def test_lines_of_all_kinds_come_back_as_they_were(self):
        async def test():
            owner = await self.claim()
            given = list(ALL_LINES)
            await self.store.receive("a", owner, EPOCH, {0: 1}, a_lines(given))
            del given[:]
            for line in ALL_LINES:
                await self.store.put("a", owner, a_line(line))
            state = await self.store.claim("a")
            self.assertEqual(state.lines, ALL_LINES)
            self.assertEqual(await inbox_of(self.store, state.owner), numbered(0, ALL_LINES))

        self.run_it(test)

    def test_receive_moves_the_cursor_with_or_without_lines(self):
        async def test():
            owner = await self.claim()
            for number, lines in ((1, [b"x"]), (NUMBERS, []), (0, [b"y", b"z"])):
                await self.store.receive("a", owner, EPOCH, {0: number}, a_lines(lines))
                state = await self.store.claim("a")
                owner = state.owner
                self.assertEqual((state.peer_epoch, state.cursors[0]), (EPOCH, number))
            self.assertEqual(await inbox_of(self.store, owner), numbered(0, [b"x", b"y", b"z"]))

        self.run_it(test)

    def test_line_keeps_its_number_and_no_two_have_the_same(self):
        async def test():
            store, owner = self.store, await self.claim()
            await store.receive("a", owner, EPOCH, {0: 3}, a_lines([b"0", b"1", b"2"]))
            self.assertEqual(data_of(await store.take("a", owner)), b"0")
            await store.drop("a", owner, 2)
            owner = (await store.discard("a", owner))[0].owner
            self.assertEqual(await inbox_of(store, owner), [(2, b"2")])
            self.assertEqual(data_of(await store.take("a", owner)), b"2")
            await store.realign("a", owner, b"another.", {0: 0}, {0: 0})
            owner = await self.claim()
            await store.receive("a", owner, EPOCH, {0: 4}, a_lines([b"3"]))
            self.assertEqual(await inbox_of(store, owner), [(3, b"3")])

        self.run_it(test)

    def test_look_finds_the_oldest_line_from_a_number_on(self):
        async def test():
            store, owner = self.store, await self.claim()
            await store.receive("a", owner, EPOCH, {0: 3}, a_lines([b"0", b"1", b"2", b"3"]))
            await store.take("a", owner)
            found = []
            for number in (-5, 0, 1, 2, 3, 4, 99):
                found.append(await store.look("a", owner, number))
            found = [one and (one[0], one[1].data) for one in found]
            self.assertEqual(found, [(1, b"1")] * 3 + [(2, b"2"), (3, b"3"), None, None])

        self.run_it(test)

    def test_takes_are_undone_in_any_order(self):
        async def test():
            store, owner = self.store, await self.claim()
            await store.receive("a", owner, EPOCH, {0: 3}, a_lines([b"0", b"1"]))
            taken = [await store.take("a", owner), await store.take("a", owner)]
            await store.receive("a", owner, EPOCH, {0: 4}, a_lines([b"2"]))
            owner = await self.claim()
            for number, message in taken:
                await store.give_back("a", owner, number, message)
            owner = await self.claim()
            self.assertEqual(await inbox_of(store, owner), numbered(0, [b"0", b"1", b"2"]))
            self.assertEqual(store.total, cost([b"0", b"1", b"2"]))

        self.run_it(test)

    def test_drop_removes_what_is_before_a_number_however_often(self):
        async def test():
            store, owner = self.store, await self.claim()
            await store.receive("a", owner, EPOCH, {0: 3}, a_lines([b"0", b"1", b"2", b"3"]))
            for number in (-3, 0, 2, 2, 1):
                await store.drop("a", owner, number)
            self.assertEqual(await inbox_of(store, owner), [(2, b"2"), (3, b"3")])
            await store.drop("a", owner, 99)
            self.assertEqual((await inbox_of(store, owner), store.total), ([], 0))
            await store.receive("a", owner, EPOCH, {0: 3}, a_lines([b"4"]))
            self.assertEqual(await inbox_of(store, owner), [(4, b"4")])

        self.run_it(test)

    def test_inbox_has_room_until_its_limit_is_reached(self):
        async def test():
            store, owner = self.store, await self.claim()
            size = INBOX // 3 - LINE_COST
            for room in (True, True, True, False):
                self.assertEqual(store.inbox_room("a"), room)
                await store.receive("a", owner, EPOCH, {0: 1}, a_lines([b"x" * size]))  # kept also without room
            for room in (False, True):
                await store.take("a", owner)
                self.assertEqual(store.inbox_room("a"), room)
            self.assertEqual(len(await inbox_of(store, owner)), 2)

        self.run_it(test)

    # The outbox

    def test_outbox_has_room_until_its_limit_is_reached_and_for_one_line_always(self):
        async def test():
            store, owner = self.store, await self.claim()
            self.assertTrue(store.outbox_room("a", 10 * OUTBOX))
            await store.put("a", owner, a_line(b"x" * (OUTBOX - 2 * LINE_COST)))
            self.assertTrue(store.outbox_room("a", 0))
            self.assertFalse(store.outbox_room("a", 1))
            await store.put("a", owner, a_line(b"kept all the same"))
            await store.acknowledge("a", owner, {0: 1})
            self.assertTrue(store.outbox_room("a", OUTBOX - 2 * LINE_COST - 17))
            self.assertFalse(store.outbox_room("a", OUTBOX - 2 * LINE_COST - 16))
            self.assertEqual((await store.claim("a")).lines, [b"kept all the same"])

        self.run_it(test)

    def test_acknowledge_forgets_what_is_before_a_number_however_often(self):
        async def test():
            store, owner = self.store, await self.claim()
            for line in (b"0", b"1", b"2"):
                await store.put("a", owner, a_line(line))
            for base in (0, 2, 2):
                await store.acknowledge("a", owner, {0: base})
            state = await store.claim("a")
            self.assertEqual((state.bases[0], state.lines), (2, [b"2"]))
            await store.acknowledge("a", state.owner, {0: 3})
            state = await store.claim("a")
            self.assertEqual((state.bases[0], state.lines, store.total), (3, [], 0))

        self.run_it(test)

    def test_acknowledgement_of_other_numbers_is_an_error_that_changes_nothing(self):
        async def test():
            owner = await self.filled()
            for base in (0, 4, 5, NUMBERS, 1 << 20):
                await self.refused(self.store.acknowledge("a", owner, {0: base}), "beyond the outbox")
                await self.refused(self.store.realign("a", owner, b"another.", {0: 0}, {0: base}), "beyond the outbox")
            self.store.note("a", owner, "a note", at_once=True)  # the owner has stayed
            await self.assert_filled()

        self.run_it(test)

    def test_numbers_of_the_outbox_wrap(self):
        async def test():
            store, owner = self.store, await self.claim()
            for wrap in (0x10000, NUMBERS + 1):
                self.bed.set_base(store, "a", wrap - 3)
                for line in (b"0", b"1", b"2", b"3", b"4"):
                    await store.put("a", owner, a_line(line))
                await store.acknowledge("a", owner, {0: wrap - 1})
                await store.acknowledge("a", owner, {0: wrap + 1 & NUMBERS})
                state = await store.claim("a")
                owner = state.owner
                self.assertEqual((state.bases[0], state.lines), (wrap + 1 & NUMBERS, [b"4"]))
                self.assertEqual(state.runs[-1][1], wrap + 2 & NUMBERS)
                await self.refused(store.acknowledge("a", owner, {0: wrap}), "beyond the outbox")
                await store.acknowledge("a", owner, {0: wrap + 2 & NUMBERS})

        self.run_it(test)

    def test_discard_forgets_the_outbox_and_begins_the_session_anew(self):
        async def test():
            owner = await self.filled()
            before = await self.store.claim("a")
            state, count = await self.store.discard("a", before.owner)
            self.assertEqual((count, state.lines, len(state.epoch)), (2, [], 8))
            self.assertNotEqual(state.epoch, before.epoch)
            self.assertGreater(state.owner, before.owner)
            self.assertEqual(state.runs, [(state.run, state.serial)])
            self.assertEqual((state.peer_epoch, state.cursors[0], state.note), (EPOCH, 7, "a note"))
            self.assertEqual(await self.store.peek("a"), (state.owner, state.epoch))
            self.assertEqual((await self.store.backlogs(), self.store.total), ([], cost([b"in 1"])))
            await self.store.put("a", state.owner, a_line(b"new"))
            self.assertEqual((await self.store.backlogs())[0]["away_s"], 0)
            again = await self.store.claim("a")
            self.assertEqual((again.bases[0], again.epoch, again.lines), (state.bases[0], state.epoch, [b"new"]))
            self.assertEqual(await inbox_of(self.store, again.owner), [(1, b"in 1")])
            self.assertGreater(state.owner, owner)

        self.run_it(test)

    # The past

    def test_realign_moves_the_cursor_and_the_outbox_and_leaves_the_inbox(self):
        async def test():
            owner = await self.filled()
            for _ in range(2):  # repeated, it does nothing
                await self.store.realign("a", owner, b"another.", {0: 3}, {0: 2})
            state = await self.store.claim("a")
            found = (state.peer_epoch, state.cursors[0], state.bases[0], state.lines)
            self.assertEqual(found, (b"another.", 3, 2, [b"out 2"]))
            self.assertEqual(await inbox_of(self.store, state.owner), [(1, b"in 1")])
            self.assertEqual(self.store.total, cost([b"in 1", b"out 2"]))

        self.run_it(test)

    def test_each_claim_begins_a_run_where_the_outbox_ends(self):
        async def test():
            runs = []
            for i in range(RUNS + 10):
                state = await self.store.claim("a")
                begin_run(runs, state.run, i)
                self.assertEqual(state.runs, runs)
                await self.store.put("a", state.owner, a_line(b"x"))
                if i % 3 == 0:
                    await self.store.acknowledge("a", state.owner, {0: state.bases[0] + 1})
                if i in (7, 20):
                    runs = runs_around(runs, runs[6][0])
                    await self.store.named("a", state.owner, runs[6][0])
                    await self.store.named("a", state.owner, b"unknown.")

        self.run_it(test)

    # Notes, and what waits

    def test_note_is_safe_with_the_next_write_or_at_once(self):
        async def test():
            owner = await self.claim()
            for text in ("one", "", "\u20ac \U0001f600 \" \\ \n", "n" * 5000):
                self.store.note("a", owner, text)
                await self.store.put("a", owner, a_line(b"x"))
                state = await self.store.claim("a")
                self.assertEqual(state.note, text)
                owner = state.owner
                self.store.note("a", owner, "replaced")
                self.store.note("a", owner, text + "!", at_once=True)
                state = await self.store.claim("a")
                self.assertEqual(state.note, text + "!")
                owner = state.owner

        self.run_it(test)

    def test_backlogs_are_of_clients_with_lines_for_them(self):
        async def test():
            store, owners = self.store, {}
            for client_id in ("c", "a", "b", "d"):
                owners[client_id] = await self.claim(client_id)
            await store.away("c", owners["c"], 5)
            await store.receive("d", owners["d"], EPOCH, {0: 1}, a_lines([b"x"]))
            for client_id, line in (("c", b"123"), ("a", b"\0"), ("c", b""), ("b", b"x")):
                await store.put(client_id, owners[client_id], a_line(line))
            await store.acknowledge("b", owners["b"], {0: 1})
            expected = [
                {"id": "a", "lines": 1, "bytes": 1, "away_s": 0}, {"id": "c", "lines": 2, "bytes": 3, "away_s": 5}
            ]  # fmt: skip
            self.assertEqual(await store.backlogs(), expected)
            await store.away("a", owners["a"], 1 << 29)
            await store.away("c", owners["c"], 0)
            await self.claim("a")  # which changes no time
            self.assertEqual([one["away_s"] for one in await store.backlogs()], [1 << 29, 0])

        self.run_it(test)

    def test_total_counts_all_lines(self):
        async def test():
            lines = [b"x" * i for i in range(10)]
            for client_id in ("a", "b"):
                owner = await self.claim(client_id)
                await self.store.receive(client_id, owner, EPOCH, {0: 1}, a_lines(lines))
                await self.store.put(client_id, owner, a_line(b"y" * 100))
            self.assertEqual(self.store.total, 2 * cost(lines + [b"y" * 100]))
            await self.store.drop("b", owner, 4)
            self.assertEqual(self.store.total, cost(lines + lines[4:] + [b"y" * 200]) + LINE_COST)

        self.run_it(test)

    def test_latency_counts_transactions(self):
        async def test():
            await self.filled()
            latency = self.store.latency
            if latency is not None:
                self.assertGreater(sum(latency.counts), 0)
                self.assertEqual(len(latency.counts), len(latency.bounds) + 1)
                self.assertGreater(latency.sum_s, 0)

        self.run_it(test)

    def test_limit_of_all_clients_stops_them_and_on_room_tells_that_they_may_go_on(self):
        async def test():
            store, owners, told = self.store, {}, []
            store.on_room = lambda: told.append(store.total)
            for client_id in ("a", "b"):
                owners[client_id] = await self.claim(client_id)
            self.assertTrue(store.inbox_room("b") and store.outbox_room("b", 10))
            await store.receive("a", owners["a"], EPOCH, {0: 1}, a_lines([b"x" * 1000]))
            await store.drop("a", owners["a"], 0)
            self.assertFalse(store.inbox_room("b"))
            self.assertTrue(store.outbox_room("b", 10))  # one line always
            await store.put("b", owners["b"], a_line(b"y"))
            self.assertFalse(store.outbox_room("b", 1))
            self.assertEqual(told, [])
            await store.take("a", owners["a"])
            self.assertEqual(told, [cost([b"y"])])
            self.assertTrue(store.inbox_room("b") and store.outbox_room("b", 10))
            await store.acknowledge("b", owners["b"], {0: 1})
            self.assertEqual(len(told), 1)

        if not self.bed.has_total:
            self.skipTest("clients have no limit in common")
        self.open_anew(total_bytes=1000)
        self.run_it(test)

    def open_anew(self, **limits):
        """End the store, and go on with the next one."""
        self.store.close()
        self.store = self.open(**limits)
        return self.store
