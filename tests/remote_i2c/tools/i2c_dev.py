"""The bus on which recorded.txt was recorded: devices of 256 registers, as a fake /dev/i2c-1 had them."""

from errno import EBUSY

from remote_i2c.bus import Bus
from remote_i2c.errors import CALLER, BusError, no_answer

# What the kernel said that its adapter can.
FUNCTIONS = 0x0FFF8009
DRIVEN = 0x68  # a driver of the kernel has it
BROKEN = (0x48, 0x13)  # a register that cannot be read as a byte
STUBBORN = 0xEE  # written into a register, it is STORED
STORED = 0x11


class RecordedBus(Bus):
    """functions: bits of bus.py; registers: {address: bytearray}."""

    name = "1"

    def __init__(self, functions=FUNCTIONS):
        self.functions = functions
        self.registers = {
            0x03: bytearray(256), 0x18: bytearray(range(256)), 0x20: bytearray(256), 0x50: bytearray([255] * 256),
            0x48: bytearray(number * 7 + 3 & 255 for number in range(256)),
        }  # fmt: skip
        self.registers[0x48][0x20:0x30] = b"Hello, i2c ~\x7f\x00\xff!"
        self._pointers = dict.fromkeys(self.registers, 0)

    async def transfer(self, transfer, timeout_ms=1000):
        self.check(transfer)
        answers = []
        for index, message in enumerate(transfer):
            registers = self._registers(message.address, index)
            at = self._pointers[message.address]
            if not message.reads:
                self._write(message.address, registers, message.data)
                continue
            if (message.address, at) == BROKEN and message.size == 1 and index:
                raise no_answer(message.address, index)
            size = 1 + registers[at] + message.size if message.counted else message.size
            answers.append(bytes(registers[(at + offset) & 255] for offset in range(size)))
            self._pointers[message.address] = at + size & 255
        return answers

    async def quick(self, address, read, timeout_ms=1000):
        self._registers(address, 0)

    def _registers(self, address, index):
        if address == DRIVEN:
            raise BusError(EBUSY, "a driver of the kernel has this device", place=CALLER, address=address)
        if address not in self.registers:
            raise no_answer(address, index)
        return self.registers[address]

    def _write(self, address, registers, data):
        if data:
            self._pointers[address] = at = data[0]
            for offset, value in enumerate(data[1:]):
                registers[(at + offset) & 255] = STORED if value == STUBBORN else value
