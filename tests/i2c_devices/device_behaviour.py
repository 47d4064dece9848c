"""How stream and packet devices both behave, on any bed: `self.bed(mode)` makes one (bed.py has the names)."""

from errno import ECONNRESET

from i2c_devices.device_target import IRQ_ERROR, IRQ_RESET, IRQ_RX, IRQ_TX, POLLIN, POLLOUT
from protocol.device import ACK_BYTES, DEVICE_BYTES, SYNC_BYTES, DeviceStatusCell, Layout
from protocol.mailbox import ADDRESS_BITS, HEADER
from tests.i2c_devices.bed import ADDRESS, COALESCED, LATE, LOST, MODES, ON_TIME

TRIES = 60  # of a step that should succeed soon


class Notes:
    """A handler that does not allocate: it runs under heap_lock."""

    def __init__(self):
        self.flags = self.calls = 0

    def on_event(self, device):
        self.calls += 1
        self.flags |= device.flags()


class DeviceBehaviour:
    """What both have in common."""

    def start(self, mode=ON_TIME, **sizes):
        bed = self.bed(mode)
        target = self.TARGET(bed.port, **sizes)
        target.open()
        controller = self.CONTROLLER(bed.i2c, ADDRESS)
        self.addCleanup(bed.close)
        self.addCleanup(target.close)
        self.synchronise(bed, target, controller)
        return bed, target, controller

    def stop(self, bed, target):
        target.close()
        bed.close()

    def until(self, bed, action, *others):
        """Does `action` until it returns something, and the others in between."""
        for _ in range(TRIES):
            result = action()
            if result:
                return result
            bed.settle()
            for other in others:
                other()
            bed.pause(1)
        raise AssertionError("nothing happens")

    def synchronise(self, bed, target, controller):
        self.until(bed, controller.poll, target.any)

    def layout(self, controller):
        return Layout(controller.max_payload)

    def read(self, bed, at, size):
        buf = bytearray(size)
        bed.i2c.readfrom_mem_into(ADDRESS, at, buf, addrsize=ADDRESS_BITS)
        return bytes(buf)

    def write(self, bed, at, data):
        bed.i2c.writeto_mem(ADDRESS, at, data, addrsize=ADDRESS_BITS)

    def status(self, bed, controller):
        status = DeviceStatusCell()
        self.assertTrue(status.read_from(self.read(bed, self.layout(controller).STATUS, Layout.STATUS_BYTES)))
        return status

    def exchange(self, bed, target, controller, to_target, to_controller):
        """Sends items both ways; returns what arrived at the target and at the controller."""
        to_target, to_controller = list(to_target), list(to_controller)
        at_target, at_controller = [], []
        quiet = 0
        while quiet < TRIES:
            quiet += 1
            if to_target and self.send(controller, to_target):
                quiet = 0
            bed.settle()
            if to_controller and self.send(target, to_controller):
                quiet = 0
            for side, arrived in ((target, at_target), (controller, at_controller)):
                item = self.receive(side)
                if item:
                    arrived.append(item)
                    quiet = 0
            bed.settle()
            if quiet > 4:
                if not to_target and not to_controller and controller.flush() and target.flush():
                    break
                bed.pause(5)
        return at_target, at_controller

    def check_exchange(self, bed, target, controller, count=8):
        one, two = self.items("one", count), self.items("two", count)
        at_target, at_controller = self.exchange(bed, target, controller, one, two)
        self.assertEqual(self.joined(at_target), self.joined(one))
        self.assertEqual(self.joined(at_controller), self.joined(two))

    def test_everything_arrives_once_and_in_order_whatever_becomes_of_the_events(self):
        for mode in MODES:
            bed, target, controller = self.start(mode)
            self.check_exchange(bed, target, controller, 20)
            self.assertEqual((target.faults, controller.damaged, controller.resets), (0, 0, 0))
            self.stop(bed, target)

    def test_read_again_gives_the_same_until_the_next_write(self):
        bed, target, controller = self.start()
        self.send(target, self.items("x", 1))
        layout = self.layout(controller)
        length = self.status(bed, controller).length0
        size = Layout.STATUS_BYTES + HEADER + length
        at = layout.TX + layout.PAYLOAD - length
        once = self.read(bed, at, size)
        self.assertEqual(self.read(bed, at, size), once)
        self.assertFalse(target.flush())
        self.assertTrue(self.until(bed, lambda: self.receive(controller), target.any))
        bed.settle()
        self.assertTrue(target.flush())

    def test_reads_shorter_and_longer_than_announced_change_nothing(self):
        for mode in MODES:
            bed, target, controller = self.start(mode)
            layout = self.layout(controller)
            items = self.items("x", 3)
            kept = list(items)
            while items and self.send(target, items):
                pass
            for size in (1, 5, Layout.STATUS_BYTES + HEADER + 1, layout.MEMORY - layout.TX, layout.MEMORY):
                self.read(bed, layout.TX, size)
                self.read(bed, 0, size)
            at_controller = self.exchange(bed, target, controller, (), items)[1]
            self.assertEqual(self.joined(at_controller), self.joined(kept))
            self.assertEqual(target.faults, 0)
            self.stop(bed, target)

    def test_address_only_writes_and_repeated_starts_change_nothing(self):
        for mode in MODES:
            bed, target, controller = self.start(mode)
            head = self.layout(controller).STATUS.to_bytes(2, "big")
            bed.i2c.writeto(ADDRESS, b"")
            bed.i2c.writeto(ADDRESS, head)
            bed.i2c.writeto(ADDRESS, head, False)
            bed.i2c.writeto(ADDRESS, b"\0\0", False)
            bed.i2c.writeto(ADDRESS, head, False)
            buf = bytearray(Layout.STATUS_BYTES)
            bed.i2c.readfrom_into(ADDRESS, buf)
            self.assertTrue(DeviceStatusCell().read_from(buf))
            self.check_exchange(bed, target, controller)
            self.assertEqual(target.faults, 0)
            self.stop(bed, target)

    def test_written_again_is_not_taken_twice_and_torn_not_at_all(self):
        for mode in MODES:
            bed, target, controller = self.start(mode)
            layout = self.layout(controller)
            sent = []
            real = bed.i2c.writeto_mem

            def keep(address, at, data, *, addrsize, sent=sent, real=real, layout=layout):
                if at >= layout.RX:
                    sent.append((at, bytes(data)))
                    real(address, at, sent[-1][1][: len(data) - 2], addrsize=addrsize)  # torn
                else:
                    real(address, at, data, addrsize=addrsize)

            items = self.items("x", 1)
            controller._box._i2c = Interposed(bed.i2c, keep)
            self.send(controller, list(items))
            bed.settle()
            self.assertFalse(self.receive(target))
            controller._box._i2c = bed.i2c
            for _ in range(3):
                self.write(bed, *sent[0])
                bed.settle()
            bed.pause(25)  # if no event comes, what was torn is examined again after POLL_MS
            self.assertEqual(self.joined([self.receive(target)]), self.joined(items))
            self.write(bed, *sent[0])
            bed.settle()
            bed.pause(25)
            self.assertFalse(self.receive(target))
            self.assertEqual(target.overflows, 0)
            self.check_exchange(bed, target, controller)
            self.stop(bed, target)

    def test_controller_that_writes_where_it_must_not_is_reported_and_harms_nothing(self):
        for mode in MODES:
            bed, target, controller = self.start(mode)
            notes = Notes()
            target.irq(notes.on_event, IRQ_ERROR)
            layout = self.layout(controller)
            items = self.items("x", 2)
            kept = list(items)
            while items and self.send(target, items):
                pass
            for at in (0, layout.TX, layout.TX + 5, layout.MEMORY - 3):
                self.write(bed, at, b"\xa5" * 40)  # beyond the end: it wraps
                bed.settle()
            self.write(bed, DEVICE_BYTES, b"\x51" * (SYNC_BYTES + ACK_BYTES))
            bed.settle()
            bed.pause(25)
            target.any()
            self.assertGreater(target.refused, 0)
            self.assertEqual(notes.flags, IRQ_ERROR)
            at_controller = self.exchange(bed, target, controller, (), items)[1]
            self.assertEqual(self.joined(at_controller), self.joined(kept))
            self.check_exchange(bed, target, controller)
            self.stop(bed, target)

    def test_noise_over_all_of_the_memory_harms_nothing(self):
        bed, target, controller = self.start()
        layout = self.layout(controller)
        for value in range(0, 250, 25):
            self.write(bed, 0, bytes((value + i) & 0xFF for i in range(layout.MEMORY)))
            bed.settle()
            self.assertFalse(self.receive(target))
        self.check_exchange(bed, target, controller)

    def test_restarted_target_is_told_once_and_a_new_stream_begins(self):
        bed, target, controller = self.start()
        self.check_exchange(bed, target, controller)
        target.close()
        again = self.TARGET(bed.port, life=77)
        again.open()
        self.addCleanup(again.close)
        told = 0
        for _ in range(TRIES):
            try:
                self.receive(controller)
            except OSError as error:
                self.assertEqual(error.args[0], ECONNRESET)
                told += 1
            again.any()
            bed.settle()
        self.assertEqual((told, controller.resets), (1, 1))
        self.check_exchange(bed, again, controller)

    def restart(self, bed, target, make, **sizes):
        target.close()
        again = make(bed.port, **sizes)
        again.open()
        self.addCleanup(again.close)
        return again

    def test_restarted_target_of_another_size_is_met(self):
        bed, target, controller = self.start()
        self.check_exchange(bed, target, controller)
        for sizes in (self.RESIZED, {}):
            target = self.restart(bed, target, self.TARGET, **sizes)
            with self.assertRaises(OSError):
                for _ in range(TRIES):
                    self.receive(controller)
                    target.any()
                    bed.settle()
            self.check_exchange(bed, target, controller)
        self.assertEqual(controller.resets, 2)

    def test_restarted_target_of_another_kind_is_refused_in_every_call(self):
        bed, target, controller = self.start()
        again = self.restart(bed, target, self.OTHER)
        for _ in range(5):
            with self.assertRaises((ValueError, OSError)):
                for _ in range(TRIES):
                    self.receive(controller)
                    again.any()
                    bed.settle()
        for _ in range(5):
            with self.assertRaises(ValueError):
                self.send(controller, self.items("x", 1))
        self.assertEqual(again.any(), 0)

    def test_what_was_fetched_from_an_ended_epoch_is_read_before_the_error_or_not_at_all(self):
        for read_first in (False, True):
            bed, target, controller = self.start()
            old, new = self.items("old", 2), self.items("new", 2)
            kept = list(old)
            while old and self.send(target, old):
                pass
            self.until(bed, controller._readable, target.any)
            target = self.restart(bed, target, self.TARGET)
            self.until(bed, lambda controller=controller: controller.poll() or controller.resets, target.any)
            while new and self.send(target, new):
                pass
            if read_first:
                got = self.joined([self.receive(controller)])
                self.assertEqual(self.joined(kept)[: len(got)], got)
            with self.assertRaises(OSError) as caught:
                self.send(controller, self.items("x", 1))
            self.assertEqual(caught.exception.errno, ECONNRESET)
            at_controller = self.exchange(bed, target, controller, (), new)[1]
            self.assertEqual(self.joined(at_controller), self.joined(self.items("new", 2)))
            self.stop(bed, target)

    def test_writer_is_told_of_a_loss_that_the_reader_was_told_of_first(self):
        bed, target, controller = self.start(LOST)
        self.assertTrue(self.send(controller, self.items("lost", 1)))
        target = self.restart(bed, target, self.TARGET)
        for action in (self.receive, lambda side: side.flush()):
            with self.assertRaises(OSError):
                for _ in range(5):
                    action(controller)
                    target.any()
        self.assertTrue(controller.flush())
        self.check_exchange(bed, target, controller)

    def test_nothing_is_readable_at_an_absent_target(self):
        bed, target, controller = self.start()
        self.assertTrue(self.send(target, self.items("x", 1)))
        bed.settle()
        self.until(bed, controller.poll)
        target.close()
        self.assertFalse(controller._readable())

    def test_restarted_controller_gets_what_was_not_confirmed(self):
        bed, target, controller = self.start()
        notes = Notes()
        target.irq(notes.on_event, IRQ_RESET)
        items = self.items("x", 1)
        self.send(target, list(items))
        controller.poll()
        another = self.CONTROLLER(bed.i2c, ADDRESS)
        self.synchronise(bed, target, another)
        self.assertEqual((target.resets, notes.flags), (2, IRQ_RESET))
        at_controller = self.exchange(bed, target, another, (), ())[1]
        self.assertEqual(self.joined(at_controller), self.joined(items))
        self.check_exchange(bed, target, another)

    def test_absent_target_is_waited_for(self):
        bed, target, controller = self.start()
        target.close()
        failures = controller.failures
        self.assertFalse(controller.poll())
        self.assertGreater(controller.failures, failures)
        target.open()
        with self.assertRaises(OSError):
            for _ in range(TRIES):
                self.receive(controller)
                target.any()
                bed.settle()
        self.check_exchange(bed, target, controller)

    def test_target_that_comes_back_in_the_middle_of_meeting_is_met(self):
        for mode in MODES:
            bed = self.bed(mode)
            target = self.TARGET(bed.port)
            target.open()
            controller = self.CONTROLLER(bed.i2c, ADDRESS)
            self.addCleanup(bed.close)
            self.addCleanup(target.close)
            controller.poll()
            bed.settle()
            target.any()
            target.close()
            target.open()
            self.synchronise(bed, target, controller)
            self.check_exchange(bed, target, controller)
            self.stop(bed, target)

    def test_handler_hears_of_what_arrives_and_of_room(self):
        bed, target, controller = self.start()
        notes = Notes()
        target.irq(notes.on_event, IRQ_RX | IRQ_TX)
        self.send(controller, self.items("x", 1))
        bed.settle()
        self.assertEqual(notes.flags, IRQ_RX)
        self.receive(target)
        notes.flags = 0
        self.send(target, self.items("x", 1))
        self.until(bed, lambda: self.receive(controller))
        bed.settle()
        self.assertTrue(notes.flags & IRQ_TX)

    def test_what_was_sent_leaves_without_further_calls(self):
        for mode in (ON_TIME, LATE, COALESCED):
            bed, target, controller = self.start(mode, **self.LARGE)
            items = self.items("x", 30)
            kept, got = list(items), []
            while items and self.send(target, items):
                pass
            self.assertFalse(items)
            for _ in range(2 * TRIES):
                item = self.receive(controller)
                if item:
                    got.append(item)
                bed.settle()
            self.assertEqual(self.joined(got), self.joined(kept))
            self.stop(bed, target)

    def test_pin_is_pulsed_when_there_is_something_new(self):
        levels = []
        bed = self.bed(ON_TIME)
        target = self.TARGET(bed.port, pin=levels.append)
        target.open()
        self.addCleanup(bed.close)
        self.addCleanup(target.close)
        controller = self.CONTROLLER(bed.i2c, ADDRESS)
        self.synchronise(bed, target, controller)
        levels.clear()
        target.any()
        self.assertEqual(levels, [])
        self.send(target, self.items("x", 1))
        self.assertEqual(levels, [0, 1])

    def test_poll_support(self):
        bed, target, controller = self.start()
        self.assertEqual(target.ioctl(3, POLLIN | POLLOUT), POLLOUT)
        self.send(controller, self.items("x", 1))
        bed.settle()
        self.assertEqual(target.ioctl(3, POLLIN | POLLOUT), POLLIN | POLLOUT)
        self.assertEqual(target.ioctl(3, POLLOUT), POLLOUT)
        self.assertEqual(target.ioctl(99, 0), -1)
        items = self.items("full", 2000)
        while self.send(target, items):
            pass
        self.assertEqual(target.ioctl(3, POLLOUT), 0)


class Interposed:
    """A bus whose writes go elsewhere."""

    def __init__(self, i2c, write):
        self.readfrom_mem_into = i2c.readfrom_mem_into
        self.writeto_mem = write
