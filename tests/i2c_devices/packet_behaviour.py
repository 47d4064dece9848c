"""How a packet device behaves, on any bed."""

from i2c_devices.packet_controller import PacketController
from i2c_devices.packet_target import PacketTarget
from i2c_devices.stream_target import StreamTarget
from tests.i2c_devices.bed import ADDRESS, LOST, MODES, ON_TIME
from tests.i2c_devices.device_behaviour import DeviceBehaviour


class PacketBehaviour(DeviceBehaviour):
    TARGET = PacketTarget
    CONTROLLER = PacketController
    OTHER = StreamTarget
    LARGE = {"tx_queue": 30}
    RESIZED = {"max_packet": 200}

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
