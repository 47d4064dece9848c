"""The port of Linux, with the real smbus2: only the kernel is a fake."""

import asyncio
import os
from errno import EACCES, EAGAIN, EBUSY, EIO, ENODEV, ENOENT, ENXIO, EREMOTEIO, ETIMEDOUT

import pytest
from smbus2 import smbus2 as module

from sensor_bus import linux_i2c
from sensor_bus.bus import SensorBus
from sensor_bus.linux_i2c import LinuxI2C
from sensor_bus.records import standard_records
from tests.patience import PATIENCE_S

MICROPYTHON = False
MICROPYTHON_REASON = "needs smbus2"

# linux/i2c-dev.h, linux/i2c.h
I2C_FUNCS = 0x0705
I2C_RDWR = 0x0707
I2C_M_RD = 0x0001
PLAIN_I2C = 0x00000001
SMBUS_QUICK = 0x00010000

MCP9808 = 0x18
WORDS = {0x05: 0xC190, 0x06: 0x0054, 0x07: 0x0400}  # 25.0 degrees with the alert flags; manufacturer; device


class FakeKernel:
    """An adapter with targets of 16-bit registers: {address: {register: word}}."""

    O_RDWR = os.O_RDWR

    def __init__(self):
        self.funcs = PLAIN_I2C | SMBUS_QUICK
        self.targets = {}
        self.refuses = None  # errno of opening it
        self.error = None  # errno of every transaction
        self.opened = []
        self.closed = []
        self.transactions = []  # of each, its messages: (address, written bytes or count of bytes to read)

    def open(self, path, flags):
        self.opened.append(path)
        if self.refuses is not None:
            raise OSError(self.refuses, os.strerror(self.refuses))
        return 99

    def close(self, file):
        self.closed.append(file)

    def ioctl(self, file, request, data):
        if request == I2C_FUNCS:
            data.value = self.funcs
            return
        assert (file, request) == (99, I2C_RDWR)
        messages = [data.msgs[index] for index in range(data.nmsgs)]
        self.transactions.append(
            [(one.addr, one.len if one.flags & I2C_M_RD else module.string_at(one.buf, one.len)) for one in messages]
        )
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        pointer = 0
        for one in messages:
            if one.addr not in self.targets:
                raise OSError(ENXIO, "No such device or address")
            if one.flags & I2C_M_RD:
                word = self.targets[one.addr].get(pointer, 0).to_bytes(2, "big")
                for index in range(one.len):
                    one.buf[index] = word[index % 2 : index % 2 + 1]
            elif one.len:
                pointer = one.buf[0][0]


@pytest.fixture
def kernel(monkeypatch):
    kernel = FakeKernel()
    monkeypatch.setattr(module, "ioctl", kernel.ioctl)
    monkeypatch.setattr(module, "os", kernel)  # what it takes of os: open, close, O_RDWR
    return kernel


def test_a_write_and_read_is_one_transaction(kernel):
    kernel.targets[MCP9808] = WORDS
    into = bytearray(4)
    LinuxI2C(1).transfer(MCP9808, memoryview(b"\x05"), memoryview(into)[1:3])
    assert into == b"\0\xc1\x90\0"
    assert kernel.opened == ["/dev/i2c-1"]
    assert kernel.transactions == [[(MCP9808, b"\x05"), (MCP9808, 2)]]


def test_a_write_alone_and_a_read_alone(kernel):
    kernel.targets[MCP9808] = WORDS
    port = LinuxI2C(1)
    port.transfer(MCP9808, b"\x01\x02\x03")
    port.transfer(MCP9808, b"", bytearray(2))
    assert kernel.transactions == [[(MCP9808, b"\x01\x02\x03")], [(MCP9808, 2)]]


@pytest.mark.parametrize("error", [ENXIO, EREMOTEIO, EIO, ENODEV])
def test_no_acknowledgement_is_an_error_of_the_kernel(kernel, error):
    port = LinuxI2C(1)
    kernel.error = error
    with pytest.raises(OSError) as raised:
        port.transfer(MCP9808, b"\x05", bytearray(2))
    assert raised.value.errno == error
    assert port.probe(MCP9808) is False


