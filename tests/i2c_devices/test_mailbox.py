"""Both sides of the mailbox over a bus that fails: every transfer once and in
order in each epoch of the link, whatever fault comes at whatever exchange."""

import unittest

from i2c_devices import mailbox_target
from i2c_devices.mailbox_controller import FREE, LOST, SENDING
from protocol import mailbox as box
from tests.i2c_devices.bus import FAULTS, Rig, expected
from tests.protocol.noise import Noise

COUNT = 6
MEMORY = box.TX + box.SLOTS * box.TX_STRIDE  # bytes


def steps():
    """How many exchanges a run without faults takes."""
    rig = Rig(count=COUNT)
    rig.run()
    return rig.bus.step


def offered():
    """Both sides synchronised, and a transfer that the bridge knows of but has not fetched."""
    rig = Rig(count=COUNT)
    while not rig.target.pending():
        rig.turn()
    rig.controller.poll()
    assert rig.controller.can_fetch()
    return rig


class TestSmall(unittest.TestCase):
    """A transfer to the client that is kept in a place of its own."""

    def test_transfer_is_fetched_while_a_small_one_is_not_confirmed(self):
        rig = Rig(count=0, small=3)
        rig.run()
        controller, target = rig.controller, rig.target
        controller.buffer[box.HEADER : box.HEADER + 3] = b"abc"
        self.assertTrue(controller.send(box.CONTROL, 0, box.HEADER, 3))
        self.assertEqual((controller.state, controller.sending), (FREE, True))
        buf, at = target.slot()
        buf[at : at + 2] = b"de"
        target.offer(box.CONTROL, 0, 2)
        target.publish()
        self.assertTrue(controller.poll() and controller.fetch())
        self.assertTrue(controller.sending)
        controller.release()
        self.assertTrue(controller.send_again())
        self.assertEqual([bytes(payload) for _, _, payload in target.transfers()], [b"abc"])
        target.publish()
        controller.poll()
        self.assertFalse(controller.sending)

    def test_one_byte_more_keeps_the_buffer(self):
        rig = Rig(count=0, small=3)
        rig.run()
        rig.controller.send(box.CONTROL, 0, box.HEADER, 4)
        self.assertEqual((rig.controller.state, rig.controller.sending), (SENDING, True))


class TestStatusBehindATransfer(unittest.TestCase):
    def test_it_tells_of_what_was_offered_meanwhile_and_confirms(self):
        rig = Rig(count=0)
        rig.run()
        controller, target = rig.controller, rig.target
        for _ in range(2):
            target.slot()
            target.offer(box.CONTROL, 0, 1)
            target.publish()
            if not controller.can_fetch():
                controller.poll()
        self.assertTrue(controller.fetch())
        controller.release()
        self.assertTrue(controller.can_fetch())

    def test_damaged_it_harms_only_itself(self):
        rig = offered()
        rig.target._memory[box.TX + box.SLOT] ^= 1
        self.assertTrue(rig.controller.fetch())
        self.assertEqual((rig.controller.events & LOST, rig.controller.damaged), (LOST, 1))

    def test_bridge_that_comes_while_status_is_published_meets_one_epoch(self):
        rig = Rig(count=0)
        controller, target = rig.controller, rig.target
        controller.poll()
        target.poll()
        target.slot()
        target.offer(box.CONTROL, 0, 1)
        put = target.device.put
        fetched = []

        def put_and_be_interrupted(at, data):
            put(at, data)
            controller.poll()
            if controller.can_fetch():
                fetched.append(controller.fetch())

        target.device.put = put_and_be_interrupted
        target.publish()
        self.assertEqual(fetched, [True])
        self.assertTrue(controller.synchronised)

    def test_status_of_another_epoch_ends_this_one(self):
        rig = offered()
        controller, target = rig.controller, rig.target
        target.status.target_epoch ^= 1
        target.changed = True
        target.publish()
        self.assertFalse(controller.fetch())
        self.assertFalse(controller.synchronised)


