"""Running programs: their order, what they need of memory, and what they do with bytes from a device."""

import gc
import sys
import unittest

from sensor_bus.grammar import detection_program, steps_program
from sensor_bus.steps import Steps

MICROPYTHON_HERE = sys.implementation.name == "micropython"
POLL = "0x3a=r4&0x3e=r{$0.w12:mask0FFF*2:max240}&0x0102030405=p3"


class TestSteps(unittest.TestCase):
    def test_an_empty_program_has_no_steps(self):
        steps = Steps()
        self.assertFalse(steps.next())
        self.assertEqual((steps.most, bytes(steps.write), steps.pause_ms), (0, b"", 0))

    def test_it_begins_again_after_its_end(self):
        steps = Steps(steps_program("0x01=r1&0x02=r2"))
        for _ in range(2):
            self.assertTrue(steps.next())
            self.assertEqual((bytes(steps.write), steps.size(b"")), (b"\x01", 1))
            self.assertTrue(steps.next())
            self.assertEqual((bytes(steps.write), steps.size(b"")), (b"\x02", 2))
            self.assertFalse(steps.next())

    def test_one_object_runs_one_program_after_another(self):
        steps = Steps(steps_program("0x01=r1p7&0x02=r2"))
        steps.next()
        steps.begin(memoryview(steps_program("0x030405=r9")))
        self.assertEqual((steps.most, steps.pause_ms), (9, 0))
        self.assertTrue(steps.next())
        self.assertEqual((bytes(steps.write), steps.size(b"")), (b"\x03\x04\x05", 9))
        self.assertFalse(steps.next())

    def test_a_computed_length_whose_source_was_not_read_is_the_most(self):
        steps = Steps(steps_program("0x01=r4&0x02=r{$0[2].w16:max20}"))
        steps.next()
        steps.next()
        self.assertEqual(steps.size(b"\0\0\x05"), 20)
        self.assertEqual(steps.size(b"\0\0\x05\0"), 5)

    def test_a_step_without_alternatives_matches_anything(self):
        steps = Steps(detection_program("0x01=r2"))
        steps.next()
        self.assertTrue(steps.matches(b"ab"))

    def test_checksums_that_are_wrong_do_not_match(self):
        """0xbeef has the checksum 0x92: Sensirion, Datasheet SHT4x, version 6 (2023), 4.4."""
        for program in (detection_program("0x89=c6p10"), steps_program("0x89=c6p10")):
            steps = Steps(program)
            self.assertTrue(steps.next())
            self.assertEqual((steps.size(b""), steps.pause_ms, steps.most), (6, 10, 6))
            self.assertTrue(steps.compares())
            self.assertTrue(steps.matches(b"\xbe\xef\x92\x00\x00\x81"))
            for data in (b"\xbe\xef\x93\x00\x00\x81", b"\xbe\xef\x92\x00\x00\x80", bytes(6), b"\xff" * 6):
                self.assertFalse(steps.matches(data))
            self.assertFalse(steps.next())

    def test_a_long_write_is_whole(self):
        data = bytes(range(100))
        steps = Steps(steps_program("0x" + "".join("%02x" % byte for byte in data) + "=r1"))
        steps.next()
        self.assertEqual(bytes(steps.write), data)
        self.assertEqual(steps.size(b""), 1)
        self.assertFalse(steps.next())

    @unittest.skipUnless(MICROPYTHON_HERE, "counts the heap of MicroPython")
    def test_a_poll_allocates_nothing(self):
        import micropython

        steps, got = Steps(steps_program(POLL)), bytearray(8)
        detection = Steps(detection_program("0x07=0x81c4,0x81d4"))
        answer = b"\x81\xd4"

        def run():
            while steps.next():
                steps.size(got)
            while detection.next():
                detection.size(got)
                detection.matches(answer)

        run()
        gc.collect()
        micropython.heap_lock()
        try:
            run()
        finally:
            micropython.heap_unlock()


if __name__ == "__main__":
    unittest.main()
