"""The controllers over Linux's i2c_rdwr, with the real smbus2: only the kernel is a fake."""

from errno import EREMOTEIO

import pytest
from smbus2 import SMBus, i2c_msg
from smbus2 import smbus2 as module

from i2c_devices.memory_controller import MemoryController
from i2c_devices.memory_target import MemoryTarget
from i2c_devices.packet_controller import PacketController
from i2c_devices.packet_target import PacketTarget
from i2c_devices.smbus_i2c import SMBusI2C
from i2c_devices.stream_controller import StreamController
from i2c_devices.stream_target import StreamTarget
from tests.i2c_devices.bed import ADDRESS, ModelBed

MICROPYTHON = False
MICROPYTHON_REASON = "needs smbus2"

I2C_RDWR = 0x0707  # linux/i2c-dev.h
I2C_M_RD = 0x0001  # linux/i2c.h


class FakeKernel:
    """ioctl(I2C_RDWR) on a bed: its messages with repeated starts between them, and one stop."""

    def __init__(self, bed):
        self.bed = bed
        self.calls = 0

    def ioctl(self, file, request, data):
        assert request == I2C_RDWR
        self.calls += 1
        for i in range(data.nmsgs):
            message, stop = data.msgs[i], i == data.nmsgs - 1
            try:
                if message.flags & I2C_M_RD:
                    buf = bytearray(message.len)
                    self.bed.readfrom_into(message.addr, buf, stop)
                    for at, value in enumerate(buf):
                        message.buf[at] = bytes((value,))
                else:
                    self.bed.writeto(message.addr, bytes(message.buf[at][0] for at in range(message.len)), stop)
            except OSError:
                raise OSError(EREMOTEIO, "Remote I/O error")


@pytest.fixture
def bed(monkeypatch):
    bed = ModelBed()
    bed.kernel = FakeKernel(bed)
    monkeypatch.setattr(module, "ioctl", bed.kernel.ioctl)
    bed.linux = SMBusI2C(SMBus(), i2c_msg)
    return bed


def opened(target):
    target.open()
    return target


def synchronise(controller, target):
    while not controller.poll():
        target.any()


def test_memory_is_read_and_written(bed):
    target = opened(MemoryTarget(bed.port, 300))
    controller = MemoryController(bed.linux, ADDRESS)
    controller.write(258, b"hello")
    assert target.memory[258:263] == b"hello"
    buf = bytearray(3)
    controller.read_into(260, buf)
    assert (buf, bed.kernel.calls) == (b"llo", 2)


def test_target_that_is_absent_is_an_oserror_of_the_kernel(bed):
    with pytest.raises(OSError) as raised:
        MemoryController(bed.linux, ADDRESS).write(0, b"x")
    assert raised.value.errno == EREMOTEIO


def test_stream_crosses_both_ways(bed):
    target = opened(StreamTarget(bed.port, 2048, 2048))
    controller = StreamController(bed.linux, ADDRESS)
    synchronise(controller, target)
    up, down = bytes(range(256)) * 3, bytes(range(255, -1, -1)) * 3
    target.write(down)
    assert controller.write(up) == len(up)
    assert target.read() == up
    assert controller.read() == down


def test_packets_cross_both_ways(bed):
    target = opened(PacketTarget(bed.port))
    controller = PacketController(bed.linux, ADDRESS)
    assert controller.failures == 0
    synchronise(controller, target)
    assert controller.send_nowait(b"up") and target.send_nowait(b"down")
    assert (target.recv_nowait(), controller.recv_nowait()) == (b"up", b"down")


def test_stream_waits_for_a_target_that_is_absent(bed):
    controller = StreamController(bed.linux, ADDRESS)
    assert controller.write(b"x") is None
    assert controller.failures == 1
