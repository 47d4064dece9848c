"""The interface of a bus. Providers extend it: linux.py, client.py, and the simulator's."""

from errno import EIO, ENXIO

from remote_i2c import messages
from remote_i2c.errors import BUS, BusError, unsupported

# What a bus can do: a set of bits with the kernel's names and values.
# Source: the kernel's include/uapi/linux/i2c.h, I2C_FUNC_*.
I2C = 0x00000001
TEN_BIT = 0x00000002
PROTOCOL_MANGLING = 0x00000004
SMBUS_PEC = 0x00000008
SMBUS_BLOCK_PROC_CALL = 0x00008000
SMBUS_QUICK = 0x00010000
SMBUS_READ_BYTE = 0x00020000
SMBUS_WRITE_BYTE = 0x00040000
SMBUS_READ_BYTE_DATA = 0x00080000
SMBUS_WRITE_BYTE_DATA = 0x00100000
SMBUS_READ_WORD_DATA = 0x00200000
SMBUS_WRITE_WORD_DATA = 0x00400000
SMBUS_PROC_CALL = 0x00800000
SMBUS_READ_BLOCK_DATA = 0x01000000
SMBUS_WRITE_BLOCK_DATA = 0x02000000
SMBUS_READ_I2C_BLOCK = 0x04000000
SMBUS_WRITE_I2C_BLOCK = 0x08000000

# What any bus can do that transfers messages and can make a PEC; without QUICK and the counted reads.
SMBUS_BY_MESSAGES = (
    I2C | SMBUS_PEC | SMBUS_READ_BYTE | SMBUS_WRITE_BYTE | SMBUS_READ_BYTE_DATA | SMBUS_WRITE_BYTE_DATA
    | SMBUS_READ_WORD_DATA | SMBUS_WRITE_WORD_DATA | SMBUS_PROC_CALL | SMBUS_WRITE_BLOCK_DATA | SMBUS_READ_I2C_BLOCK
    | SMBUS_WRITE_I2C_BLOCK
)  # fmt: skip
# What needs a read whose length the target tells.
SMBUS_COUNTED = SMBUS_READ_BLOCK_DATA | SMBUS_BLOCK_PROC_CALL

# How long one transfer may take, unless its caller says another time.
TRANSFER_MS = 1000


class Bus:
    """A bus. All calls raise BusError, whose errors.py has the table, and ValueError for what is no transfer.

    name: str, as people call it; functions: bits above, known once `open` has returned; max_bytes: of a whole transfer,
    both ways. A call that has raised, or was cancelled, has ended on the bus, or the next call waits until it has.
    A provider need not order its callers: shared.py does.
    """

    name = "?"
    functions = 0
    max_bytes = messages.MAX_BYTES

    async def open(self):
        """Make the bus usable. Raises: BusError: it is not there, or may not be used."""

    async def close(self):
        """The bus is not to be used any longer."""

    async def transfer(self, transfer, timeout_ms=TRANSFER_MS):
        """Do messages as one transfer, joined by repeated starts. Returns the bytes of each that reads, in their order.

        Args: transfer: list of messages.Message."""
        raise NotImplementedError

    async def batch(self, transfers, timeout_ms=TRANSFER_MS):
        """Do several transfers, one after the other, until one fails. Returns a list of what `transfer` returns.

        Where a call costs a round trip, they share it. timeout_ms: of each of them. An error has in `done` what the
        transfers before it have returned."""
        done = []
        for transfer in transfers:
            try:
                done.append(await self.transfer(transfer, timeout_ms))
            except BusError as error:
                error.done = done
                raise
        return done

    async def quick(self, address, read, timeout_ms=TRANSFER_MS):
        """Send the address alone, with the read bit or without: SMBus quick command."""
        raise NotImplementedError

    async def probe(self, address, timeout_ms=TRANSFER_MS):
        """Returns whether a target acknowledges the address. It may be asked by a read of one byte if the bus cannot
        do better."""
        try:
            if self.functions & SMBUS_QUICK:
                await self.quick(address, False, timeout_ms)
            else:
                await self.transfer([messages.read(address, 1)], timeout_ms)
        except BusError as error:
            if error.errno in (ENXIO, EIO) and error.place == BUS:
                return False
            raise
        return True

    def check(self, transfer):
        """Raises: ValueError, BusError(EOPNOTSUPP): this bus can never do the transfer."""
        messages.check(transfer)
        if any(message.counted for message in transfer) and not self.functions & SMBUS_READ_BLOCK_DATA:
            raise unsupported(f"bus {self.name} cannot read what the target counts")
        size = sum(message.most for message in transfer)
        if size > self.max_bytes:
            raise ValueError(f"the transfer has {size} bytes; bus {self.name} takes at most {self.max_bytes}")
