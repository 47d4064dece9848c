"""A stream device on a slow bus, with a reader that waits, and with events in the middle of its handler."""

import unittest

from i2c_devices.device_target import IRQ_ERROR, IRQ_RX
from i2c_devices.stream_controller import StreamController
from i2c_devices.stream_target import StreamTarget
from primitives import timeout
from sim.wires.on_board.i2c_target import START, STOP
from tests.i2c_devices.bed import ADDRESS, LOST, ModelBed


class Clock:
    """Replaces `ticks_ms`, so that the machine's speed has no part. Passes by itself only for who looks at it often."""

    LOOKS_PER_MS = 10

    def __init__(self):
        self._looks = 0

    def __call__(self):
        self._looks += 1
        return self._looks // self.LOOKS_PER_MS

    def later(self, ms):
        self._looks += ms * self.LOOKS_PER_MS


class SlowBed(ModelBed):
    """A long write takes its time, and `meanwhile()` is called during it. clock: the test's."""

    MS_PER_100_BYTES = 9  # at 100 kHz

    def __init__(self, clock):
        super().__init__()
        self._clock = clock

    def pause(self, ms):
        self._clock.later(ms)

    def meanwhile(self):
        pass

    def writeto(self, address, data, stop=True):
        if len(data) < 200:
            return super().writeto(address, data, stop)
        data = memoryview(bytes(data))
        self._move(address, START, data[:2])
        for at in range(2, len(data), 100):
            self._move(address, 0, data[at : at + 100])
            self.pause(self.MS_PER_100_BYTES)
            self.meanwhile()
        self._move(address, STOP, data[:0])


class TestDeviceTarget(unittest.TestCase):
    def setUp(self):
        self.clock = Clock()
        real = timeout.ticks_ms
        timeout.ticks_ms = self.clock
        self.addCleanup(setattr, timeout, "ticks_ms", real)

    def start(self, bed, **sizes):
        target = StreamTarget(bed.port, **sizes)
        target.open()
        self.addCleanup(target.close)
        controller = StreamController(bed, ADDRESS)
        while not controller.poll():
            pass
        return target, controller

    def test_transfer_that_is_on_its_way_at_100_khz_is_not_called_damaged(self):
        bed = SlowBed(self.clock)
        target, controller = self.start(bed, rxbuf=2048)
        bed.meanwhile = target.any
        self.assertEqual(controller.write(b"x" * 1024), 1024)
        self.assertEqual((target.any(), target.faults), (1024, 0))

    def test_time_to_write_again_runs_from_the_end_of_the_transfer(self):
        bed = SlowBed(self.clock)
        target, controller = self.start(bed, rxbuf=2048)
        bed.events.mode = LOST
        controller._rewrite.ms = 40
        self.assertEqual(controller.write(b"x" * 1024), 1024)
        moved = bed.bytes
        controller.poll()
        self.assertLess(bed.bytes - moved, 100)

    def test_little_room_is_announced_in_the_end(self):
        bed = SlowBed(self.clock)
        target, controller = self.start(bed)
        while target.any() < 256:
            controller.write(b"x" * 256)
            controller.flush()
        self.assertEqual(len(target.read(4)), 4)
        self.assertIsNone(controller.write(b"yyyy"))  # not at each byte: the transfers would be as small
        for _ in range(10):
            controller.write(b"yyyy")
            bed.pause(5)
            if target.any() == 256:
                return
        self.fail("the reader waits for ever")

    def test_event_in_the_middle_of_the_handler_leaves_its_flags(self):
        bed = SlowBed(self.clock)
        target, controller = self.start(bed)
        heard = [0, 0]

        def handler(device):
            if device.flags() == IRQ_ERROR:
                controller.write(b"x")
                heard[1] = device.flags()
            else:  # in the interrupt: must not allocate
                heard[0] = device.flags()

        target.irq(handler, IRQ_RX | IRQ_ERROR)
        bed.writeto_mem(ADDRESS, 0, b"bad", addrsize=16)
        target.any()
        self.assertEqual(heard, [IRQ_RX, IRQ_ERROR])


if __name__ == "__main__":
    unittest.main()
