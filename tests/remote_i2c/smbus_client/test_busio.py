"""I2C as CircuitPython's drivers use it."""

import pytest

from remote_i2c.smbus_client.busio import I2C
from remote_i2c.smbus_client.smbus import SMBus
from tests.remote_i2c.doors import A, open_door


@pytest.fixture
def i2c():
    with open_door() as door, SMBus(door.url) as bus:
        one = I2C(bus)
        one.door = door
        yield one


def test_parts_of_buffers_are_written_and_read(i2c):
    buffer = bytearray(6)
    i2c.writeto(A, b"..\x05xy.", start=2, end=5)
    i2c.writeto(A, bytearray(b"\x05"))
    i2c.readfrom_into(A, buffer, start=1, end=3)
    assert bytes(buffer) == b"\0xy\0\0\0"


def test_write_and_read_are_one_transfer(i2c):
    buffer = bytearray(4)
    i2c.writeto_then_readfrom(A, b"?\x07?", buffer, out_start=1, out_end=2, in_start=2)
    assert bytes(buffer) == b"\0\0\x07\x08"
    assert [what for what, _ in i2c.door.bus.log] == ["begin", "end"]


def test_scan_finds_the_devices(i2c):
    assert i2c.scan() == [A]


def test_one_has_it_at_a_time(i2c):
    assert i2c.try_lock() and not i2c.try_lock()
    i2c.unlock()
    assert i2c.try_lock()


def test_failure_is_an_oserror(i2c):
    with i2c as same, pytest.raises(OSError):
        same.writeto(0x49, b"")
