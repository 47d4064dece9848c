"""A bus of Linux, with the real smbus2: only the kernel is a fake."""

import asyncio
import itertools
import os
import threading
from errno import (
    EACCES,
    EAGAIN,
    EBUSY,
    EINVAL,
    EIO,
    ENODEV,
    ENOENT,
    ENXIO,
    EOPNOTSUPP,
    EPROTO,
    EREMOTEIO,
    ESHUTDOWN,
    ETIMEDOUT,
)

import pytest
from smbus2 import smbus2 as module

from remote_i2c import linux
from remote_i2c.bus import I2C, SMBUS_COUNTED, SMBUS_QUICK
from remote_i2c.errors import BUS, CALLER, BusError
from remote_i2c.linux import LinuxBus
from remote_i2c.messages import read, read_counted, write
from remote_i2c.shared import SharedBus
from tests.patience import PATIENCE_S

# linux/i2c-dev.h, linux/i2c.h
I2C_FUNCS = 0x0705
I2C_RDWR = 0x0707
I2C_M_RD = 0x0001
I2C_M_RECV_LEN = 0x0400

A = 0x48


class FakeKernel:
    """An adapter with targets of registers: {address: bytes}. Counted reads answer the register's byte as the count."""

    O_RDWR = os.O_RDWR
    files = itertools.count(1000)  # a bus of a test before may be collected, and closed, in this one

    def __init__(self):
        self.file = next(self.files)
        self.funcs = I2C | SMBUS_QUICK | SMBUS_COUNTED
        self.targets = {A: bytearray(range(64))}
        self.refuses = None  # errno of opening it
        self.error = None  # errno of every transaction
        self.gate = None  # a threading.Event without which no transaction ends
        self.entered = threading.Event()
        self.inside = self.most = 0  # transactions that the kernel is in, and were at once
        self.opened = []
        self.closed = []
        self.transactions = []  # of each, its messages: (address, written bytes or count of bytes to read)

    def open(self, path, flags):
        self.opened.append(path)
        if self.refuses is not None:
            raise OSError(self.refuses, os.strerror(self.refuses))
        return self.file

    def close(self, file):
        if file == self.file:
            self.closed.append(file)

    def ioctl(self, file, request, data):
        if request == I2C_FUNCS:
            data.value = self.funcs
            return
        assert (file, request) == (self.file, I2C_RDWR) and len(self.closed) < len(self.opened)
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            self._transact([data.msgs[index] for index in range(data.nmsgs)])
        finally:
            self.inside -= 1

    def _transact(self, messages):
        self.transactions.append(
            [(one.addr, one.len if one.flags & I2C_M_RD else module.string_at(one.buf, one.len)) for one in messages]
        )
        self.entered.set()
        if self.gate is not None:
            assert self.gate.wait(PATIENCE_S)
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        pointer = 0
        for one in messages:
            if one.addr not in self.targets:
                raise OSError(ENXIO, "No such device or address")
            registers = self.targets[one.addr]
            if not one.flags & I2C_M_RD:
                pointer = one.buf[0][0] if one.len else pointer
                continue
            size = one.len
            if one.flags & I2C_M_RECV_LEN:  # as i2cdev_ioctl_rdwr wants it
                behind = one.buf[0][0]
                assert behind >= 1 and one.len >= behind + 32
                size = registers[pointer] + behind
            for index in range(size):
                one.buf[index] = bytes((registers[pointer + index],))


@pytest.fixture
def kernel(monkeypatch, tmp_path):
    kernel = FakeKernel()
    monkeypatch.setattr(module, "ioctl", kernel.ioctl)
    monkeypatch.setattr(module, "os", kernel)  # what it takes of os: open, close, O_RDWR
    monkeypatch.setattr(linux, "_DRIVER", str(tmp_path) + "/%d-%04x/driver")
    return kernel


def run(scenario):
    """Run scenario(bus) on an open bus. Returns what it returns."""

    async def main():
        bus = LinuxBus(1, "desk")
        await bus.open()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await scenario(bus)
        finally:
            await bus.close()

    return asyncio.run(main())


