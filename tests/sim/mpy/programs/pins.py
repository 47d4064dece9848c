"""Pins, interrupts and time of a virtual board: run by test_board.py on all kinds."""

import asyncio
import sys
import time
import unittest

from machine import Pin

ESP8266 = sys.platform == "esp8266"
A, B = {"pyboard": ("X1", "X2"), "rp2": (0, 1), "esp8266": (4, 5)}[sys.platform]
C, D = {"pyboard": ("X3", "X4"), "rp2": (2, 3), "esp8266": (12, 13)}[sys.platform]


class TestPins(unittest.TestCase):
    def setUp(self):
        self.out = Pin(A, Pin.OUT, value=1)
        self.into = Pin(B, Pin.IN, Pin.PULL_UP)
        self.seen = []

    def tearDown(self):
        self.into.irq(None)

    def count(self, pin):
        self.seen.append(pin.value())

    def test_levels(self):
        self.assertEqual(self.into(), 1)
        self.out(0)
        self.assertEqual(self.into.value(), 0)
        self.out.on()
        self.assertEqual(self.into.value(), 1)
        self.out.off()
        self.assertEqual(self.into.value(), 0)

    def test_open_drain_and_pull_up(self):
        self.out.init(Pin.OPEN_DRAIN, value=0)
        self.assertEqual(self.into(), 0)
        self.out(1)
        self.assertEqual(self.into(), 1)

    def test_an_input_drives_nothing(self):
        for mode in (Pin.IN, Pin.OPEN_DRAIN):
            self.out.init(mode)
            self.out(1)
            self.assertEqual(self.into(), 1)
        self.out.init(Pin.IN)
        self.out(0)
        self.assertEqual(self.into(), 1)
        self.out.init(Pin.OUT, value=0)
        self.assertEqual(self.into(), 0)

    def test_an_input_keeps_what_is_written_for_later_but_on_the_esp8266(self):
        self.out.init(Pin.IN)
        self.out(0)
        self.out.init(Pin.OUT)
        self.assertEqual(self.into(), 1 if ESP8266 else 0)

    def test_a_pin_whose_mode_nobody_has_set_drives_nothing(self):
        other, line = Pin(C), Pin(D, Pin.IN, Pin.PULL_UP)
        other(0)
        self.assertEqual(line(), 1)
        other.init(Pin.OUT, value=0)
        self.assertEqual(line(), 0)

    def test_edges(self):
        self.into.irq(self.count, Pin.IRQ_FALLING)
        for level in (0, 1, 0):
            self.out(level)
        self.assertEqual(len(self.seen), 2)
        self.into.irq(self.count, Pin.IRQ_RISING)
        self.out(1)
        self.assertEqual(len(self.seen), 3)

    def test_an_exception_in_a_soft_handler_is_printed_and_the_program_goes_on(self):
        def bad(pin):
            raise RuntimeError("from the handler")

        self.into.irq(bad, Pin.IRQ_FALLING)
        self.out(0)
        self.assertEqual(self.into(), 0)

    def test_handlers_do_not_nest(self):
        depth = [0]

        def handler(pin):
            depth[0] += 1
            self.seen.append(depth[0])
            self.out(1 - self.out())
            depth[0] -= 1

        self.into.irq(handler, Pin.IRQ_FALLING)
        self.out(0)
        self.assertEqual(self.seen, [1])

    @unittest.skipIf(ESP8266, "soft interrupts only")
    def test_hard_handlers_run_inside(self):
        self.into.irq(self.count, Pin.IRQ_FALLING, hard=True)
        self.out(0)
        self.assertEqual(self.seen, [0])

    @unittest.skipUnless(ESP8266, "the other ports have them")
    def test_no_hard_interrupts(self):
        with self.assertRaises(ValueError):
            self.into.irq(self.count, hard=True)
        with self.assertRaises(OSError):
            Pin(16).irq(self.count)

    def test_pins_that_are_not_there(self):
        for name in (99, "Q1"):
            with self.assertRaises((ValueError, TypeError)):
                Pin(name)

    def test_an_interrupt_wakes_a_waiting_task(self):
        flag = asyncio.ThreadSafeFlag()
        self.into.irq(lambda pin: flag.set(), Pin.IRQ_FALLING)

        async def main():
            async def later():
                await asyncio.sleep_ms(20)
                self.out(0)

            asyncio.create_task(later())
            await asyncio.wait_for_ms(flag.wait(), 2000)

        asyncio.run(main())

    def test_sleeping_takes_its_time(self):
        start = time.ticks_ms()
        time.sleep_ms(30)
        time.sleep(0.02)
        time.sleep_us(1500)
        self.assertGreaterEqual(time.ticks_diff(time.ticks_ms(), start), 50)


unittest.main()
