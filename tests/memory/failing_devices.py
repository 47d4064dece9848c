"""A program for MicroPython: a stream or packet device and its controller, while an allocation of one of them fails.

    failing -X heapsize=4m -c "import tests.memory.failing_devices" KIND SIDE STEP COUNT

KIND: stream, packet or tasks; SIDE, whose allocations are counted: target, controller or both.

For n = 1, 1 + STEP, .. until n is more than there are: fresh ones, of which the n-th allocation fails and the COUNT - 1
behind it. Every byte, or packet, must arrive once, in order, both ways. The application repeats a call that has met a
MemoryError. `tasks`: packets, with `await`; else calls that do not wait. The interrupt comes after each transfer, and
what it has scheduled after it; the bus, and the test's own part, allocate uncounted.
"""

import asyncio
import sys

import allocations

from i2c_devices.packet_controller import PacketController
from i2c_devices.packet_target import PacketTarget
from i2c_devices.ports import TargetPort
from i2c_devices.stream_controller import StreamController
from i2c_devices.stream_target import StreamTarget

KIND, SIDE, STEP, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
PACKETS = [bytes((i,)) * (1 + 9 * i % 32) for i in range(10)]
BYTES = b"".join(PACKETS)
ROUNDS = 3000
TASKS_S = 30


class Bus:
    """machine.I2C, and machine.I2CTarget: a memory, and one object for each of both."""

    def __init__(self):
        self.mem = None
        self.handler = None
        self._scheduled = []

    def __call__(self, addr, mem, mem_addrsize):
        self.mem = mem
        return self

    def irq(self, handler, trigger=0, hard=False):
        self.handler = handler
        return self

    def deinit(self):
        self.mem = None

    def schedule(self, function):
        allocations.pause()
        self._scheduled.append(function)
        allocations.resume()
        return True

    def readfrom_mem_into(self, address, at, buf, addrsize):
        allocations.pause()
        buf[:] = memoryview(self.mem)[at : at + len(buf)]
        self._interrupt()
        allocations.resume()

    def writeto_mem(self, address, at, buf, addrsize):
        allocations.pause()
        self.mem[at : at + len(buf)] = buf
        self._interrupt()
        allocations.resume()

    def _interrupt(self):
        """The target runs."""
        if SIDE != "controller":
            allocations.resume()
        self.handler(self)
        while self._scheduled:
            self._scheduled.pop(0)(0)
        if SIDE != "controller":
            allocations.pause()


def made():
    """(target, controller) on a bus of their own."""
    bus = Bus()
    port = TargetPort(bus, addr=0x20)
    port.schedule = bus.schedule
    if KIND == "stream":
        target, controller = StreamTarget(port, 48, 48, life=7), StreamController(bus, 0x20)
    else:
        target, controller = PacketTarget(port, 32, 2, 2, life=7), PacketController(bus, 0x20, interval_ms=1)
    target.open()
    return target, controller


class End:
    """One of both, and its application: sends everything, and keeps what comes."""

    def __init__(self, device, counted):
        self.device = device
        self._counted = counted
        self._rest = BYTES if KIND == "stream" else list(PACKETS)
        self.got = b"" if KIND == "stream" else []

    def call(self, method, *args):
        """What it returns; None also if memory ran out in it."""
        if self._counted:
            allocations.resume()
        try:
            return method(*args)
        except MemoryError:
            return None
        finally:
            if self._counted:
                allocations.pause()

    def turn(self):
        if KIND == "stream":
            self._rest = self._rest[self.call(self.device.write, self._rest) or 0 :]
            self.got += self.call(self.device.read) or b""
        else:
            if self._rest and self.call(self.device.send_nowait, self._rest[0]):
                self._rest.pop(0)
            packet = self.call(self.device.recv_nowait)
            if packet:
                self.got.append(packet)
        self.call(self.device.flush)

    @property
    def done(self):
        return not self._rest and self.got == (BYTES if KIND == "stream" else PACKETS)


def by_calls(target, controller):
    ends = End(target, SIDE != "controller"), End(controller, SIDE != "target")
    for _ in range(ROUNDS):
        for end in ends:
            end.turn()
        if all(end.done for end in ends):
            return None
    return "not everything arrived: %r, %r" % (ends[0].got, ends[1].got)


async def by_tasks(target, controller):
    got = [], []

    async def send(device):
        sent = 0
        while sent < len(PACKETS):
            try:
                await device.send(PACKETS[sent])
            except MemoryError:
                await asyncio.sleep_ms(1)
            else:
                sent += 1

    async def receive(device, got):
        while len(got) < len(PACKETS):
            try:
                packet = await device.recv()
            except MemoryError:
                await asyncio.sleep_ms(1)
            else:
                allocations.pause()
                got.append(packet)
                allocations.resume()

    tasks = [asyncio.create_task(task) for task in (
        send(target), send(controller), receive(target, got[0]), receive(controller, got[1]), target.run()
    )]  # fmt: skip
    for _ in range(TASKS_S * 100):
        allocations.resume()
        await asyncio.sleep_ms(10)
        allocations.pause()
        if all([task.done() for task in tasks[:4]]):
            break
    for task in tasks:
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
    await asyncio.sleep_ms(1)
    if got != (PACKETS, PACKETS):
        return "not everything arrived: %r, %r" % got
    return "a flag is left" if asyncio.core._io_queue.map else None


async def main():
    n, failed = 1, 0
    while True:
        pair = made()
        allocations.fail(n, COUNT)
        fault = await by_tasks(*pair) if KIND == "tasks" else by_calls(*pair)
        if fault:
            print("allocation %d: %s" % (n, fault))
            return
        if not allocations.failed():
            print("%d allocations, %d failed" % (n, failed))
            return
        failed += allocations.failed()
        n += STEP


asyncio.run(main())
