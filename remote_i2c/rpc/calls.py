"""The calls of both services, as they are done on a bus."""

from typing import Callable, NamedTuple

from remote_i2c import bus as functions
from remote_i2c import smbus
from remote_i2c.errors import unsupported
from remote_i2c.messages import read, write
from remote_i2c.rpc.smbus_pb2 import Reply, TransferReply


class Kind(NamedTuple):
    """A call of SMBus. needs: bits of bus.py; make: returns the smbus.Call of a Request; reply: the Reply of its
    result; quick: None, or for a quick command whether it reads."""

    name: str  # as smbus2 has it: for the log
    needs: int
    make: Callable | None
    reply: Callable
    quick: bool | None = None


def _done(result):
    return Reply()


def _value(result):
    return Reply(value=result)


def _data(result):
    return Reply(data=result)


_PEC = functions.SMBUS_PEC

KINDS = {
    "WriteQuick": Kind("write_quick", functions.SMBUS_QUICK, None, _done, False),
    "ReadQuick": Kind("read_quick", functions.SMBUS_QUICK, None, _done, True),
    "ReadByte": Kind(
        "read_byte", functions.SMBUS_READ_BYTE, lambda r: smbus.read_byte(r.address, pec=r.pec), _value
    ),
    "WriteByte": Kind(
        "write_byte", functions.SMBUS_WRITE_BYTE, lambda r: smbus.write_byte(r.address, r.value, pec=r.pec), _done
    ),
    "ReadByteData": Kind(
        "read_byte_data", functions.SMBUS_READ_BYTE_DATA,
        lambda r: smbus.read_byte_data(r.address, r.register, pec=r.pec), _value,
    ),
    "WriteByteData": Kind(
        "write_byte_data", functions.SMBUS_WRITE_BYTE_DATA,
        lambda r: smbus.write_byte_data(r.address, r.register, r.value, pec=r.pec), _done,
    ),
    "ReadWordData": Kind(
        "read_word_data", functions.SMBUS_READ_WORD_DATA,
        lambda r: smbus.read_word_data(r.address, r.register, pec=r.pec), _value,
    ),
    "WriteWordData": Kind(
        "write_word_data", functions.SMBUS_WRITE_WORD_DATA,
        lambda r: smbus.write_word_data(r.address, r.register, r.value, pec=r.pec), _done,
    ),
    "ProcessCall": Kind(
        "process_call", functions.SMBUS_PROC_CALL,
        lambda r: smbus.process_call(r.address, r.register, r.value, pec=r.pec), _value,
    ),
    "ReadBlockData": Kind(
        "read_block_data", functions.SMBUS_READ_BLOCK_DATA,
        lambda r: smbus.read_block_data(r.address, r.register, pec=r.pec), _data,
    ),
    "WriteBlockData": Kind(
        "write_block_data", functions.SMBUS_WRITE_BLOCK_DATA,
        lambda r: smbus.write_block_data(r.address, r.register, r.data, pec=r.pec), _done,
    ),
    "BlockProcessCall": Kind(
        "block_process_call", functions.SMBUS_BLOCK_PROC_CALL,
        lambda r: smbus.block_process_call(r.address, r.register, r.data, pec=r.pec), _data,
    ),
    "ReadI2CBlockData": Kind(
        "read_i2c_block_data", functions.SMBUS_READ_I2C_BLOCK,
        lambda r: smbus.read_i2c_block_data(r.address, r.register, r.length), _data,
    ),
    "WriteI2CBlockData": Kind(
        "write_i2c_block_data", functions.SMBUS_WRITE_I2C_BLOCK,
        lambda r: smbus.write_i2c_block_data(r.address, r.register, r.data), _done,
    ),
}  # fmt: skip


async def do(bus, kind, request):
    """Do a call of SMBus on a SharedBus or a Held. Returns the Reply. Raises: BusError, ValueError, TypeError."""
    needs = kind.needs | (_PEC if request.pec else 0)
    if needs & ~bus.functions:
        what = "a PEC" if needs & ~bus.functions == _PEC else kind.name
        raise unsupported(f"the bus cannot do {what}", request.address)
    if kind.quick is not None:
        await bus.quick(request.address, kind.quick)
        return Reply()
    call = kind.make(request)
    return kind.reply(call.result(await bus.transfer(call.messages)))


async def do_transfer(bus, request):
    """Do a TransferRequest. Returns the TransferReply. Raises: as do."""
    return TransferReply(answers=await bus.transfer([_message(message) for message in request.messages]))


def answer_bytes(request):
    """Returns how many bytes the answers to a TransferRequest have, at most."""
    return sum(message.length for message in request.messages if message.read)


def _message(message):
    return read(message.address, message.length) if message.read else write(message.address, message.data)
