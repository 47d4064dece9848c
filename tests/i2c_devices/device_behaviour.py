"""How stream and packet devices behave, on any bed: `self.bed(mode)` makes one (bed.py has the names)."""

from errno import ECONNRESET

from i2c_devices.device_target import IRQ_ERROR, IRQ_RESET, IRQ_RX, IRQ_TX, POLLIN, POLLOUT
from i2c_devices.packet_controller import PacketController
from i2c_devices.packet_target import PacketTarget
from i2c_devices.stream_controller import StreamController
from i2c_devices.stream_target import StreamTarget
from protocol.device import ACK_BYTES, DEVICE_BYTES, SYNC_BYTES, DeviceStatus, Layout
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
        return Layout(controller.window)

    def read(self, bed, at, size):
        buf = bytearray(size)
        bed.i2c.readfrom_mem_into(ADDRESS, at, buf, addrsize=ADDRESS_BITS)
        return bytes(buf)

    def write(self, bed, at, data):
        bed.i2c.writeto_mem(ADDRESS, at, data, addrsize=ADDRESS_BITS)

    def status(self, bed, controller):
        status = DeviceStatus()
        self.assertTrue(status.read(self.read(bed, self.layout(controller).TX, Layout.STATUS_BYTES)))
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
        once = self.read(bed, layout.TX, size)
        self.assertEqual(self.read(bed, layout.TX, size), once)
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
            head = self.layout(controller).TX.to_bytes(2, "big")
            bed.i2c.writeto(ADDRESS, b"")
            bed.i2c.writeto(ADDRESS, head)
            bed.i2c.writeto(ADDRESS, head, False)
            bed.i2c.writeto(ADDRESS, b"\0\0", False)
            bed.i2c.writeto(ADDRESS, head, False)
            buf = bytearray(Layout.STATUS_BYTES)
            bed.i2c.readfrom_into(ADDRESS, buf)
            self.assertTrue(DeviceStatus().read(buf))
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
            controller._memory._i2c = Interposed(bed.i2c, keep)
            self.send(controller, list(items))
            bed.settle()
            self.assertFalse(self.receive(target))
            controller._memory._i2c = bed.i2c
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