class TestFaults(unittest.TestCase):
    def check(self, rig):
        self.assertEqual(rig.bridge.epochs, [expected("client", 1, COUNT)])
        self.assertEqual(rig.client.epochs, [expected("bridge", 1, COUNT)])
        self.assertEqual(rig.target.resyncs, 1)

    def test_all_transfers_arrive_once_and_in_order(self):
        rig = Rig(count=COUNT)
        rig.run()
        self.check(rig)
        self.assertEqual((rig.target.damaged, rig.controller.damaged), (0, 0))

    def test_one_fault_at_any_exchange_loses_and_repeats_nothing(self):
        last = steps()
        for fault in FAULTS:
            for step in range(last):
                with self.subTest(fault=fault, step=step):
                    rig = Rig({step: fault}, COUNT)
                    rig.run()
                    self.check(rig)

    def test_one_fault_while_small_transfers_leave_the_buffer_free_loses_and_repeats_nothing(self):
        for fault in FAULTS:
            for step in range(steps()):
                with self.subTest(fault=fault, step=step):
                    rig = Rig({step: fault}, COUNT, small=40)
                    rig.run()
                    self.check(rig)

    def test_two_faults_in_a_row_lose_and_repeat_nothing(self):
        last = steps()
        for first in FAULTS:
            for second in FAULTS:
                for step in range(0, last, 3):
                    rig = Rig({step: first, step + 1: second}, COUNT)
                    rig.run()
                    self.check(rig)

    def test_every_third_exchange_fails_and_nothing_is_lost(self):
        for fault in FAULTS:
            rig = Rig(dict([(step, fault) for step in range(0, 900, 3)]), COUNT)
            rig.run(2000)
            self.check(rig)

    def test_random_faults_lose_and_repeat_nothing(self):
        for seed in range(40):
            noise = Noise(seed)
            faults = {}
            for step in range(200):
                if noise.number(4) == 0:
                    faults[step] = FAULTS[noise.number(len(FAULTS))]
            rig = Rig(faults, COUNT)
            rig.run(2000)
            self.check(rig)

    def test_transfer_numbers_wrap(self):
        rig = Rig(count=300)
        rig.run(2000)
        self.assertEqual(rig.bridge.epochs, [expected("client", 1, 300)])
        self.assertEqual(rig.client.epochs, [expected("bridge", 1, 300)])

    def test_transfer_numbers_wrap_under_faults(self):
        rig = Rig(dict([(step, FAULTS[step % 7]) for step in range(0, 9000, 5)]), 300)
        rig.run(9000)
        self.assertEqual(rig.bridge.epochs, [expected("client", 1, 300)])
        self.assertEqual(rig.client.epochs, [expected("bridge", 1, 300)])

    def test_link_without_any_event_only_is_slower(self):
        rig = Rig(dict([(step, "lose event") for step in range(1000)]), COUNT)
        rig.run()
        self.check(rig)

    def test_failures_are_counted(self):
        rig = Rig({3: "nack", 5: "tear", 7: "corrupt"}, COUNT)
        rig.run()
        self.assertEqual(rig.controller.failures, 2)
        self.assertEqual(rig.controller.damaged + rig.target.damaged, 1)


