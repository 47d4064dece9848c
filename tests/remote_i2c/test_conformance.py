"""smbus2, unmodified, on our client: its system calls are answered by SMBus over gRPC from a bus in RAM.

What smbus2 asks of the kernel is all that a driver can ask of it. So what it gets here is what a program gets that
runs on the computer with the bus.
"""

import errno
import itertools
import os
from contextlib import contextmanager

import pytest
import smbus2
from smbus2 import SMBus, i2c_msg
from smbus2 import smbus2 as module

from remote_i2c import smbus as wire
from remote_i2c.errors import damaged, stopped
from remote_i2c.smbus_client.smbus import SMBus as RemoteSMBus
from tests.remote_i2c.doors import open_door
from tests.remote_i2c.fake_bus import FakeBus

A = 0x48
WITH_PEC = 0x5A
# What smbus2 has, in the kernel's names. Source: the kernel's include/uapi/linux/i2c.h and i2c-dev.h.
READ, WRITE = 1, 0
QUICK, BYTE, BYTE_DATA, WORD_DATA, PROC_CALL, BLOCK_DATA, BLOCK_PROC_CALL, I2C_BLOCK_DATA = 0, 1, 2, 3, 4, 5, 7, 8
SLAVE, SLAVE_FORCE, FUNCS, RDWR, PEC, SMBUS = 0x0703, 0x0706, 0x0705, 0x0707, 0x0708, 0x0720
OPEN, CLOSE = os.open, os.close  # smbus2's are those of the whole process


class PECBus(FakeBus):
    """The device at WITH_PEC wants a packet error code behind each write, and sends one behind each read."""

    async def transfer(self, transfer, timeout_ms=1000):
        if transfer[0].address != WITH_PEC:
            return await super().transfer(transfer, timeout_ms)
        sent = b""
        answers = []
        for message in transfer:
            sent += bytes((message.address << 1 | message.reads,))
            if message.reads:
                sent += (answer := self._read(message)[:-1])
                answers.append(answer + bytes((wire.pec_of(sent),)))
                return answers
            sent += message.data
            last = message is transfer[-1]
            if last and wire.pec_of(sent):
                raise stopped(WITH_PEC)
            data = message.data[:-1] if last else message.data
            at = self.pointers[WITH_PEC] = data[0]
            self.devices[WITH_PEC][at : at + len(data) - 1] = data[1:]
        return answers


class Kernel:
    """The system calls open, close and ioctl of a /dev/i2c-N."""

    def __init__(self, url):
        self._url = url
        self._files = {}  # fd -> [SMBus, address]
        self._numbers = itertools.count(1 << 20)
        self.asked = []

    def open(self, path, *arguments):
        if not str(path).startswith("/dev/i2c-"):
            return OPEN(path, *arguments)
        fd = next(self._numbers)
        self._files[fd] = [RemoteSMBus(f"{self._url}/{path.removeprefix('/dev/i2c-')}"), None]
        return fd

    def close(self, fd):
        if fd not in self._files:
            return CLOSE(fd)
        self._files.pop(fd)[0].close()

    def ioctl(self, fd, request, argument):
        file = self._files[fd]
        bus, address = file
        self.asked.append(request)
        if request in (SLAVE, SLAVE_FORCE):
            if not 0 <= argument <= 0x7F:
                raise OSError(errno.EINVAL, "no address")
            file[1] = argument
        elif request == FUNCS:
            argument.value = int(bus.funcs)
        elif request == PEC:
            bus.pec = argument
        elif request == RDWR:
            bus.i2c_rdwr(*[argument.msgs[number] for number in range(argument.nmsgs)])
        elif request == SMBUS:
            self._smbus(bus, address, argument)
        else:
            raise OSError(errno.ENOTTY, "no such request")
        return 0

    def _smbus(self, bus, address, call):
        command, data = call.command, call.data.contents if call.data else None
        block = bytes(data.block[1 : 1 + data.block[0]]) if data is not None and data.block[0] <= 32 else b""
        rows = {
            (WRITE, QUICK): lambda: bus.write_quick(address),
            (READ, BYTE): lambda: bus.read_byte(address),
            (WRITE, BYTE): lambda: bus.write_byte(address, command),
            (READ, BYTE_DATA): lambda: bus.read_byte_data(address, command),
            (WRITE, BYTE_DATA): lambda: bus.write_byte_data(address, command, data.byte),
            (READ, WORD_DATA): lambda: bus.read_word_data(address, command),
            (WRITE, WORD_DATA): lambda: bus.write_word_data(address, command, data.word),
            (WRITE, PROC_CALL): lambda: bus.process_call(address, command, data.word),
            (READ, BLOCK_DATA): lambda: bus.read_block_data(address, command),
            (WRITE, BLOCK_DATA): lambda: bus.write_block_data(address, command, block),
            (WRITE, BLOCK_PROC_CALL): lambda: bus.block_process_call(address, command, block),
            (READ, I2C_BLOCK_DATA): lambda: bus.read_i2c_block_data(address, command, data.block[0]),
            (WRITE, I2C_BLOCK_DATA): lambda: bus.write_i2c_block_data(address, command, block),
        }
        result = rows[call.read_write, call.size]()
        if isinstance(result, list):
            data.block[: len(result) + 1] = [len(result), *result]
        elif result is not None and call.size in (BYTE, BYTE_DATA):
            data.byte = result
        elif result is not None:
            data.word = result