@pytest.mark.parametrize("error", [ETIMEDOUT, EAGAIN, EBUSY])
def test_a_held_wire_is_a_timeout_and_no_absent_device(kernel, error):
    port = LinuxI2C(1)
    kernel.error = error
    for action in (lambda: port.transfer(MCP9808, b"\x05", bytearray(2)), lambda: port.probe(MCP9808)):
        with pytest.raises(OSError) as raised:
            action()
        assert raised.value.errno == ETIMEDOUT


def test_a_failed_read_leaves_the_buffer_as_it_was(kernel):
    into = bytearray(b"ab")
    with pytest.raises(OSError):
        LinuxI2C(1).transfer(MCP9808, b"\x05", into)
    assert into == b"ab"


def test_a_probe_writes_nothing(kernel):
    kernel.targets[MCP9808] = WORDS
    port = LinuxI2C(1)
    assert port.probe(MCP9808) is True
    assert port.probe(0x19) is False
    assert kernel.transactions == [[(MCP9808, b"")], [(0x19, b"")]]


def test_a_probe_reads_a_byte_where_the_adapter_cannot_write_nothing(kernel):
    kernel.targets[MCP9808] = WORDS
    kernel.funcs = PLAIN_I2C
    assert LinuxI2C(1).probe(MCP9808) is True
    assert kernel.transactions == [[(MCP9808, 1)]]


def test_a_device_of_the_kernel_is_left_alone(kernel, monkeypatch, tmp_path):
    kernel.targets[MCP9808] = kernel.targets[0x19] = WORDS
    (tmp_path / "1-0018").mkdir()
    (tmp_path / "1-0018" / "driver").touch()
    (tmp_path / "2-0019").mkdir()
    (tmp_path / "2-0019" / "driver").touch()
    monkeypatch.setattr(linux_i2c, "_DRIVER", str(tmp_path) + "/%d-%04x/driver")
    port = LinuxI2C(1)
    assert port.probe(MCP9808) is False
    assert port.probe(0x19) is True  # that driver is on another bus
    assert kernel.transactions == [[(0x19, b"")]]


@pytest.mark.parametrize("error, advice", [(ENOENT, "i2c-dev"), (EACCES, "group"), (EIO, "cannot be opened")])
def test_a_bus_that_cannot_be_opened_is_told(kernel, error, advice):
    kernel.refuses = error
    with pytest.raises(ValueError, match=advice) as raised:
        LinuxI2C(7)
    assert "/dev/i2c-7" in str(raised.value)


def test_an_adapter_without_plain_i2c_is_refused_and_closed(kernel):
    kernel.funcs = SMBUS_QUICK
    with pytest.raises(ValueError, match="only SMBus"):
        LinuxI2C(1)
    assert kernel.closed == [99]


def test_close_closes_the_file(kernel):
    LinuxI2C(1).close()
    assert kernel.closed == [99]


def test_a_bus_finds_and_polls_a_sensor_through_it(kernel):
    kernel.targets[MCP9808] = WORDS

    async def first():
        records = standard_records()
        bus = SensorBus(LinuxI2C(1), records)
        worker = asyncio.create_task(bus.run())
        try:
            async for sample in bus.samples():
                return sample.address, records.name(sample.type), bytes(sample.data)
        finally:
            worker.cancel()

    assert asyncio.run(asyncio.wait_for(first(), PATIENCE_S)) == (MCP9808, "MCP9808", b"\xc1\x90")


def test_polls_go_on_after_a_wire_was_held(kernel):
    kernel.targets[MCP9808] = WORDS

    async def stuck_and_freed():
        bus = SensorBus(LinuxI2C(1), standard_records())
        worker = asyncio.create_task(bus.run())
        events = bus.events()
        try:
            async for _ in bus.samples():
                break
            kernel.error = EAGAIN
            async for event in events:
                if event.kind == "stuck":
                    break
            kernel.error = None
            kinds = []
            async for event in events:
                kinds.append(event.kind)
                if event.kind == "online":
                    break
            async for sample in bus.samples():
                return kinds, bytes(sample.data)
        finally:
            worker.cancel()

    kinds, data = asyncio.run(asyncio.wait_for(stuck_and_freed(), 60))
    assert "freed" in kinds
    assert data == b"\xc1\x90"