class StreamBehaviour(DeviceBehaviour):
    TARGET = StreamTarget
    CONTROLLER = StreamController
    LARGE = {"rxbuf": 100, "txbuf": 300}

    @staticmethod
    def items(name, count):
        return [("%s %d;" % (name, i)).encode() for i in range(count)]

    @staticmethod
    def joined(items):
        return b"".join(items)

    @staticmethod
    def send(side, items):
        n = side.write(items[0])
        if not n:
            return False
        items[0] = items[0][n:]
        if not items[0]:
            items.pop(0)
        return True

    @staticmethod
    def receive(side):
        return side.read()

    def test_status_announces_bytes_and_room(self):
        bed, target, controller = self.start(rxbuf=40, txbuf=60)
        target.write(b"0123456789")
        status = self.status(bed, controller)
        self.assertEqual((status.available, status.room, status.length0), (10, 40, 10))
        controller.write(b"abcdefg")
        self.until(bed, lambda: target.any() == 7)
        self.assertEqual(self.status(bed, controller).room, 33)
        self.assertEqual(target.read(), b"abcdefg")
        self.assertEqual(self.status(bed, controller).room, 40)

    def test_slow_reader_slows_the_writer_and_loses_nothing(self):
        for mode in MODES:
            bed, target, controller = self.start(mode, rxbuf=24, txbuf=24)
            data = bytes(i * 7 & 0xFF for i in range(600))
            sent, got, buf = 0, bytearray(), bytearray(5)
            while len(got) < len(data):
                sent += controller.write(data[sent:]) or 0
                bed.settle()
                n = target.readinto(buf)
                got += buf[: n or 0]
                self.assertLessEqual(sent - len(got), 24 + controller.window)
            self.assertEqual(bytes(got), data)
            self.assertEqual(target.faults, 0)
            self.stop(bed, target)

    def test_small_reads_at_the_controller_lose_nothing(self):
        bed, target, controller = self.start(txbuf=50)
        data = bytes(i * 5 & 0xFF for i in range(500))
        sent, got = 0, b""
        while len(got) < len(data):
            sent += target.write(data[sent:]) or 0
            got += controller.read(3) or b""
            bed.settle()
        self.assertEqual(got, data)

    def test_reading_and_writing_interleave_at_the_controller(self):
        bed, target, controller = self.start()
        target.write(b"long answer")
        self.assertEqual(self.until(bed, lambda: controller.read(4), target.any), b"long")
        self.assertTrue(self.until(bed, lambda: controller.write(b"go on"), target.any))
        bed.settle()
        self.assertEqual(target.read(), b"go on")
        self.assertEqual(controller.read(), b" answer")

    def test_lines(self):
        bed, target, controller = self.start()
        controller.write(b"one\ntwo\nthr")
        bed.settle()
        self.assertEqual([target.readline() for _ in range(4)], [b"one\n", b"two\n", b"thr", None])
        target.write(b"1\n2")
        self.until(bed, controller.any, target.any)
        self.assertEqual([controller.readline() for _ in range(3)], [b"1\n", b"2", None])

    def test_calls_never_wait_and_say_none(self):
        bed, target, controller = self.start(txbuf=20)
        buf = bytearray(4)
        for side in (target, controller):
            self.assertEqual((side.read(), side.readinto(buf), side.readline(), side.any()), (None, None, None, 0))
            self.assertEqual((side.read(0), side.write(b"")), (b"", 0))
        self.assertEqual(target.write(b"x" * 30), 20)
        self.assertIsNone(target.write(b"x"))

    def test_transfer_for_which_there_is_no_room_waits_and_is_reported(self):
        for mode in MODES:
            bed, target, controller = self.start(mode, rxbuf=20, txbuf=40)
            controller.write(b"0123456789")
            self.until(bed, lambda target=target: target.any() == 10)
            self.until(bed, controller.flush, target.any)
            controller.poll()
            controller._box.status.room = 99  # it does not obey
            self.assertEqual(controller.write(b"abcdefghijklmn"), 14)
            bed.settle()
            bed.pause(25)
            self.assertEqual((target.any(), target.overflows), (10, 1))
            self.assertFalse(controller.flush())
            self.assertEqual(target.read(), b"0123456789")
            bed.pause(25)
            self.assertEqual(target.read(), b"abcdefghijklmn")
            self.assertTrue(self.until(bed, controller.flush, target.any))
            self.stop(bed, target)

    def test_what_is_no_buffer_raises_and_leaves_the_stream_as_it_was(self):
        bed, target, controller = self.start()
        for side in (target, controller):
            self.assertEqual(side.write("str"), 3)
            for bad in (7, None):
                with self.assertRaises(TypeError):
                    side.write(bad)
            bed.settle()
        with self.assertRaises((TypeError, AttributeError)):
            target.readinto(7)
        self.assertEqual(target.read(), b"str")
        self.check_exchange_after(bed, target, controller, b"str")

    def check_exchange_after(self, bed, target, controller, waiting):
        one, two = self.items("one", 5), self.items("two", 5)
        at_target, at_controller = self.exchange(bed, target, controller, one, two)
        self.assertEqual(self.joined(at_target), self.joined(one))
        self.assertEqual(self.joined(at_controller), waiting + self.joined(two))

    def test_capacities_that_are_wrong_raise(self):
        bed = self.bed(ON_TIME)
        self.addCleanup(bed.close)
        for sizes in ({"rxbuf": 0}, {"txbuf": 0}, {"rxbuf": 1 << 16}):
            with self.assertRaises(ValueError):
                StreamTarget(bed.port, **sizes)

    def test_packet_controller_is_refused(self):
        bed, target, _ = self.start()
        with self.assertRaises(ValueError):
            PacketController(bed.i2c, ADDRESS).poll()