@contextmanager
def kernel(monkeypatch, **settings):
    bus = PECBus({A: bytearray(range(256)), WITH_PEC: bytearray(range(256))})
    with open_door(bus, **settings) as door:
        one = Kernel(door.url.removesuffix("/1"))
        one.bus = bus
        with monkeypatch.context() as patch:
            patch.setattr(module.os, "open", one.open)
            patch.setattr(module.os, "close", one.close)
            patch.setattr(module, "ioctl", one.ioctl)
            yield one


@pytest.fixture
def linux(monkeypatch):
    with kernel(monkeypatch) as one:
        yield one


@pytest.fixture
def bus(linux):
    with SMBus(1) as one:
        yield one


def test_this_is_smbus2_itself(linux, bus):
    assert type(bus) is smbus2.SMBus and type(bus).__module__ == "smbus2.smbus2"
    bus.read_byte(A)
    assert linux.asked == [FUNCS, SLAVE, SMBUS]


def test_functions_are_those_of_the_bus(linux, bus):
    assert bus.funcs == linux.bus.functions


def test_quick(bus):
    assert bus.write_quick(A) is None
    with pytest.raises(OSError):
        bus.write_quick(0x49)


def test_byte(bus):
    bus.write_byte(A, 7)
    assert bus.read_byte(A) == 7


@pytest.mark.parametrize("value", [0, 1, 0x7F, 0x80, 0xFF])
def test_byte_data(bus, value):
    bus.write_byte_data(A, 0xFF, value)
    assert bus.read_byte_data(A, 0xFF) == value


@pytest.mark.parametrize("value", [0, 1, 0x1234, 0xFFFF])
def test_word_data_is_little_endian(linux, bus, value):
    bus.write_word_data(A, 5, value)
    assert bus.read_word_data(A, 5) == value
    assert linux.bus.devices[A][5] == value & 0xFF


def test_process_call(bus):
    assert bus.process_call(A, 5, 0xABCD) == 0xABCD


@pytest.mark.parametrize("size", [1, 2, 31, 32])
def test_blocks(bus, size):
    data = list(range(100, 100 + size))
    bus.write_i2c_block_data(A, 5, data)
    assert bus.read_i2c_block_data(A, 5, size) == data
    bus.write_block_data(A, 60, data)
    assert bus.read_block_data(A, 60) == data
    assert bus.block_process_call(A, 120, data) == data


@pytest.mark.parametrize(
    "call",
    [
        lambda bus: bus.write_block_data(A, 5, []),
        lambda bus: bus.read_i2c_block_data(A, 5, 0),
        lambda bus: bus.read_block_data(A, 0),  # the device says 0
        lambda bus: bus.read_block_data(A, 33),
        lambda bus: bus.read_byte(0x80),
    ],
)
def test_what_no_device_can_answer_is_an_oserror(bus, call):
    with pytest.raises(OSError) as caught:
        call(bus)
    assert caught.value.errno in (errno.EINVAL, errno.EIO)
    assert bus.read_byte_data(A, 5) == 5