def failing(call):
    """Returns the BusError of call(bus), a coroutine."""

    async def scenario(bus):
        with pytest.raises(BusError) as raised:
            await call(bus)
        return raised.value

    return run(scenario)


def test_messages_are_one_call_of_the_kernel(kernel):
    found = run(lambda bus: bus.transfer([write(A, b"\x05"), read(A, 2), write(A, b"\x10"), read(A, 1)]))
    assert found == [b"\x05\x06", b"\x10"]
    assert kernel.opened == ["/dev/i2c-1"] and kernel.closed == [kernel.file]
    assert kernel.transactions == [[(A, b"\x05"), (A, 2), (A, b"\x10"), (A, 1)]]


def test_what_the_target_counts_is_read_with_its_count(kernel):
    assert run(lambda bus: bus.transfer([write(A, b"\x03"), read_counted(A)])) == [b"\x03\x04\x05\x06"]
    assert run(lambda bus: bus.transfer([write(A, b"\x03"), read_counted(A, 1)])) == [b"\x03\x04\x05\x06\x07"]


def test_an_adapter_without_counted_reads_is_told_so(kernel):
    kernel.funcs = I2C
    error = failing(lambda bus: bus.transfer([write(A, b"\x03"), read_counted(A)]))
    assert error.errno == EOPNOTSUPP and kernel.transactions == []


@pytest.mark.parametrize("direction, sent", [(False, (A, b"")), (True, (A, 0))])
def test_quick_sends_the_address_alone(kernel, direction, sent):
    run(lambda bus: bus.quick(A, direction))
    assert kernel.transactions == [[sent]]


def test_a_probe_reads_a_byte_where_the_adapter_cannot_send_an_address_alone(kernel):
    kernel.funcs = I2C
    assert failing(lambda bus: bus.quick(A, False)).errno == EOPNOTSUPP
    assert run(lambda bus: bus.probe(A)) is True
    assert run(lambda bus: bus.probe(A + 1)) is False
    assert kernel.transactions == [[(A, 1)], [(A + 1, 1)]]


@pytest.mark.parametrize(
    "error, number, place",
    [
        (ENXIO, ENXIO, BUS),
        (EREMOTEIO, ENXIO, BUS),
        (EIO, EIO, BUS),
        (EPROTO, EIO, BUS),
        (EAGAIN, ETIMEDOUT, BUS),
        (EBUSY, ETIMEDOUT, BUS),
        (ETIMEDOUT, ETIMEDOUT, BUS),
        (EOPNOTSUPP, EOPNOTSUPP, CALLER),
        (EINVAL, EOPNOTSUPP, CALLER),
        (ENODEV, ENODEV, BUS),
        (ESHUTDOWN, ENODEV, BUS),
        (ENOENT, EIO, BUS),
    ],
)
def test_errors_of_the_kernel_get_their_meaning(kernel, error, number, place):
    kernel.error = error
    raised = failing(lambda bus: bus.transfer([write(A, b"\x05"), read(A, 2)]))
    assert (raised.errno, raised.place, raised.bus, raised.address) == (number, place, "desk", A)


def test_a_device_of_the_kernel_is_left_alone(kernel, tmp_path):
    (tmp_path / "1-0048").mkdir()
    (tmp_path / "1-0048" / "driver").touch()
    for call in (lambda bus: bus.transfer([read(A, 1)]), lambda bus: bus.quick(A, False), lambda bus: bus.probe(A)):
        assert failing(call).errno == EBUSY
    assert kernel.transactions == []


@pytest.mark.parametrize(
    "error, number, advice", [(ENOENT, ENODEV, "i2c-dev"), (EACCES, EACCES, "group"), (EIO, EIO, "cannot be opened")]
)
def test_a_bus_that_cannot_be_opened_is_told(kernel, error, number, advice):
    kernel.refuses = error
    with pytest.raises(BusError, match=advice) as raised:
        asyncio.run(LinuxBus(7).open())
    assert raised.value.errno == number and "/dev/i2c-7" in str(raised.value)


