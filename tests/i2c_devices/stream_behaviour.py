"""How a stream device behaves, on any bed."""

from i2c_devices.packet_controller import PacketController
from i2c_devices.packet_target import PacketTarget
from i2c_devices.stream_controller import StreamController
from i2c_devices.stream_target import StreamTarget
from tests.i2c_devices.bed import ADDRESS, MODES, ON_TIME
from tests.i2c_devices.device_behaviour import DeviceBehaviour


class StreamBehaviour(DeviceBehaviour):
    TARGET = StreamTarget
    CONTROLLER = StreamController
    OTHER = PacketTarget
    LARGE = RESIZED = {"rxbuf": 100, "txbuf": 300}

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
                self.assertLessEqual(sent - len(got), 24 + controller.max_payload)
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
