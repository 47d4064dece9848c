"""The calls have the signatures of smbus2, and send what it sends."""

import errno
import inspect

import pytest
import smbus2

from remote_i2c.smbus_client.aio import AsyncSMBus
from remote_i2c.smbus_client.calls import Calls
from remote_i2c.smbus_client.messages import i2c_msg
from remote_i2c.smbus_client.smbus import SMBus

A = 0x48
SPECIAL = ("__enter__", "__exit__", "__init__")
PUBLIC = [name for name in vars(smbus2.SMBus) if not name.startswith("_") or name in SPECIAL]


class Noting(Calls):
    """Returns each call."""

    def _do(self, call):
        return call


@pytest.mark.parametrize("name", PUBLIC)
def test_signature_is_that_of_smbus2(name):
    theirs, ours = getattr(smbus2.SMBus, name), getattr(SMBus, name)
    if isinstance(theirs, property):
        assert isinstance(ours, property) and ours.fset is not None
        return
    wanted = list(inspect.signature(theirs).parameters.values())
    there = list(inspect.signature(ours).parameters.values())
    own = there[len(wanted) :]
    assert [(one.name, one.kind, one.default) for one in there[: len(wanted)]] == [
        (one.name, one.kind, one.default) for one in wanted
    ]
    assert all(one.kind is inspect.Parameter.KEYWORD_ONLY for one in own) and (not own or name == "__init__")


def test_calls_of_asyncio_are_the_same():
    for name in PUBLIC:
        if name in vars(Calls):
            assert getattr(AsyncSMBus, name) is getattr(SMBus, name)


def test_attributes_of_an_smbus2_are_there():
    bus, theirs = SMBus(), smbus2.SMBus()
    for name in vars(theirs):
        if not name.startswith("_"):
            assert getattr(bus, name) == getattr(theirs, name), name


def test_numbers_have_their_lower_bits_sent():
    calls = Noting()
    assert calls.write_byte_data(A, 0x1FF, -1).request.value == 0xFF
    assert calls.write_byte_data(A, 0x1FF, -1).request.register == 0xFF
    assert calls.write_word_data(A, 0, 0x12345).request.value == 0x2345
    assert calls.write_i2c_block_data(A, 0, [1, 256, -1]).request.data == b"\x01\x00\xff"


@pytest.mark.parametrize(
    "call",
    [
        lambda calls: calls.write_block_data(A, 0, [0] * 33),
        lambda calls: calls.write_i2c_block_data(A, 0, bytes(33)),
        lambda calls: calls.block_process_call(A, 0, bytes(33)),
        lambda calls: calls.read_i2c_block_data(A, 0, 33),
    ],
)
def test_block_that_is_too_long_is_a_value_error(call):
    with pytest.raises(ValueError, match="at most 32 bytes, not 33"):
        call(Noting())


@pytest.mark.parametrize("address", [-1, 0x80, 1 << 40])
def test_what_is_no_address_is_an_os_error(address):
    with pytest.raises(OSError) as caught:
        Noting().read_byte(address)
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("value", ["1", 1.5, None])
def test_what_is_no_number_is_a_type_error(value):
    for call in (lambda: Noting().read_byte(value), lambda: Noting().write_byte(A, value)):
        with pytest.raises(TypeError):
            call()


def test_flags_of_a_message_that_are_not_known_are_refused():
    message = i2c_msg.read(A, 1)
    message.flags |= 0x0400
    with pytest.raises(OSError) as caught:
        Noting().i2c_rdwr(i2c_msg.write(A, b""), message)
    assert (caught.value.errno, caught.value.index) == (errno.EOPNOTSUPP, 1)


def test_messages_of_smbus2_are_taken_too():
    reading = smbus2.i2c_msg.read(A, 2)
    call = Noting().i2c_rdwr(smbus2.i2c_msg.write(A, [5]), reading)
    assert [one.data for one in call.request.messages] == [b"\x05", b""]


def test_only_reads_of_a_register_are_made_twice():
    calls, message = Noting(), i2c_msg.read(A, 1)
    made = [
        calls.write_quick(A), calls.read_byte(A), calls.write_byte(A, 1), calls.read_byte_data(A, 1),
        calls.write_byte_data(A, 1, 1), calls.read_word_data(A, 1), calls.write_word_data(A, 1, 1),
        calls.process_call(A, 1, 1), calls.read_block_data(A, 1), calls.write_block_data(A, 1, b"a"),
        calls.block_process_call(A, 1, b"a"), calls.read_i2c_block_data(A, 1, 1),
        calls.write_i2c_block_data(A, 1, b"a"), calls.i2c_rdwr(message),
    ]  # fmt: skip
    assert {call.name for call in made if call.repeatable} == {
        "ReadByteData", "ReadWordData", "ReadBlockData", "ReadI2CBlockData"
    }  # fmt: skip