class TestLives(unittest.TestCase):
    def check(self, rig):
        """The last epoch is whole; in each, transfers came from one epoch, in order."""
        for epochs, name in ((rig.client.epochs, "bridge"), (rig.bridge.epochs, "client")):
            for received in epochs:
                begins = [expected(name, epoch, COUNT)[: len(received)] for epoch in range(1, 5)]
                self.assertIn(received, begins)
            self.assertEqual(len(epochs[-1]), COUNT)

    def test_reset_of_the_bridge_at_any_exchange_begins_a_new_epoch(self):
        for step in range(steps()):
            rig = Rig(count=COUNT)
            rig.bus.faults[step] = rig.reset_bridge
            rig.run()
            self.check(rig)
            self.assertLessEqual(rig.target.resyncs, 2)

    def test_reboot_of_the_client_at_any_exchange_begins_a_new_epoch(self):
        for step in range(steps()):
            rig = Rig(count=COUNT)
            rig.bus.faults[step] = lambda bus, rig=rig: rig.boot_client()
            rig.run()
            self.check(rig)

    def test_client_that_leaves_the_bus_at_any_exchange_comes_back_in_a_new_epoch(self):
        for step in range(1, steps()):
            rig = Rig(count=COUNT)
            rig.bus.faults[step] = lambda bus, rig=rig: rig.target.close()
            rig.bus.faults[step + 4] = lambda bus, rig=rig: rig.target.open()
            rig.run()
            self.check(rig)

    def test_client_that_leaves_for_one_exchange_is_noticed(self):
        for step in range(1, steps()):
            rig = Rig(count=COUNT)

            def away(bus, rig=rig):
                rig.target.close()
                rig.target.open()

            rig.bus.faults[step] = away
            rig.run()
            self.check(rig)

    def test_both_begin_new_epochs_at_any_exchange(self):
        for step in range(steps()):
            rig = Rig(count=COUNT)
            rig.bus.faults[step] = lambda bus, rig=rig: rig.boot_client()
            rig.bus.faults[step + 1] = rig.reset_bridge
            rig.run()
            self.check(rig)

    def test_bridge_waits_for_a_client_that_is_absent(self):
        rig = Rig(count=COUNT)
        rig.target.close()
        for _ in range(20):
            rig.turn()
        self.assertFalse(rig.controller.synchronised)
        rig.target.open()
        rig.run()
        self.check(rig)

    def test_bridge_that_draws_its_predecessors_epoch_takes_another(self):
        rig = Rig(count=COUNT)
        rig.urandom = lambda n: b"\0M"
        rig.boot_client()
        rig.boot_bridge()
        rig.run()
        rig.boot_bridge()
        rig.run()
        self.assertEqual(rig.target.resyncs, 2)
        self.check(rig)

    def test_largest_epoch_is_followed_by_the_smallest(self):
        rig = Rig(count=COUNT)
        rig.urandom = lambda n: b"\xff\xff"
        rig.boot_bridge()
        rig.run()
        rig.boot_bridge()
        rig.run()
        self.check(rig)

    def test_epoch_of_zero_is_not_drawn(self):
        rig = Rig(count=COUNT)
        rig.urandom = bytes
        rig.boot_client()
        rig.boot_bridge()
        rig.run()
        self.assertEqual((rig.target.status.target_epoch, rig.controller.status.controller_epoch), (1, 1))
        self.check(rig)

    def test_epoch_that_ends_during_a_fetch_is_only_greeted_by_poll(self):
        rig = offered()
        rig.target.close()
        rig.target.open()
        self.assertFalse(rig.controller.fetch())
        self.assertFalse(rig.controller.synchronised)
        self.assertFalse(rig.controller.poll())  # where the bridge looks
        rig.run()
        self.check(rig)


class TestGarbage(unittest.TestCase):
    def overwrite(self, noise, first, end):
        def fault(bus):
            if bus.memory is not None:
                bus.memory[first:end] = noise.data(end - first)

        return fault

    def check(self, rig):
        for epochs, name in ((rig.client.epochs, "bridge"), (rig.bridge.epochs, "client")):
            for received in epochs:
                begins = [expected(name, epoch, COUNT)[: len(received)] for epoch in range(1, 5)]
                self.assertIn(received, begins)

    def test_garbage_over_all_memory_at_any_exchange_costs_time_only(self):
        noise = Noise(10)
        for step in range(steps()):
            rig = Rig({step: self.overwrite(noise, 0, MEMORY)}, COUNT)
            rig.run(2000)
            self.check(rig)

    def test_garbage_over_what_the_bridge_writes_is_written_again(self):
        noise = Noise(11)
        for step in range(steps()):
            rig = Rig({step: self.overwrite(noise, 0, box.TX)}, COUNT)
            rig.run()
            self.check(rig)
            self.assertEqual(rig.target.resyncs, 1)

    def test_garbage_before_the_first_poll_delivers_nothing_false(self):
        for seed in range(20):
            noise = Noise(seed)
            rig = Rig(count=COUNT)
            rig.target._memory[:] = noise.data(MEMORY)
            rig.run()
            self.check(rig)

    def test_transfer_damaged_in_memory_is_given_up_after_a_bound(self):
        rig = offered()
        rig.target._memory[box.TX + box.SLOT - 1] ^= 1
        refusals = 0
        while rig.controller.synchronised and refusals < 100:
            self.assertFalse(rig.controller.fetch())
            refusals += 1
        self.assertEqual(refusals, box.MAX_REFUSALS)
        rig.run()
        self.assertEqual(rig.target.resyncs, 2)
        self.check(rig)


    def test_transfer_that_the_client_never_takes_ends_the_epoch(self):
        rig = Rig(count=0)
        rig.run()
        controller = rig.controller
        controller.buffer[box.HEADER : box.HEADER + 3] = b"abc"
        controller.send(box.CONTROL, 0, box.HEADER, 3)
        for _ in range(box.MAX_REWRITES):
            self.assertEqual(controller.state, SENDING)
            self.assertTrue(controller.send_again())
        self.assertFalse(controller.send_again())
        self.assertFalse(controller.synchronised)
        rig.run()
        self.assertEqual(rig.target.resyncs, 2)