class PacketBehaviour(DeviceBehaviour):
    TARGET = PacketTarget
    CONTROLLER = PacketController
    LARGE = {"tx_queue": 30}

    @staticmethod
    def items(name, count):
        return [("%s %d;" % (name, i)).encode() + b"." * (i * 7 % 40) for i in range(count)]

    @staticmethod
    def joined(items):
        return items

    @staticmethod
    def send(side, items):
        if not side.send_nowait(items[0]):
            return False
        items.pop(0)
        return True

    @staticmethod
    def receive(side):
        return side.recv_nowait()

    def test_status_announces_packets_and_places(self):
        bed, target, controller = self.start(rx_queue=3, tx_queue=5)
        for i in range(5):
            self.assertTrue(target.send_nowait(b"%d" % i))
        self.assertFalse(target.send_nowait(b"full"))
        target.any()
        self.assertEqual(self.status(bed, controller).room, 3)
        self.assertEqual(self.until(bed, lambda: controller.recv_nowait(), target.any), b"0")
        bed.settle()
        target.any()
        controller.poll()
        self.assertEqual(controller.any(), 4)

    def test_queue_that_is_full_stops_the_controller_and_loses_nothing(self):
        for mode in MODES:
            bed, target, controller = self.start(mode, rx_queue=2)
            items = self.items("x", 12)
            waiting, got = list(items), []
            for _ in range(20):
                if waiting and controller.send_nowait(waiting[0]):
                    waiting.pop(0)
                bed.settle()
                self.assertLessEqual(target.any(), 2)
            self.assertEqual(len(waiting), 10)
            while len(got) < 12:
                packet = target.recv_nowait()
                if packet:
                    got.append(packet)
                if waiting and controller.send_nowait(waiting[0]):
                    waiting.pop(0)
                bed.settle()
            self.assertEqual(got, items)
            self.assertEqual(target.faults, 0)
            self.stop(bed, target)

    def test_longest_packets_cross_and_others_raise(self):
        bed, target, controller = self.start(max_packet=33)
        longest = bytes(range(33))
        at_target, at_controller = self.exchange(bed, target, controller, [longest], [longest])
        self.assertEqual((at_target, at_controller), ([longest], [longest]))
        for side in (target, controller):
            for packet in (b"", bytes(34)):
                with self.assertRaises(ValueError):
                    side.send_nowait(packet)

    def test_callback_gets_each_packet(self):
        got = []
        bed = self.bed(ON_TIME)
        target = PacketTarget(bed.port, on_packet=lambda packet: got.append(bytes(packet)))
        self.addCleanup(bed.close)
        self.addCleanup(target.close)
        target.open()
        controller = PacketController(bed.i2c, ADDRESS)
        self.synchronise(bed, target, controller)
        items = self.items("x", 5)
        self.exchange(bed, target, controller, items, ())
        self.assertEqual(got, items)

    def test_callback_that_raises_loses_only_its_packet(self):
        got = []
        bed = self.bed(ON_TIME)

        def take(packet):
            got.append(bytes(packet))
            if len(got) == 2:
                raise KeyError("application")

        target = PacketTarget(bed.port, on_packet=take)
        self.addCleanup(bed.close)
        self.addCleanup(target.close)
        target.open()
        controller = PacketController(bed.i2c, ADDRESS)
        self.synchronise(bed, target, controller)
        bed.events.mode = LOST  # so that it is raised in a call
        raised = 0
        for packet in (b"1", b"2", b"3"):
            self.until(bed, lambda packet=packet: controller.send_nowait(packet))
            try:
                target.any()
            except KeyError:
                raised += 1
            self.until(bed, controller.flush, target.any)
        self.assertEqual((got, raised), ([b"1", b"2", b"3"], 1))

    def test_callback_may_answer(self):
        bed = self.bed(ON_TIME)
        answers = []

        def answer(packet):
            answers.append(target.send_nowait(b"+" + bytes(packet)))

        target = PacketTarget(bed.port, on_packet=answer)
        self.addCleanup(bed.close)
        self.addCleanup(target.close)
        target.open()
        controller = PacketController(bed.i2c, ADDRESS)
        self.synchronise(bed, target, controller)
        got = self.exchange(bed, target, controller, [b"1", b"2", b"3"], ())[1]
        self.assertEqual((got, answers), ([b"+1", b"+2", b"+3"], [True] * 3))

    def test_sizes_that_are_wrong_raise(self):
        bed = self.bed(ON_TIME)
        self.addCleanup(bed.close)
        for sizes in ({"max_packet": 0}, {"max_packet": 1025}, {"rx_queue": 0}, {"tx_queue": 0}):
            with self.assertRaises(ValueError):
                PacketTarget(bed.port, **sizes)
