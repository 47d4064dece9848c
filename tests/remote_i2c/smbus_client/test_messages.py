"""i2c_msg and I2cFunc, beside those of smbus2."""

import gc

import pytest
import smbus2

from remote_i2c.smbus_client.messages import I2cFunc, i2c_msg, put


def test_functions_have_the_names_and_values_of_smbus2():
    assert dict(I2cFunc.__members__) == dict(smbus2.I2cFunc.__members__)


@pytest.mark.parametrize("data", [[1, 2, 255], b"\x01\x02", bytearray(b"x"), "text", "", []])
def test_message_that_writes_is_as_smbus2_makes_it(data):
    mine, theirs = i2c_msg.write(0x48, data), smbus2.i2c_msg.write(0x48, data)
    assert list(mine) == list(theirs) and bytes(mine) == bytes(theirs) and len(mine) == len(theirs)
    assert (mine.addr, mine.flags, mine.len, repr(mine)) == (theirs.addr, theirs.flags, theirs.len, repr(theirs))
    assert mine.buf[: mine.len] == theirs.buf[: theirs.len]


def test_message_that_reads_is_as_smbus2_makes_it():
    mine, theirs = i2c_msg.read(0x48, 3), smbus2.i2c_msg.read(0x48, 3)
    for message in (mine, theirs):
        put(message, b"abc")
    assert (mine.addr, mine.flags, mine.len) == (theirs.addr, theirs.flags, theirs.len)
    assert bytes(mine) == bytes(theirs) == b"abc" and str(mine) == str(theirs) == "abc"


def test_bytes_live_as_long_as_their_message():
    messages = [i2c_msg.write(0x48, bytes((number,)) * 100) for number in range(200)]
    gc.collect()
    garbage = [bytearray(100) for _ in range(1000)]
    assert [bytes(message) for message in messages] == [bytes((number,)) * 100 for number in range(200)] and garbage
