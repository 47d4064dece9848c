"""A bus in RAM for tests: devices that remember what was written and answer what they are told to."""

import asyncio

from remote_i2c.bus import SMBUS_BY_MESSAGES, SMBUS_COUNTED, SMBUS_QUICK, Bus
from remote_i2c.errors import no_answer


class FakeBus(Bus):
    """devices: {address: bytearray of registers}. The first byte of a write is the register; reads go on from it.

    log: what reached the bus, [("begin" | "end", transfer)]; gate: an asyncio.Event without which no transfer ends;
    a counted read answers the register's byte as the count."""

    name = "fake"
    functions = SMBUS_BY_MESSAGES | SMBUS_QUICK | SMBUS_COUNTED

    def __init__(self, devices):
        self.devices = devices
        self.pointers = dict.fromkeys(devices, 0)
        self.log = []
        self.gate = None

    async def transfer(self, transfer, timeout_ms=1000):
        self.log.append(("begin", transfer))
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
            answers = []
            for index, message in enumerate(transfer):
                if message.address not in self.devices:
                    raise no_answer(message.address, index)
                if message.reads:
                    answers.append(self._read(message))
                elif message.data:
                    at = self.pointers[message.address] = message.data[0]
                    self.devices[message.address][at : at + len(message.data) - 1] = message.data[1:]
            return answers
        finally:
            self.log.append(("end", transfer))

    async def quick(self, address, read, timeout_ms=1000):
        if address not in self.devices:
            raise no_answer(address)

    def _read(self, message):
        registers, at = self.devices[message.address], self.pointers[message.address]
        size = 1 + registers[at] + message.size if message.counted else message.size
        return bytes(registers[at : at + size])
