import unittest

from i2c_devices.memory_controller import MemoryController
from i2c_devices.memory_target import MemoryTarget
from i2c_devices.ports import TargetPort
from tests.i2c_devices.bus import FlakyBus, Rig

try:
    from micropython import heap_lock, heap_unlock
except ImportError:  # CPython
    heap_lock = heap_unlock = None


def nothing():
    pass


class TestMemory(unittest.TestCase):
    def memory(self, on_use=nothing):
        bus = FlakyBus()
        target = MemoryTarget(TargetPort(bus.target, addr=0x20), 64, on_use, 8)
        return bus, target, MemoryController(bus, 0x20, 8)

    def test_controller_reads_and_writes_the_targets_memory(self):
        _, target, controller = self.memory()
        target.open()
        controller.write(10, b"hello")
        self.assertEqual(bytes(target.memory[10:15]), b"hello")
        target.memory[11] = 0x45
        buf = bytearray(5)
        controller.read_into(10, buf)
        self.assertEqual(bytes(buf), b"hEllo")

    def test_each_use_is_told(self):
        uses = []
        _, target, controller = self.memory(lambda: uses.append(1))
        target.open()
        controller.write(0, b"x")
        controller.read_into(0, bytearray(1))
        self.assertEqual(len(uses), 2)

    def test_closed_target_does_not_answer_and_keeps_its_memory(self):
        _, target, controller = self.memory()
        target.open()
        controller.write(0, b"kept")
        target.close()
        with self.assertRaises(OSError):
            controller.read_into(0, bytearray(1))
        target.open()
        buf = bytearray(4)
        controller.read_into(0, buf)
        self.assertEqual(bytes(buf), b"kept")

    def test_port_passes_its_own_arguments_on(self):
        made = []

        def factory(*args, **kwargs):
            made.append((args, sorted(kwargs.items())))

        TargetPort(factory, "X", addr=0x12).open(b"mem", 16)
        self.assertEqual(made, [(("X",), [("addr", 0x12), ("mem", b"mem"), ("mem_addrsize", 16)])])


@unittest.skipUnless(heap_lock, "needs micropython.heap_lock")
class TestInterrupt(unittest.TestCase):
    def test_event_handler_of_the_mailbox_does_not_allocate(self):
        import asyncio

        rig = Rig(count=0)
        rig.run()
        flag = asyncio.ThreadSafeFlag()
        rig.target._wake = flag.set
        rig.target.used = False
        handler, bus = rig.bus.handler, rig.bus
        heap_lock()
        try:
            handler(bus)
            handler(bus)
        finally:
            heap_unlock()
        self.assertTrue(rig.target.used)


if __name__ == "__main__":
    unittest.main()
