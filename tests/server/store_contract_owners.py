"""The contract of a store, as to which claim succeeds: mixed into store_contract.py. Runs under both interpreters."""

from server.core.store import Fenced
from tests.server.store_calls import EPOCH, a_line, a_lines, all_ended, begin, inbox_of


class StoreOwners:
    """Of a client whose owner and epoch somebody has seen."""

    async def fenced(self, call):
        """The call raises Fenced."""
        try:
            await call
        except Fenced as error:
            self.assertIn("another owner has claimed a", str(error))
            return
        self.fail("a claim or a call of a former owner has succeeded")

    def test_claim_for_what_was_seen_is_like_any_other(self):
        async def test():
            await self.filled()
            seen = await self.store.peek("a")
            state = await self.store.claim("a", seen)
            self.assertEqual((state.owner, state.epoch), (seen[0] + 1, seen[1]))
            self.assertEqual(await self.store.peek("a"), (state.owner, state.epoch))
            await self.assert_filled()

        self.run_it(test)

    def test_claim_fails_when_another_one_has_come_in_between_and_leaves_that_one_alone(self):
        async def test():
            await self.claim()
            other = self.bed.other(self.store)
            seen = await self.store.peek("a")
            state = await other.claim("a")
            for store in (self.store, other):
                await self.fenced(store.claim("a", seen))
            await other.put("a", state.owner, a_line(b"goes on"))
            await other.receive("a", state.owner, EPOCH, {0: 1}, a_lines([b"in"]))
            self.assertEqual(await inbox_of(other, state.owner), [(0, b"in")])
            self.assertEqual((await other.peek("a"))[0], state.owner)

        self.run_it(test)

    def test_claim_for_a_number_that_comes_later_or_another_epoch_fails(self):
        async def test():
            owner = await self.claim()
            seen = await self.store.peek("a")
            for wrong in ((seen[0] + 1, seen[1]), (seen[0], b"another.")):
                await self.fenced(self.store.claim("a", wrong))
            await self.store.put("a", owner, a_line(b"goes on"))
            self.assertEqual((await self.store.claim("a", seen)).lines, [b"goes on"])

        self.run_it(test)

    def test_of_claims_at_once_for_the_same_that_was_seen_one_succeeds(self):
        async def test():
            for client_id in ("a", "b"):  # one that is known, and one that is new
                if client_id == "a":
                    await self.claim()
                stores = (self.store, self.bed.other(self.store))
                seen = []
                for store in stores:
                    seen.append(await store.peek(client_id))
                tasks = []
                for i in (0, 1, 0, 1):
                    tasks.extend(begin(stores[i].claim(client_id, seen[i])))
                found = await all_ended(tasks)
                states = [state for state, error in found if error is None]
                self.assertEqual(len(states), 1)
                for state, error in found:
                    self.assertTrue(state is not None or isinstance(error, Fenced), repr(error))
                self.assertEqual(await self.store.peek(client_id), (states[0].owner, states[0].epoch))

        self.run_it(test)

    def test_claim_that_asks_for_nothing_succeeds_beside_one_that_fails(self):
        async def test():
            await self.claim()
            other = self.bed.other(self.store)
            owner, epoch = await other.peek("a")
            found = await all_ended(begin(other.claim("a", (owner + 9, epoch)), other.claim("a")))
            self.assertTrue(isinstance(found[0][1], Fenced), repr(found))
            self.assertEqual(found[1][0].owner, owner + 1)

        self.run_it(test)

    def test_owner_that_renews_goes_on_and_earlier_sights_are_void(self):
        async def test():
            owner = await self.filled()
            other = self.bed.other(self.store)
            seen = await other.peek("a")
            for i in (1, 2):
                self.assertEqual(await self.store.renew("a", owner), owner + i)
                self.assertEqual((await other.peek("a")), (owner + i, seen[1]))
            await self.fenced(other.claim("a", seen))
            await self.fenced(other.claim("a", (owner + 1, seen[1])))
            await self.store.put("a", owner, a_line(b"x"))
            await self.store.acknowledge("a", owner, {0: 2})
            await self.refused(self.store.put("a", owner + 2, a_line(b"y")))
            state = await other.claim("a", await other.peek("a"))
            self.assertEqual((state.owner, state.lines), (owner + 3, [b"out 2", b"x"]))
            for call in self.calls(owner):
                await self.refused(call, "another owner has claimed a")

        self.run_it(test)

    def test_renewing_begins_no_run(self):
        async def test():
            owner = await self.claim()
            await self.store.renew("a", owner)
            self.assertEqual(len((await self.store.claim("a")).runs), 2)

        self.run_it(test)

    def test_former_owner_renews_nothing(self):
        async def test():
            owner = await self.claim()
            other = self.bed.other(self.store)
            state = await other.claim("a")
            await self.fenced(self.store.renew("a", owner))
            self.assertEqual((await other.peek("a"))[0], state.owner)
            await other.put("a", state.owner, a_line(b"goes on"))

        self.run_it(test)

    def test_number_of_a_renewed_owner_outlives_a_store_that_several_processes_may_use(self):
        async def test():
            owner = await self.claim()
            number = await self.store.renew("a", owner)
            await self.store.renew("a", owner)
            self.store.close()
            self.store = self.open()
            found = (await self.store.peek("a"))[0]
            self.assertEqual(found, number + 1 if self.store.others is not None else owner)
            self.assertEqual((await self.store.claim("a")).owner, found + 1)

        if not self.bed.outlives:
            self.skipTest("nothing outlives it")
        self.run_it(test)
