"""Both engines of the memory device at the edges of their life, and callbacks inside of calls."""

import unittest

from i2c_devices.memory_controller import MemoryController
from i2c_devices.memory_target import MemoryTarget
from tests.i2c_devices.bed import ADDRESS, ModelBed


class TestEngines(unittest.TestCase):
    def test_event_that_comes_before_irq_has_returned_is_served(self):
        for exact in (False, True):
            bed = ModelBed()
            got = []
            target = MemoryTarget(
                bed.port, 16, None, 8, memory_written=lambda at, length, got=got: got.append(at), exact=exact
            )
            irq = bed.events.irq

            def listen(handler=None, trigger=48, hard=False, irq=irq, bed=bed):
                if handler is None:
                    return bed.events  # in the interrupt: must not allocate
                result = irq(handler, trigger, hard)
                bed.writeto(ADDRESS, b"\x01a")
                return result

            bed.events.irq = listen
            if not exact:
                bed.events._deliver = lambda flags, bed=bed: bed.events._handler(bed.events)
                bed.events.flags = lambda: 32
            target.open()
            self.assertEqual((bytes(target.memory[:3]), got), (b"\0a\0", [1]))

    def test_event_that_comes_after_close_is_dropped(self):
        bed = ModelBed()
        got = []
        target = MemoryTarget(bed.port, 16, None, 8, memory_written=lambda at, length: got.append(at))
        target.open()
        late = bed.events._handler
        target.close()
        late(bed.events)
        self.assertEqual(got, [])

    def test_use_is_told_once_from_the_scheduled_call_or_the_interrupt(self):
        bed = ModelBed()
        waiting, uses = [], []
        bed.port.schedule = waiting.append
        target = MemoryTarget(bed.port, 16, lambda: uses.append(len(waiting)), 8, exact=True)
        target.open()
        controller = MemoryController(bed, ADDRESS, 8)
        for hard, told in ((False, []), (True, [0])):
            target.set_hard(hard)
            controller.write(0, b"a")
            self.assertEqual(uses, told)
            target.poll()
            self.assertEqual(len(uses), 1)
            waiting.clear()
            uses.clear()

    def test_callbacks_update_inside_of_an_update_is_shown_with_it(self):
        bed = ModelBed()

        def written(offset, length):
            with target.update() as memory:
                memory[0] = 7

        target = MemoryTarget(bed.port, 4, None, 8, memory_written=written, exact=True, atomic=True)
        target.open()
        controller = MemoryController(bed, ADDRESS, 8)
        buf = bytearray(4)
        for fails in (False, True):
            with target.update() as memory:
                memory[:2] = b"\0\0"
            try:
                with target.update() as memory:
                    memory[1] = 1
                    controller.write(3, b"\x09")
                    controller.read_into(0, buf)
                    self.assertEqual(bytes(buf), b"\0\0\0\x09")
                    if fails:
                        raise KeyError
            except KeyError:
                pass
            controller.read_into(0, buf)
            self.assertEqual(bytes(buf), b"\0\0\0\x09" if fails else b"\x07\x01\0\x09")


if __name__ == "__main__":
    unittest.main()