def test_an_adapter_without_plain_i2c_is_refused_and_closed(kernel):
    kernel.funcs = SMBUS_QUICK
    with pytest.raises(BusError, match="only SMBus"):
        asyncio.run(LinuxBus(1).open())
    assert kernel.closed == [kernel.file]


def test_two_calls_are_never_in_the_kernel_at_once(kernel):
    async def scenario(bus):
        await asyncio.gather(*[bus.transfer([read(A, 1)]) for _ in range(20)])

    run(scenario)
    assert kernel.most == 1 and len(kernel.transactions) == 20


def test_a_call_that_hangs_ends_in_time_and_the_next_one_waits_for_it(kernel):
    kernel.gate = threading.Event()

    async def scenario(bus):
        with pytest.raises(BusError) as first:
            await bus.transfer([read(A, 1)], timeout_ms=20)
        with pytest.raises(BusError) as second:  # it never begins
            await bus.transfer([read(A, 2)], timeout_ms=20)
        third = asyncio.create_task(bus.transfer([read(A, 3)], timeout_ms=int(PATIENCE_S * 1000)))
        await asyncio.sleep(0)
        kernel.gate.set()
        return first.value, second.value, await third

    first, second, third = run(scenario)
    assert (first.errno, first.place, second.errno, second.place) == (ETIMEDOUT, BUS, ETIMEDOUT, BUS)
    assert "earlier call" in str(second) and third == [b"\0\1\2"]
    assert kernel.transactions == [[(A, 1)], [(A, 3)]] and kernel.most == 1


def test_a_cancelled_call_that_has_not_begun_never_does(kernel):
    kernel.gate = threading.Event()

    async def scenario(bus):
        first = asyncio.create_task(bus.transfer([read(A, 1)]))
        second = asyncio.create_task(bus.transfer([write(A, b"\x01\x02")]))
        await asyncio.to_thread(kernel.entered.wait, PATIENCE_S)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        kernel.gate.set()
        await first

    run(scenario)
    assert kernel.transactions == [[(A, 1)]]


def test_a_closed_bus_is_told_and_the_file_is_closed_behind_a_call_that_hangs(kernel, monkeypatch):
    monkeypatch.setattr(linux, "CLOSE_MS", 20)
    kernel.gate = threading.Event()

    async def scenario(bus):
        with pytest.raises(BusError):
            await bus.transfer([read(A, 1)], timeout_ms=20)
        await bus.close()
        assert kernel.closed == []  # the kernel still has it
        with pytest.raises(BusError) as raised:
            await bus.transfer([read(A, 1)])
        kernel.gate.set()
        return raised.value.errno

    assert run(scenario) == ENODEV
    wait_for_threads()
    assert kernel.closed == [kernel.file]


def wait_for_threads():
    """Until those of the bus have closed its files."""
    for thread in threading.enumerate():
        if thread.name.startswith("i2c-1"):
            thread.join(PATIENCE_S)


@pytest.mark.parametrize("pulled", [ENODEV, ESHUTDOWN])
def test_an_adapter_that_was_pulled_is_opened_again_when_it_is_back(kernel, pulled):
    """By whoever calls next: the bus of a server is for all of them."""

    async def scenario():
        shared = SharedBus(LinuxBus(1, "desk"), {A})
        found = []

        async def called():
            try:
                found.append(await shared.transfer([write(A, b"\x05"), read(A, 1)]))
            except BusError as error:
                found.append((error.errno, error.place))

        await called()
        kernel.error = pulled
        await called()  # pulled in a call
        kernel.error, kernel.refuses = None, ENOENT
        await called()  # there is no file of it
        kernel.refuses, kernel.funcs = None, I2C
        await called()  # another adapter has its place
        assert shared.functions == I2C
        await shared.close()
        await called()
        return found

    gone, absent = (ENODEV, BUS), (ENODEV, CALLER)
    assert asyncio.run(scenario()) == [[b"\x05"], gone, absent, [b"\x05"], absent]
    wait_for_threads()
    assert len(kernel.opened) == 3 and len(kernel.closed) == 2