def test_messages_are_one_transfer(linux, bus):
    first, second = i2c_msg.read(A, 2), i2c_msg.read(A, 40)
    bus.i2c_rdwr(i2c_msg.write(A, [5]), first, i2c_msg.write(A, b"\x10"), second)
    assert list(first) == [5, 6] and bytes(second) == bytes(range(16, 56))
    assert [what for what, _ in linux.bus.log] == ["begin", "end"]


def test_longest_transfers(bus):
    messages = [i2c_msg.read(A, 1) for _ in range(42)]
    bus.i2c_rdwr(*messages)
    with pytest.raises(OSError) as caught:
        bus.i2c_rdwr(*messages, i2c_msg.read(A, 1))
    assert caught.value.errno == errno.EINVAL
    bus.i2c_rdwr(i2c_msg.write(A, bytes(8191)), i2c_msg.read(A, 1))
    with pytest.raises(OSError) as caught:
        bus.i2c_rdwr(i2c_msg.write(A, bytes(8192)), i2c_msg.read(A, 1))
    assert caught.value.errno == errno.EINVAL


def test_message_without_bytes(linux, bus):
    bus.i2c_rdwr(i2c_msg.write(A, []))
    with pytest.raises(OSError) as caught:
        bus.i2c_rdwr(i2c_msg.write(0x49, []))
    assert caught.value.errno == errno.ENXIO


def test_pec(linux, bus):
    assert bus.pec == 0
    bus.pec = 1
    bus.write_byte_data(WITH_PEC, 5, 0xAB)
    assert bus.read_byte_data(WITH_PEC, 5) == 0xAB
    bus.write_word_data(WITH_PEC, 6, 0x1234)
    assert bus.read_word_data(WITH_PEC, 6) == 0x1234
    bus.write_block_data(WITH_PEC, 10, [1, 2, 3])
    assert bus.read_block_data(WITH_PEC, 10) == [1, 2, 3]
    assert bus.process_call(WITH_PEC, 8, 0x55AA) == 0x55AA
    with pytest.raises(OSError) as caught:
        bus.read_byte_data(A, 5)  # has none
    assert caught.value.errno == damaged(A, "").errno
    bus.pec = 0
    assert bus.read_byte_data(A, 5) == 5
    with pytest.raises(OSError):
        bus.write_byte_data(WITH_PEC, 5, 1)


def test_force_and_several_addresses(linux, bus):
    assert bus.read_byte_data(A, 5, force=True) == 5
    bus.write_byte_data(WITH_PEC, 5, wire.pec_of(bytes((WITH_PEC << 1, 5))))  # a PEC and no byte
    assert bus.read_byte_data(A, 5) == 5
    assert linux.asked.count(SLAVE_FORCE) == 1


@pytest.mark.parametrize("address", [0x49, 0x77])
def test_address_that_nobody_has(bus, address):
    for call in (bus.read_byte, lambda one: bus.read_word_data(one, 1), lambda one: bus.write_byte(one, 1)):
        with pytest.raises(OSError) as caught:
            call(address)
        assert caught.value.errno == errno.ENXIO


def test_address_that_is_not_allowed(monkeypatch):
    with kernel(monkeypatch, addresses={A}) as linux, SMBus("/dev/i2c-1") as bus:
        messages = [i2c_msg.read(A, 1), i2c_msg.read(WITH_PEC, 1)]
        for call in (lambda: bus.read_byte(WITH_PEC), lambda: bus.i2c_rdwr(*messages)):
            with pytest.raises(OSError) as caught:
                call()
            assert caught.value.errno == errno.EACCES
        assert linux.bus.log == []


def test_bus_that_is_not_there(linux):
    with pytest.raises(OSError) as caught:
        SMBus(7)
    assert caught.value.errno == errno.ENODEV
