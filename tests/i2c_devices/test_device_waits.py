"""A call that waits for a device that is not there ends after a bounded time, with words."""

import asyncio
import unittest
from errno import ENODEV, ETIMEDOUT

from i2c_devices import port_table as ports
from i2c_devices.packet_controller import PacketController
from i2c_devices.packet_target import PacketTarget
from i2c_devices.stream_controller import StreamController
from i2c_devices.stream_target import StreamTarget
from primitives.platform import sleep_ms
from tests.i2c_devices.bed import ADDRESS, ON_TIME, ModelBed

TIMEOUT_MS = 60
LONG_MS = 20000  # on a machine that is loaded; a wait that has no end fails there


class Nobody:
    """A bus on which nothing answers."""

    def readfrom_mem_into(self, address, at, buf, addrsize):
        raise OSError(ENODEV)

    writeto_mem = readfrom_mem_into


class Foreign(Nobody):
    """A bus on which something else has the address: a memory of 0xFF."""

    def readfrom_mem_into(self, address, at, buf, addrsize):
        for i in range(len(buf)):
            buf[i] = 0xFF


async def error_of(awaitable):
    """The OSError that ends the wait."""
    try:
        await asyncio.wait_for(awaitable, LONG_MS / 1000)
    except OSError as error:  # in CPython TimeoutError, also what OSError(ETIMEDOUT) makes
        if error.args:
            return error
    except asyncio.TimeoutError:
        pass
    raise AssertionError("it does not end, or not with an error")


class TestDeviceWaits(unittest.TestCase):
    def check(self, wait, *words):
        async def twice():  # it is said again as long as nothing answers
            await error_of(wait())
            return await error_of(wait())

        error = asyncio.run(twice())
        self.assertEqual(error.args[0], ETIMEDOUT)
        for word in words:
            self.assertTrue(word in error.args[1])

    def test_controller_to_which_nothing_answers_says_so(self):
        def made(controller):
            return controller(Nobody(), 0x2A, interval_ms=1, timeout_ms=TIMEOUT_MS)

        sender = made(PacketController)
        for wait in (
            made(StreamController).readable, made(StreamController).writable, made(PacketController).recv,
            lambda: sender.send(b"x"),
        ):  # fmt: skip
            self.check(wait, "0x2a", "power", "open", "wired")

    def test_controller_whose_address_another_chip_has_says_so(self):
        controller = StreamController(Foreign(), 0x2A, interval_ms=1, timeout_ms=TIMEOUT_MS)
        self.check(controller.readable, "0x2a", "no stream or packet device", "address")

    def test_device_that_was_never_opened_says_so(self):
        port = ModelBed(ports.STM32, ON_TIME).port
        stream = StreamTarget(port, timeout_ms=TIMEOUT_MS)
        packets = PacketTarget(port, timeout_ms=TIMEOUT_MS)
        for wait in (stream.readable, packets.recv):
            self.check(wait, "never opened", "open()")

    def test_wait_goes_on_when_the_device_comes_or_is_opened_in_time(self):
        bed = ModelBed(ports.STM32, ON_TIME)
        target = StreamTarget(bed.port, timeout_ms=LONG_MS)
        controller = StreamController(bed.i2c, ADDRESS, interval_ms=1, timeout_ms=LONG_MS)

        async def main():
            reading = asyncio.create_task(target.readable())
            writing = asyncio.create_task(controller.writable())
            await sleep_ms(20)
            target.open()
            await writing
            controller.write(b"x")
            await reading

        asyncio.run(main())
        self.assertEqual(target.read(), b"x")
        target.close()

    def test_wait_for_data_of_a_device_that_answers_has_no_limit(self):
        bed = ModelBed(ports.STM32, ON_TIME)
        target = StreamTarget(bed.port, timeout_ms=TIMEOUT_MS)
        controller = StreamController(bed.i2c, ADDRESS, interval_ms=1, timeout_ms=TIMEOUT_MS)
        target.open()

        async def main():
            waits = [asyncio.create_task(target.readable()), asyncio.create_task(controller.readable())]
            await sleep_ms(4 * TIMEOUT_MS)
            ended = [task.done() for task in waits]
            for task in waits:
                task.cancel()
            return ended

        self.assertEqual(asyncio.run(main()), [False, False])
        target.close()

    def test_without_a_time_out_it_waits_for_ever(self):
        controller = StreamController(Nobody(), 0x2A, interval_ms=1, timeout_ms=None)

        async def main():
            task = asyncio.create_task(controller.readable())
            await sleep_ms(4 * TIMEOUT_MS)
            ended = task.done()
            task.cancel()
            return ended

        self.assertFalse(asyncio.run(main()))

    def test_time_out_that_is_none_is_refused(self):
        for timeout_ms in (0, -1, 1 << 29):
            with self.assertRaises(ValueError):
                StreamController(Nobody(), 0x2A, timeout_ms=timeout_ms)


if __name__ == "__main__":
    unittest.main()
