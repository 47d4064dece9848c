"""select.poll and asyncio's streams over a StreamTarget, awaiting both kinds of devices: run by test_i2c_devices.py."""

import asyncio
import select
import sys
import time
import unittest

from machine import I2CTarget, Pin, SoftI2C

from i2c_devices.packet_controller import PacketController
from i2c_devices.packet_target import PacketTarget
from i2c_devices.stream_controller import StreamController
from i2c_devices.stream_target import StreamTarget
from tests.i2c_devices.bed import ADDRESS, LOST, MODES, ON_TIME, Events

WIRES = [("X1", "X9"), ("X2", "X10")]
SCL, SDA, TARGET = ("X1", "X2", "X") if sys.platform == "pyboard" else (5, 4, 1)
LINES = [("line %d" % i + "." * (i % 30)).encode() + b"\n" for i in range(40)]


class TestStreams(unittest.TestCase):
    def make(self, mode, target_class, controller_class, **sizes):
        i2c = SoftI2C(SCL, SDA)
        self.events = Events(I2CTarget, mode)
        target = target_class(self.events.port(TARGET, addr=ADDRESS), **sizes)
        for pin in (SCL, SDA):
            Pin(pin, Pin.OPEN_DRAIN, Pin.PULL_UP)
        target.open()
        self.addCleanup(target.close)
        self.target = target
        return target, controller_class(i2c, ADDRESS, interval_ms=2)

    def streams(self, mode=ON_TIME, **sizes):
        return self.make(mode, StreamTarget, StreamController, **sizes)

    def run_together(self, *coroutines):
        async def deliver():
            while True:
                await asyncio.sleep_ms(5)
                self.events.settle()

        async def main():
            late = asyncio.create_task(deliver())
            serving = asyncio.create_task(self.target.run())  # when all events are lost and nobody calls any more
            try:
                await asyncio.wait_for_ms(asyncio.gather(*coroutines), 60000)
            finally:
                late.cancel()
                serving.cancel()

        asyncio.run(main())

    def test_poll_says_when_to_read_and_write(self):
        target, controller = self.streams(txbuf=20)
        poll = select.poll()
        poll.register(target, select.POLLIN | select.POLLOUT)
        self.assertEqual(poll.poll(0), [(target, select.POLLOUT)])
        self.assertEqual(target.write(b"x" * 30), 20)
        self.assertEqual(poll.poll(0), [])
        while not controller.read():
            target.any()
        time.sleep_ms(5)
        self.assertEqual(poll.poll(0), [(target, select.POLLOUT)])
        while not controller.write(b"abc"):
            target.any()
        time.sleep_ms(5)
        self.assertEqual(poll.poll(0), [(target, select.POLLIN | select.POLLOUT)])
        poll.unregister(target)

    def test_asyncio_streams_echo_lines_whatever_becomes_of_the_events(self):
        for mode in MODES:
            with self.subTest(mode=mode):
                self.echo(mode)

    def echo(self, mode):
        target, controller = self.streams(mode, rxbuf=48, txbuf=48)
        got = []

        async def device():
            reader, writer = asyncio.StreamReader(target), asyncio.StreamWriter(target, {})
            for _ in LINES:
                line = b""
                while not line.endswith(b"\n"):
                    line += await reader.readline()
                writer.write(b">" + line)
                await writer.drain()

        async def send():
            for line in LINES:
                while line:
                    await controller.writable()
                    line = line[controller.write(line) or 0 :]

        async def receive():
            text = b""
            while text.count(b"\n") < len(LINES):
                await controller.readable()
                text += controller.read()
            got.append(text)

        self.run_together(device(), send(), receive())
        self.assertEqual(got, [b"".join(b">" + line for line in LINES)])
        target.close()

    def test_packets_are_awaited_on_both_sides(self):
        for mode in MODES:
            target, controller = self.make(mode, PacketTarget, PacketController, rx_queue=2, tx_queue=2)
            got = []

            async def device(target=target):
                for _ in LINES:
                    await target.send(b">" + await target.recv())

            async def send(controller=controller):
                for line in LINES:
                    await controller.send(line)

            async def receive(controller=controller, got=got):
                for _ in LINES:
                    got.append(await controller.recv())

            self.run_together(device(), send(), receive())
            self.assertEqual(got, [b">" + line for line in LINES])
            target.close()

    def test_both_directions_at_once(self):
        target, controller = self.streams(LOST, rxbuf=100, txbuf=100)
        data = bytes(i * 7 & 0xFF for i in range(3000))
        got = []

        async def give(side):
            sent = 0
            while sent < len(data):
                await side.writable()
                sent += side.write(data[sent : sent + 70]) or 0

        async def take(side):
            there = b""
            while len(there) < len(data):
                await side.readable()
                there += side.read(33) or b""
            got.append(there)

        self.run_together(give(target), give(controller), take(target), take(controller))
        self.assertEqual(got, [data, data])


unittest.main()
