"""The calls of smbus2's SMBus, with its signatures. What a call is comes from here, how it is made from `_do`.

As with smbus2 a value, a register and bytes of a block have their lower bits sent, and what cannot be one is an
OSError with EINVAL, but a block that is too long is a ValueError. `force` is accepted and changes nothing: whether a
driver of the kernel has the device is known where the bus is.
"""

from errno import EINVAL, EOPNOTSUPP
from operator import index
from typing import Callable, NamedTuple

from remote_i2c.errors import CALLER, BusError
from remote_i2c.messages import HIGHEST_ADDRESS, LOWEST_ADDRESS, MAX_BLOCK
from remote_i2c.rpc.smbus_pb2 import Message, Request, Step, TransferRequest
from remote_i2c.smbus_client.messages import I2C_M_RD, put


class Call(NamedTuple):
    """One call. name: of the method in smbus.proto; request: its message, without a session; result: function of the
    reply; repeatable: doing it twice does what doing it once does."""

    name: str
    request: object
    result: Callable
    repeatable: bool

    def step(self):
        """Returns it as a step of a batch."""
        kind = "transfer" if self.name == "Transfer" else "request"
        return Step(call=self.name, **{kind: self.request})

    def step_result(self, reply):
        """Returns its result of a StepReply."""
        return self.result(reply.transfer if self.name == "Transfer" else reply.reply)


class Calls:
    """The calls. Extended by what makes them: `_do(call)` returns the result, or what gives it; `_pec`: 0 or 1."""

    _pec = 0

    def _do(self, call):
        raise NotImplementedError

    def write_quick(self, i2c_addr, force=None):
        """The address alone. It is how a device is looked for."""
        return self._do(Call("WriteQuick", Request(address=_address(i2c_addr)), _nothing, False))

    def read_byte(self, i2c_addr, force=None):
        """An int."""
        return self._do(Call("ReadByte", self._request(i2c_addr), _value, False))

    def write_byte(self, i2c_addr, value, force=None):
        """Write one byte without a register."""
        return self._do(Call("WriteByte", self._request(i2c_addr, value=_byte(value)), _nothing, False))

    def read_byte_data(self, i2c_addr, register, force=None):
        """An int: the byte of a register."""
        return self._do(Call("ReadByteData", self._request(i2c_addr, register), _value, True))

    def write_byte_data(self, i2c_addr, register, value, force=None):
        """Write the byte of a register."""
        return self._do(Call("WriteByteData", self._request(i2c_addr, register, value=_byte(value)), _nothing, False))

    def read_word_data(self, i2c_addr, register, force=None):
        """An int: the word of a register, its low byte first on the wire."""
        return self._do(Call("ReadWordData", self._request(i2c_addr, register), _value, True))

    def write_word_data(self, i2c_addr, register, value, force=None):
        """Write the word of a register."""
        return self._do(Call("WriteWordData", self._request(i2c_addr, register, value=_word(value)), _nothing, False))

    def process_call(self, i2c_addr, register, value, force=None):
        """An int: the word that the device answers to a word."""
        return self._do(Call("ProcessCall", self._request(i2c_addr, register, value=_word(value)), _value, False))

    def read_block_data(self, i2c_addr, register, force=None):
        """A list of ints: the device says how many."""
        return self._do(Call("ReadBlockData", self._request(i2c_addr, register), _list, True))

    def write_block_data(self, i2c_addr, register, data, force=None):
        """Write up to 32 bytes with their count in front."""
        return self._do(Call("WriteBlockData", self._request(i2c_addr, register, data=_block(data)), _nothing, False))

    def block_process_call(self, i2c_addr, register, data, force=None):
        """A list of ints: the block that the device answers to a block."""
        return self._do(Call("BlockProcessCall", self._request(i2c_addr, register, data=_block(data)), _list, False))

    def read_i2c_block_data(self, i2c_addr, register, length, force=None):
        """A list of ints: so many of them, up to 32."""
        if length > MAX_BLOCK:
            raise ValueError(f"a block has at most {MAX_BLOCK} bytes, not {length}")
        request = self._request(i2c_addr, register, length=_not_negative(length, "length"))
        return self._do(Call("ReadI2CBlockData", request, _list, True))

    def write_i2c_block_data(self, i2c_addr, register, data, force=None):
        """Write up to 32 bytes."""
        return self._do(
            Call("WriteI2CBlockData", self._request(i2c_addr, register, data=_block(data)), _nothing, False)
        )  # fmt: skip

    def i2c_rdwr(self, *i2c_msgs):
        """Do messages as one transfer, joined by repeated starts. What is read is in the messages afterwards."""
        request = TransferRequest(messages=[_message(number, one) for number, one in enumerate(i2c_msgs)])
        reading = [one for one in i2c_msgs if one.flags & I2C_M_RD]

        def result(reply):
            for one, answer in zip(reading, reply.answers):
                put(one, answer[: one.len])

        return self._do(Call("Transfer", request, result, False))

    def _request(self, address, register=0, **fields):
        return Request(address=_address(address), register=_byte(register), pec=bool(self._pec), **fields)


def _message(number, message):
    if message.flags & ~I2C_M_RD:
        text = f"message {number} has flags {message.flags:#x}: only I2C_M_RD is possible"
        raise BusError(EOPNOTSUPP, text, place=CALLER, address=message.addr, index=number)
    if message.flags & I2C_M_RD:
        return Message(address=message.addr, read=True, length=message.len)
    return Message(address=message.addr, data=bytes(message))


def _address(address):
    if not LOWEST_ADDRESS <= index(address) <= HIGHEST_ADDRESS:
        raise BusError(EINVAL, f"the address {address:#x} is not one of 7 bits", place=CALLER)
    return address


def _byte(value):
    return index(value) & 0xFF


def _word(value):
    return index(value) & 0xFFFF


def _not_negative(value, what):
    if index(value) < 0:
        raise BusError(EINVAL, f"{what} {value} is negative", place=CALLER)
    return value


def _block(data):
    if len(data) > MAX_BLOCK:
        raise ValueError(f"a block has at most {MAX_BLOCK} bytes, not {len(data)}")
    return bytes([_byte(value) for value in data])


def _nothing(reply):
    return None


def _value(reply):
    return reply.value


def _list(reply):
    return list(reply.data)
