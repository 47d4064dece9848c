"""Methods of the services, from their descriptors."""

import pytest

from remote_i2c.rpc.methods import ORIGINAL, SMBUS, handlers, methods
from remote_i2c.rpc.smbus_pb2 import Reply, Request


def test_methods_have_the_names_of_the_files():
    assert methods(SMBUS)["ReadByte"].path == "/pb_link.smbus.v1.SMBus/ReadByte"
    assert methods(SMBUS)["ReadByte"].request is Request and methods(SMBUS)["ReadByte"].reply is Reply
    assert methods(ORIGINAL)["read_byte"].path == "/SmbusRcp/read_byte"


def test_original_messages_have_their_bytes():
    """Field numbers of smbus-proxy: a call that one of its clients has sent, and what it makes of an answer."""
    rows = methods(ORIGINAL)
    call = rows["read_i2c_block_data"].request.FromString(bytes.fromhex("081010 0a".replace(" ", "")) + b"\x18\x04")
    assert (call.i2c_addr, call.register, call.length) == (0x10, 0x0A, 4)
    write = rows["write_i2c_block_data"].request.FromString(b"\x08\x10\x10\x0a\x1a\x02ab")
    assert (write.i2c_addr, write.register, write.data) == (0x10, 0x0A, b"ab")
    assert rows["read_i2c_block_data"].reply(data=b"ab", length=2).SerializeToString() == b"\x12\x02ab\x18\x02"
    assert rows["read_byte"].reply(data=7).SerializeToString() == b"\x10\x07"
    assert rows["write_byte"].reply(code=1, exception="x").SerializeToString() == b"\x08\x01\x12\x01x"


def test_method_without_an_implementation_is_noticed():
    with pytest.raises(KeyError):
        handlers(SMBUS, {"Open": print})
