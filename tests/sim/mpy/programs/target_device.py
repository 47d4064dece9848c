"""An I2C target and a controller on one board: run by test_board.py on a pyboard and on an rp2."""

import sys
import unittest

from machine import I2C, I2CTarget, Pin, SoftI2C

PYBOARD = sys.platform == "pyboard"
SCL, SDA, TARGET = ("X1", "X2", "X") if PYBOARD else (5, 4, 1)
ADDRESS = 0x42
WIRES = [("X1", "X9"), ("X2", "X10")]


class Device:
    def __init__(self, trigger=0, hard=False, answer=b"A", **kwargs):
        self.controller = SoftI2C(SCL, SDA)
        self.target = I2CTarget(TARGET, addr=ADDRESS, **kwargs)
        for pin in (SCL, SDA):
            Pin(pin, Pin.OPEN_DRAIN, Pin.PULL_UP)
        self.events = []
        self.answer = answer
        if trigger:
            self.target.irq(self.on_event, trigger, hard=hard)

    def on_event(self, target):
        flags = target.irq().flags()
        self.events.append(flags)
        if flags & I2CTarget.IRQ_READ_REQ:
            target.write(self.answer)
        if flags & I2CTarget.IRQ_WRITE_REQ:
            buf = bytearray(1)
            target.readinto(buf)
            self.events.append(bytes(buf))


class TestTarget(unittest.TestCase):
    def make(self, *args, **kwargs):
        device = Device(*args, **kwargs)
        self.addCleanup(device.target.deinit)
        return device

    def test_16_bit_memory_addresses(self):
        mem = bytearray(600)
        device = self.make(mem=mem, mem_addrsize=16)
        device.controller.writeto_mem(ADDRESS, 515, b"hello", addrsize=16)
        self.assertEqual(mem[515:520], b"hello")
        buf = bytearray(5)
        device.controller.readfrom_mem_into(ADDRESS, 515, buf, addrsize=16)
        self.assertEqual(buf, b"hello")
        self.assertEqual(device.target.memaddr, 515)

    def test_a_vector_is_one_write(self):
        mem = bytearray(8)
        device = self.make(mem=mem)
        self.assertEqual(device.controller.writevto(ADDRESS, (b"\x02", b"ab", b"c")), 4)
        self.assertEqual(mem, b"\0\0abc\0\0\0")

    def test_events_of_memory_may_be_soft(self):
        device = self.make(I2CTarget.IRQ_END_READ | I2CTarget.IRQ_END_WRITE, mem=bytearray(8))
        device.controller.writeto_mem(ADDRESS, 1, b"x")
        device.controller.readfrom_mem(ADDRESS, 1, 2)
        self.assertEqual(device.events, [I2CTarget.IRQ_END_WRITE, I2CTarget.IRQ_END_READ])

    def test_requests_must_be_hard(self):
        device = self.make()
        with self.assertRaises(ValueError):
            device.target.irq(print, I2CTarget.IRQ_READ_REQ)

    def test_without_a_handler_zeros_are_read_and_writes_vanish(self):
        device = self.make()
        self.assertEqual(device.controller.readfrom(ADDRESS, 3), b"\0\0\0")
        self.assertEqual(device.controller.writeto(ADDRESS, b"abc"), 3)

    def test_nobody_at_the_address(self):
        device = self.make(mem=bytearray(8))
        with self.assertRaises(OSError) as caught:
            device.controller.readfrom(ADDRESS + 1, 1)
        self.assertEqual(caught.exception.errno, 19)
        device.target.deinit()
        self.assertEqual(device.controller.scan(), [])

    def test_a_handler_that_sleeps_too_long_times_out(self):
        import time

        device = self.make(63, True)
        sleep_us = [100]

        def slow(target):
            if target.irq().flags() & I2CTarget.IRQ_READ_REQ:
                time.sleep_us(sleep_us[0])
                target.write(b"B")

        device.target.irq(slow, 63, hard=True)
        self.assertEqual(device.controller.readfrom(ADDRESS, 1), b"B")
        sleep_us[0] = 60000
        with self.assertRaises(OSError) as caught:
            device.controller.readfrom(ADDRESS, 1)
        self.assertEqual(caught.exception.errno, 110)

    def test_the_primitives_of_soft_i2c(self):
        device = self.make(63, True, answer=b"Z")
        i2c = device.controller
        i2c.start()
        self.assertEqual(i2c.write(bytes([ADDRESS << 1, 7])), 2)
        i2c.stop()
        self.assertEqual(device.events, [2, 8, b"\x07", 32])
        buf = bytearray(2)
        i2c.start()
        self.assertEqual(i2c.write(bytes([ADDRESS << 1 | 1])), 1)
        i2c.readinto(buf)
        i2c.stop()
        self.assertEqual(buf, b"ZZ")
        i2c.start()
        self.assertEqual(i2c.write(bytes([(ADDRESS + 1) << 1, 7])), 0)
        i2c.stop()

    @unittest.skipUnless(PYBOARD, "the target of an rp2 switches its pull-ups on")
    def test_a_bus_without_pull_ups_times_out(self):
        device = self.make(mem=bytearray(8))
        for pin in (SCL, SDA):
            Pin(pin, Pin.OPEN_DRAIN, Pin.PULL_DOWN)
        with self.assertRaises(OSError) as caught:
            device.controller.readfrom(ADDRESS, 1)
        self.assertEqual(caught.exception.errno, 110)

    def test_arguments_of_the_port(self):
        if PYBOARD:
            with self.assertRaises(TypeError):
                I2CTarget("X", addr=1, scl=Pin("X9"), sda=Pin("X10"))
            with self.assertRaises(ValueError):
                I2CTarget("Z", addr=1)
        else:
            with self.assertRaises(ValueError):
                I2CTarget(0, addr=1, scl=Pin(4), sda=Pin(5))
            with self.assertRaises(ValueError):
                I2CTarget(7, addr=1)
        with self.assertRaises(ValueError):
            I2CTarget(TARGET, addr=1, mem=bytearray(4), mem_addrsize=12)

    def test_the_hardware_controller(self):
        other = "Y" if PYBOARD else 0
        i2c = I2C(other) if PYBOARD else I2C(other, scl=Pin(9), sda=Pin(8))
        with self.assertRaises(OSError):
            i2c.start()


unittest.main()
