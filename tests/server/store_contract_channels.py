"""The part of a store's contract that is about channels: each has its order, its numbers and its room.

A base of StoreContract, which has the helpers. This file runs under both interpreters.
"""

import asyncio

from protocol.channel_records import EXPIRED_BITS
from protocol.lines import NUMBERS
from server.core.message import DROPPED, Message
from server.core.store import LINE_COST
from tests.server.store_calls import CHANNEL, EPOCH, INBOX, OUTBOX, a_line, all_ended, begin, cost, ended, messages_of


def on(channel, data, kind=0, time=0):
    return Message(channel, kind, time, data)


KINDS = [on(0, b"line"), on(1, b""), on(127, b"\0\n\xff"), on(5, b"id..request", 2), on(5, b"y" * 8192, 6, 1 << 41)]


class StoreChannels:
    async def assert_boxes(self, owner, inbox):
        """The inbox has these messages, {channel: [(number, Message)]}, in the order of each channel."""
        for channel, rows in inbox.items():
            self.assertEqual(await messages_of(self.store, owner, channel), rows)
            self.assertEqual(self.store.unread("a", channel)[0], len(rows))

    def test_messages_of_all_kinds_come_back_as_they_were(self):
        async def test():
            owner = await self.claim()
            await self.store.receive("a", owner, EPOCH, {0: 1, 5: 2}, KINDS)
            for message in KINDS:
                await self.store.put("a", owner, message)
            if self.bed.outlives:
                self.open_anew()
            state = await self.store.claim("a")
            self.assertEqual(state.outbox, [(i, KINDS[i]) for i in range(5)])
            self.assertEqual((state.serial, state.lines), (5, [b"line"]))
            rows = [(i, KINDS[i]) for i in range(5)]
            await self.assert_boxes(state.owner, {0: rows[:1], 1: rows[1:2], 127: rows[2:3], 5: rows[3:], 6: []})

        self.run_it(test)

    def test_line_may_be_given_as_its_bytes(self):
        async def test():
            owner = await self.claim()
            await self.store.receive("a", owner, EPOCH, {0: 2}, [b"0", b""])
            await self.store.receive("a", owner, EPOCH, {0: 3, 5: 1}, [b"2", on(5, b"3"), on(0, b"4")])
            if self.bed.outlives:
                self.open_anew()
            rows = [(0, on(0, b"0")), (1, on(0, b"")), (2, on(0, b"2")), (4, on(0, b"4"))]
            await self.assert_boxes((await self.store.claim("a")).owner, {0: rows, 5: [(3, on(5, b"3"))]})

        self.run_it(test)

    def test_each_channel_has_an_order_of_its_own_and_numbers_count_over_all(self):
        async def test():
            store, owner = self.store, await self.claim()
            await store.receive("a", owner, EPOCH, {0: 1, 5: 2}, [on(5, b"0"), on(0, b"1"), on(5, b"2"), on(0, b"3")])
            self.assertEqual(await store.take("a", owner), (1, on(0, b"1")))
            self.assertEqual(await store.look("a", owner, 1, 5), (2, on(5, b"2")))
            await store.drop("a", owner, 3, 5)
            await self.assert_boxes(owner, {0: [(3, on(0, b"3"))], 5: []})
            await store.receive("a", owner, EPOCH, {5: 3}, [on(5, b"4")])
            self.assertEqual(store.unread("a", 5), (1, 4))
            self.assertEqual(store.unread("a", 9), (0, 5))
            await store.drop("a", owner, 99, 5)
            await self.assert_boxes(await self.claim(), {0: [(3, on(0, b"3"))], 5: []})

        self.run_it(test)

    def test_message_of_a_channel_that_was_taken_has_its_place_again(self):
        async def test():
            store, owner = self.store, await self.claim()
            rows = [(i, on(5, b"%d" % i, 2, 7)) for i in range(4)]
            await store.receive("a", owner, EPOCH, {5: 4}, [message for _, message in rows])
            taken = []
            for _ in range(3):  # MicroPython has no await in a comprehension
                taken.append(await store.take("a", owner, 5))
            self.assertEqual(taken, rows[:3])
            for at in (1, 0, 2):
                await store.give_back("a", owner, taken[at][0], taken[at][1])
            await self.refused(store.give_back("a", owner, 1, rows[1][1]), "was not taken")
            await self.refused(store.give_back("a", owner, 4, rows[1][1]), "was not taken")
            await self.assert_boxes(owner, {5: rows})
            await self.assert_boxes(await self.claim(), {5: rows})

        self.run_it(test)

    def test_cancelled_take_on_a_channel_is_undone(self):
        async def test():
            store, owner = self.store, await self.claim()
            rows = [(i, on(i % 2 * 5, b"%d" % i)) for i in range(40)]
            await store.receive("a", owner, EPOCH, {0: 20, 5: 20}, [message for _, message in rows])
            rest = [row for row in rows if row[1].channel == 5]
            for pauses in range(16):
                (task,) = begin(store.take("a", owner, 5))
                for _ in range(pauses):
                    await asyncio.sleep(0 if pauses < 8 else 0.0004)
                task.cancel()
                row, _ = await ended(task)
                if row is not None:
                    self.assertEqual(row, rest.pop(0))
                await self.assert_boxes(owner, {0: rows[::2], 5: rest})
            await self.assert_boxes(await self.claim(), {0: rows[::2], 5: rest})
            self.rest = rest

        async def after():
            await self.assert_boxes(await self.claim(), {5: self.rest})

        self.run_it(test)
        if self.bed.outlives:
            self.open_anew()
            self.run_it(after)

    def test_remove_takes_exactly_what_is_named(self):
        async def test():
            store, owner = self.store, await self.claim()
            rows = [(i, on((0, 5, 9)[i % 3], b"%d" % i)) for i in range(9)]
            await store.receive("a", owner, EPOCH, {0: 3, 5: 3, 9: 3}, [message for _, message in rows])
            await store.remove("a", owner, [7, 1, 3, 99])
            await store.remove("a", owner, [])
            owner = await self.claim()
            await self.assert_boxes(owner, {0: [rows[0], rows[6]], 5: [rows[4]], 9: [rows[2], rows[5], rows[8]]})
            await store.remove("a", owner, [1, 4])
            self.assertEqual(store.total, cost([b"x"] * 5))

        self.run_it(test)

    def test_mark_changes_the_kind_and_nothing_else(self):
        async def test():
            store, owner = self.store, await self.claim()
            await store.receive("a", owner, EPOCH, {5: 2}, [on(5, b"0", 2, 77), on(5, b"1")])
            await store.mark("a", owner, 0, 18)
            await self.refused(store.mark("a", owner, 2, 18), "no message 2")
            owner = await self.claim()
            await self.assert_boxes(owner, {5: [(0, on(5, b"0", 18, 77)), (1, on(5, b"1"))]})
            await store.mark("a", owner, 0, 0)
            await store.take("a", owner, 5)
            await self.refused(store.mark("a", owner, 0, 18), "no message 0")

        self.run_it(test)

    # Room

    def test_full_channel_leaves_the_others_their_room(self):
        async def test():
            store, owner = self.store, await self.claim()
            full = b"x" * (CHANNEL - LINE_COST)
            for channel in (5, 6):
                self.assertTrue(store.inbox_room("a", channel) and store.outbox_room("a", 10 * CHANNEL, channel))
                await store.receive("a", owner, EPOCH, {channel: 1}, [on(channel, full)])
                await store.put("a", owner, on(channel, full))
                self.assertFalse(store.inbox_room("a", channel))
                self.assertFalse(store.outbox_room("a", 0, channel))
            self.assertTrue(store.inbox_room("a") and store.inbox_room("a", 7))
            self.assertTrue(store.outbox_room("a", OUTBOX - LINE_COST) and store.outbox_room("a", 10 * CHANNEL, 7))
            await store.receive("a", owner, EPOCH, {0: 1}, [a_line(b"x" * INBOX)])
            self.assertFalse(store.inbox_room("a"))
            await store.take("a", owner, 5)
            await store.acknowledge("a", owner, {5: 1})
            self.assertTrue(store.inbox_room("a", 5) and store.outbox_room("a", CHANNEL - LINE_COST, 5))
            self.assertFalse(store.inbox_room("a", 6) or store.outbox_room("a", 0, 6))

        self.run_it(test)

    def test_empty_channel_takes_one_message_when_all_clients_together_have_no_room(self):
        async def test():
            store, owner = self.store, await self.claim()
            other = await self.claim("b")
            await store.receive("b", other, EPOCH, {0: 1}, [a_line(b"x" * 2000)])
            for client_id in ("a", "b"):
                self.assertFalse(store.inbox_room(client_id))
                self.assertTrue(store.inbox_room(client_id, 5) and store.outbox_room(client_id, 9000, 5))
            await store.receive("a", owner, EPOCH, {5: 1}, [on(5, b"x")])
            await store.put("a", owner, on(5, b"x"))
            self.assertFalse(store.inbox_room("a", 5) or store.outbox_room("a", 1, 5))
            self.assertTrue(store.inbox_room("a", 6) and store.outbox_room("a", 9000, 6))
            await store.take("b", other)
            self.assertTrue(store.inbox_room("a", 5) and store.outbox_room("a", 1, 5))

        if not self.bed.has_total:
            self.skipTest("clients have no limit in common")
        self.open_anew(total_bytes=1000)
        self.run_it(test)

    # The outbox

    async def put_on(self, owner, *channels):
        for channel in channels:
            await self.store.put("a", owner, on(channel, b"%d" % channel))

    def test_acknowledge_is_of_several_channels_or_of_none(self):
        async def test():
            store, owner = self.store, await self.claim()
            await self.put_on(owner, 0, 5, 5, 0, 9, 5)
            for wrong in ({0: 1, 5: 4}, {0: 1, 9: 2}, {5: 1, 6: 1}, {5: NUMBERS, 0: 2}):
                await self.refused(store.acknowledge("a", owner, wrong), "beyond the outbox")
            self.assertEqual(len((await store.claim("a")).outbox), 6)
            owner = await self.claim()
            for _ in range(2):
                await store.acknowledge("a", owner, {0: 1, 5: 2, 6: 0})
            state = await store.claim("a")
            self.assertEqual([(at, message.channel) for at, message in state.outbox], [(3, 0), (4, 9), (5, 5)])
            bases = [state.bases.get(channel, 0) for channel in (0, 5, 6, 9)]
            self.assertEqual((bases, state.serial, state.runs[-1][1]), ([1, 2, 0, 0], 6, 6))
            await store.acknowledge("a", state.owner, {0: 2, 5: 3, 9: 1})
            self.assertEqual((await store.backlogs(), store.total), ([], 0))

        self.run_it(test)

    def test_realign_is_of_several_channels_or_of_none(self):
        async def test():
            store, owner = self.store, await self.claim()
            await store.receive("a", owner, EPOCH, {0: 3, 5: 7, 6: 1}, [])
            await self.put_on(owner, 0, 5, 5)
            await self.refused(store.realign("a", owner, EPOCH, {5: 9}, {0: 1, 5: 3}), "beyond the outbox")
            state = await store.claim("a")
            self.assertEqual((state.cursors[5], len(state.outbox)), (7, 3))
            await store.realign("a", state.owner, EPOCH, {5: 9}, {0: 1, 5: 1})
            state = await store.claim("a")
            self.assertEqual([state.cursors.get(channel, 0) for channel in (0, 5, 6)], [3, 9, 1])
            self.assertEqual(state.outbox, [(2, on(5, b"5"))])

        self.run_it(test)

    def test_new_epoch_of_the_client_begins_each_channel_with_0(self):
        async def test():
            store, owner = self.store, await self.claim()
            await store.receive("a", owner, EPOCH, {0: 3, 5: 7}, [])
            await store.receive("a", owner, EPOCH, {6: 1}, [])
            state = await store.claim("a")
            self.assertEqual([state.cursors.get(channel, 0) for channel in (0, 5, 6)], [3, 7, 1])
            await store.receive("a", state.owner, b"another.", {6: 2}, [on(6, b"x")])
            if self.bed.outlives:
                store = self.open_anew()
            state = await store.claim("a")
            self.assertEqual([state.cursors.get(channel, 0) for channel in (0, 5, 6)], [0, 0, 2])

        self.run_it(test)

    def test_what_had_expired_is_kept_with_the_cursor(self):
        async def test():
            store, state = self.store, await self.store.claim("a")
            steps = (
                ((EPOCH, {5: 3, 9: 1}, {5: 6, 9: 1}), {5: 6, 9: 1}),
                ((EPOCH, {0: 4, 5: 3}), {5: 6, 9: 1}),  # the cursor stays
                ((EPOCH, {5: 3, 9: 2}, {5: EXPIRED_BITS}), {5: EXPIRED_BITS}),
                ((EPOCH, {5: 4, 9: 2}, {9: 2}), {9: 2}),
                ((EPOCH, {0: 5}, {}), {9: 2}),
                ((EPOCH, {9: 2}, {9: 0}), {}),
                ((EPOCH, {5: 5}, {5: 1}), {5: 1}),
                ((b"another.", {5: 5, 9: 1}, {9: 1}), {9: 1}),  # the same numbers of others
                ((b"another.", {9: 1, 5: 5}), {9: 1}),
            )
            for call, left in steps:
                await store.receive("a", state.owner, call[0], call[1], [], *call[2:])
                state.was_received(*call)
                self.assertEqual(state.expired, left)
                if self.bed.outlives:
                    store = self.open_anew()
                state = await store.claim("a")
                self.assertEqual(state.expired, left)
            await store.realign("a", state.owner, b"another.", {0: 1, 9: 1}, {})
            state = (await store.discard("a", state.owner))[0]
            self.assertEqual(state.expired, {9: 1})
            await store.realign("a", state.owner, b"another.", {9: 2}, {})
            self.assertEqual((await store.claim("a")).expired, {})

        self.run_it(test)

    def test_discard_forgets_all_channels(self):
        async def test():
            store, owner = self.store, await self.claim()
            await self.put_on(owner, 0, 5, 0, 5, 9)
            await store.acknowledge("a", owner, {0: 1, 5: 1})
            await store.receive("a", owner, EPOCH, {5: 7}, [on(5, b"kept")])
            state, count = await store.discard("a", owner)
            self.assertEqual((count, state.outbox, state.serial, state.cursors[5]), (3, [], 5, 7))
            for _ in range(2):
                self.assertEqual([state.bases.get(channel, 0) for channel in (0, 5, 9)], [1, 0, 0])
                store = self.open_anew() if self.bed.outlives else store
                state = await store.claim("a")
            await self.put_on(state.owner, 5)
            await store.acknowledge("a", state.owner, {5: 1})
            self.assertEqual((await messages_of(store, state.owner, 5), store.total), ([(0, on(5, b"kept"))], 36))

        self.run_it(test)

    def test_expired_message_is_empty_and_keeps_its_place(self):
        async def test():
            store, owner = self.store, await self.claim()
            for i in range(4):
                await store.put("a", owner, on(5, b"message %d" % i, 2, 1000))
            await store.acknowledge("a", owner, {5: 1})
            self.assertTrue(await store.expire("a", owner, 5, 2))
            self.assertTrue(await store.expire("a", owner, 5, 2))
            for channel, number in ((5, 0), (5, 4), (0, 0), (9, 0)):
                self.assertFalse(await store.expire("a", owner, channel, number))
            state = await store.claim("a")
            gone = on(5, b"", DROPPED)
            self.assertEqual([state.outbox[0][0], state.outbox[1], state.outbox[2][0]], [1, (2, gone), 3])
            self.assertEqual(store.total, cost([b"message 1", b"", b"message 3"]))
            await store.acknowledge("a", state.owner, {5: 3})
            self.assertEqual((await store.claim("a")).outbox, [(3, on(5, b"message 3", 2, 1000))])

        self.run_it(test)

    def test_state_that_was_kept_up_to_date_is_that_of_the_next_claim(self):
        async def test():
            store, state = self.store, await self.store.claim("a")
            for channel in (0, 5, 5, 0, 9, 5):
                await self.put_on(state.owner, channel)
                state.was_put(channel)
            for bases in ({0: 1}, {5: 2, 0: 1}, {9: 0}):
                await store.acknowledge("a", state.owner, bases)
                state.was_acknowledged(bases)
            for epoch, cursors in ((EPOCH, {5: 3}), (EPOCH, {0: 9}), (b"another.", {7: 1})):
                await store.receive("a", state.owner, epoch, cursors, [])
                state.was_received(epoch, cursors)
            again = await (self.open_anew() if self.bed.outlives else store).claim("a")
            for start in range(8):
                for channel in (0, 5, 9, 11):
                    self.assertEqual(again.number_at(channel, start), state.number_at(channel, start))
            for channel in (0, 5, 7, 9):
                got = again.cursors.get(channel, 0), again.bases.get(channel, 0)
                self.assertEqual(got, (state.cursors.get(channel, 0), state.bases.get(channel, 0)))
            numbers = [again.number_at(5, start) for start in range(1, 8)]  # two were acknowledged: serials 1 and 2
            self.assertEqual(numbers, [1, 1, 2, 2, 2, 3, 3])

        self.run_it(test)

    def test_calls_for_several_channels_overlap(self):
        async def test():
            store, owner = self.store, await self.claim()
            calls = []
            for i in range(30):
                channel = (0, 5, 9)[i % 3]
                calls.append(store.put("a", owner, on(channel, b"%d" % i)))
                calls.append(store.receive("a", owner, EPOCH, {channel: i}, [on(channel, b"%d" % i)]))
                calls.append(store.acknowledge("a", owner, {channel: i // 6}))
            calls.append(store.expire("a", owner, 5, 9))
            self.assertEqual([error for _, error in await all_ended(begin(*calls)) if error], [])
            state = await store.claim("a")
            self.assertEqual(state.cursors, {0: 27, 5: 28, 9: 29})
            kept = [(i, on((0, 5, 9)[i % 3], b"%d" % i)) for i in range(30) if i // 3 >= 4]
            kept[kept.index((28, on(5, b"28")))] = (28, on(5, b"", DROPPED))
            self.assertEqual(state.outbox, kept)
            rows = [(i, on((0, 5, 9)[i % 3], b"%d" % i)) for i in range(30)]
            await self.assert_boxes(state.owner, {0: rows[::3], 5: rows[1::3], 9: rows[2::3]})

        self.run_it(test)
