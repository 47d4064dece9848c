"""The calls of both services, as they are done on a bus."""

from itertools import takewhile
from typing import Callable, NamedTuple

from remote_i2c import bus as functions
from remote_i2c import smbus
from remote_i2c.errors import BusError, unsupported
from remote_i2c.messages import read, write
from remote_i2c.rpc.smbus_pb2 import Reply, TransferReply

# Of a batch: it is ended earlier, by the time for which one caller may have the bus.
BATCH_MS = 60_000


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


class Planned(NamedTuple):
    """What a call does on the bus. messages: of one transfer, or None: a quick command, which reads or does not;
    reply: returns the message of the answer, of what the transfer has returned."""

    messages: list | None
    reply: Callable
    address: int = 0
    reads: bool = False


def planned(available, kind, request):
    """Returns what a Request does. available: bits of bus.py. Raises: BusError(EOPNOTSUPP), ValueError, TypeError."""
    lacking = (kind.needs | (_PEC if request.pec else 0)) & ~available
    if lacking and available:  # 0: it is not open yet, and says so itself
        raise unsupported(f"the bus cannot do {'a PEC' if lacking == _PEC else kind.name}", request.address)
    if kind.quick is not None:
        return Planned(None, _done, request.address, kind.quick)
    call = kind.make(request)
    return Planned(call.messages, lambda answers: kind.reply(call.result(answers)))


def planned_transfer(request):
    """Returns what a TransferRequest does."""
    return Planned([_message(message) for message in request.messages], lambda answers: TransferReply(answers=answers))


async def do(bus, plan):
    """Do it on a SharedBus or a Held. Returns its reply. Raises: BusError, ValueError."""
    if plan.messages is None:
        await bus.quick(plan.address, plan.reads)
        return plan.reply(None)
    return plan.reply(await bus.transfer(plan.messages))


async def do_all(held, plans):
    """Do several, in their order, on a Held. Returns their replies. Transfers that follow each other are one batch of
    the bus: to a board beyond the link they share a round trip. An error has the number of its plan as `step`."""
    replies = []
    while len(replies) < len(plans):
        run = list(takewhile(lambda plan: plan.messages is not None, plans[len(replies) :]))
        try:
            if not run:
                replies.append(await do(held, plans[len(replies)]))
                continue
            for plan, answers in zip(run, await held.batch([plan.messages for plan in run], BATCH_MS)):
                replies.append(plan.reply(answers))
        except BusError as error:
            error.step = len(replies) + len(error.done)
            raise
    return replies


def answer_bytes(request):
    """Returns how many bytes the answers to a TransferRequest have, at most."""
    return sum(message.length for message in request.messages if message.read)


def _message(message):
    return read(message.address, message.length) if message.read else write(message.address, message.data)