class TestTarget(unittest.TestCase):
    def ready(self):
        rig = Rig(count=0)
        rig.run()
        return rig

    def test_third_transfer_waits_for_a_slot(self):
        target = self.ready().target
        for _ in range(box.SLOTS):
            self.assertIsNotNone(target.slot())
            target.offer(box.CONTROL, 0, 1)
        self.assertIsNone(target.slot())
        self.assertTrue(target.pending())

    def test_progress_in_memory_shows_that_the_bridge_lives_without_any_event(self):
        rig = self.ready()
        target = rig.target
        rig.bus.handler = lambda bus: None

        def used():
            target.poll()
            for _ in target.transfers():
                pass
            found, target.used = target.used, False
            return found

        target.used = False
        rig.controller.poll()  # a look leaves nothing behind
        self.assertFalse(used())
        target.offer(box.CONTROL, 0, 1)
        target.publish()
        rig.controller.poll()
        rig.controller.fetch()
        rig.controller.release()
        rig.controller.acknowledge()
        self.assertTrue(used())
        self.assertFalse(used())
        rig.controller.send(box.CONTROL, 0, box.HEADER, 1)
        self.assertTrue(used())
        self.assertFalse(used())
        rig.boot_bridge()
        rig.controller.poll()
        self.assertTrue(used())
        self.assertFalse(used())

    def test_use_before_it_left_the_bus_is_forgotten(self):
        rig = self.ready()
        rig.controller.poll()
        self.assertTrue(rig.target.used)
        rig.target.close()
        self.assertFalse(rig.target.used)

    def test_nothing_can_be_offered_before_synchronisation(self):
        rig = Rig()
        self.assertIsNone(rig.target.slot())
        self.assertEqual(list(rig.target.transfers()), [])

    def test_acknowledgement_of_what_was_not_offered_is_ignored(self):
        rig = self.ready()
        rig.target.offer(box.CONTROL, 0, 1)
        rig.target.publish()
        for number in (2, 100, 128, 200, 255):
            box.encode_ack_into(rig.target._memory, box.ACK, rig.target._epochs, number)
            rig.target.poll()
            self.assertTrue(rig.target.pending())
        box.encode_ack_into(rig.target._memory, box.ACK, rig.target._epochs, 1)
        rig.target.poll()
        self.assertFalse(rig.target.pending())

    def test_damaged_transfer_is_counted_once(self):
        rig = self.ready()
        memory = rig.target._memory
        memory[box.RX : box.RX + 11] = b"\x00\x40\x00\x00\x00\x01abcdx"
        for _ in range(5):
            self.assertEqual(list(rig.target.transfers()), [])
        self.assertEqual(rig.target.damaged, 1)

    def test_what_is_yielded_does_not_change_when_the_bridge_writes(self):
        rig = self.ready()
        rig.controller.buffer[26:29] = b"abc"
        rig.controller.send(box.CONTROL, 0, 26, 3)
        for kind, connection, payload in rig.target.transfers():
            rig.target._memory[box.RX : box.TX] = bytes(box.TX - box.RX)
            self.assertEqual((kind, connection, bytes(payload)), (box.CONTROL, 0, b"abc"))

    def test_what_is_offered_is_sealed_before_the_bridge_can_reach_it(self):
        rig = self.ready()
        buf, at = rig.target.slot()
        buf[at : at + 3] = b"abc"
        rig.target._memory[box.TX :] = b"x" * (MEMORY - box.TX)
        rig.target.offer(box.CONTROL, 0, 3)
        rig.target.publish()
        rig.controller.poll()
        self.assertTrue(rig.controller.fetch())
        self.assertEqual(bytes(rig.controller.view[box.HEADER : box.HEADER + 3]), b"abc")

    def test_nothing_is_sealed_in_the_memory_that_the_bridge_can_write(self):
        rig = self.ready()
        memory = rig.target._memory
        seals = (mailbox_target._digest, box.residue)
        sealed = []

        def digest(head, payload):
            sealed.append(head)
            memory[:] = bytes(len(memory))
            whole = seals[0](head, payload)
            memory[:] = bytes(range(1, 256)) * (len(memory) // 255) + b"x" * (len(memory) % 255)
            self.assertEqual(seals[0](head, payload), whole)
            return whole

        def residue(seed, buf, *args):
            sealed.append(buf)
            memory[:] = bytes(len(memory))
            whole = seals[1](seed, buf, *args)
            self.assertFalse(any(memory))
            return whole

        mailbox_target._digest, box.residue = digest, residue
        try:
            rig.target.slot()
            rig.target.offer(box.CONTROL, 0, 1)
            rig.target.publish()
            rig.target.beat()
        finally:
            mailbox_target._digest, box.residue = seals
        self.assertEqual(len(sealed), 3)

    def test_drop_request_is_seen_until_the_next_epoch(self):
        rig = self.ready()
        rig.target.drop(7)
        rig.target.publish()
        rig.controller.poll()
        self.assertEqual(rig.controller.status.drop, 7)
        rig.target.close()
        rig.target.open()
        rig.run()
        self.assertEqual(rig.controller.status.drop, 0)

    def test_beat_changes_and_wraps(self):
        rig = self.ready()
        beats = set()
        for _ in range(300):
            rig.target.beat()
            rig.controller.poll()
            beats.add(rig.controller.status.beat)
        self.assertEqual(len(beats), 256)

    def test_beat_does_not_swallow_the_news(self):
        target = self.ready().target
        self.assertFalse(target.publish())
        target.drop(7)
        target.beat()
        self.assertTrue(target.publish())
        self.assertFalse(target.publish())
        target.beat()
        self.assertFalse(target.publish())

    def test_bridge_that_takes_less_is_told_by_its_sync(self):
        rig = Rig(count=COUNT)
        box.encode_sync_into(rig.target._memory, box.SYNC, 5, rig.target.status.target_epoch, 512)
        rig.target.poll()
        self.assertEqual(rig.target.max_payload, 512)

    def test_opening_twice_and_closing_twice_is_once(self):
        rig = Rig()
        rig.target.open()
        rig.target.close()
        rig.target.close()
        self.assertIsNone(rig.bus.memory)


class TestController(unittest.TestCase):
    def test_lost_acknowledgement_is_written_again(self):
        rig = offered()
        rig.controller.fetch()
        rig.controller.release()
        rig.bus.faults[rig.bus.step] = "vanish"
        rig.controller.acknowledge()
        rig.target.poll()
        self.assertTrue(rig.target.pending())
        rig.controller.poll()  # the client's STATUS shows that it does not know
        rig.controller.acknowledge()
        rig.target.poll()
        self.assertEqual(rig.target.status.base, 1)

    def test_idle_link_writes_nothing(self):
        rig = Rig(count=COUNT)
        rig.run()
        rig.turn()
        rig.turn()
        before = bytes(rig.target._memory[: box.TX])
        reads = rig.bus.step
        self.assertTrue(rig.controller.poll())
        self.assertTrue(rig.controller.acknowledge())
        self.assertEqual(rig.bus.step, reads + 1)
        self.assertEqual(bytes(rig.target._memory[: box.TX]), before)

    def test_rewriting_what_has_arrived_is_harmless(self):
        rig = Rig(count=0)
        rig.run()
        rig.controller.buffer[26:29] = b"abc"
        rig.controller.send(box.CONTROL, 0, 26, 3)
        self.assertEqual(len(list(rig.target.transfers())), 1)
        rig.controller.send_again()
        self.assertEqual(len(list(rig.target.transfers())), 0)
        rig.target.publish()
        rig.controller.poll()
        self.assertEqual(rig.controller.state, FREE)

    def test_longest_transfer_crosses_both_ways(self):
        rig = Rig(count=0)
        rig.run()
        rig.client.to_send = [Noise(12).data(box.PAYLOAD)]
        rig.bridge.to_send = [Noise(13).data(box.PAYLOAD)]
        for _ in range(12):
            rig.turn()
        self.assertEqual(rig.bridge.received, [Noise(12).data(box.PAYLOAD)])
        self.assertEqual(rig.client.received, [Noise(13).data(box.PAYLOAD)])


if __name__ == "__main__":
    unittest.main()
