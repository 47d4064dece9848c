"""A bus at the other end of SMBus over gRPC, as a Bus, and with the i2c-tools."""

import asyncio
from errno import EACCES, ENXIO, EOPNOTSUPP

import pytest

from remote_i2c.addresses import parse_addresses
from remote_i2c.errors import BusError
from remote_i2c.messages import read, read_counted, write
from remote_i2c.smbus import pec_of, read_block_data
from remote_i2c.smbus_client.bus import GrpcBus
from server.service import cli
from tests.patience import PATIENCE_S
from tests.remote_i2c.doors import A, open_door
from tests.remote_i2c.fake_bus import FakeBus


def run(scenario, **settings):
    """Run scenario(bus) with an open GrpcBus. Returns what it returns."""

    async def main(url):
        bus = GrpcBus(url)
        await bus.open()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await scenario(bus)
        finally:
            await bus.close()

    with open_door(**settings) as door:
        return asyncio.run(main(door.url))


async def failing(call):
    """Returns the BusError of a call."""
    with pytest.raises(BusError) as caught:
        await call
    return caught.value


def test_it_is_a_bus():
    async def scenario(bus):
        return (
            await bus.transfer([write(A, b"\x05"), read(A, 2), write(A, b"\x10"), read(A, 1)]),
            await bus.transfer([write(A, b"\x03"), read_counted(A)]),
            await bus.probe(A),
            await bus.probe(A + 1),
        )

    assert run(scenario) == ([b"\x05\x06", b"\x10"], [b"\x03\x04\x05\x06"], True, False)


def test_a_block_with_a_pec_is_checked_here_too():
    async def scenario(bus):
        call = read_block_data(A, 3, pec=True)
        return call.result(await bus.transfer(call.messages))

    bus = FakeBus({A: bytearray(range(256))})
    bus.devices[A][7] = pec_of(bytes((A << 1, 3, A << 1 | 1, 3, 4, 5, 6)))
    assert run(scenario, bus=bus) == b"\x04\x05\x06"


def test_errors_come_through():
    async def scenario(bus):
        return [
            await failing(bus.transfer([read(A + 1, 1)])),
            await failing(bus.transfer([read(0x50, 1)])),
            await failing(bus.quick(A, True)),
            await failing(bus.transfer([read_counted(A)])),
        ]

    found = run(scenario, addresses=parse_addresses("0x48-0x49"))
    assert [error.errno for error in found] == [ENXIO, EACCES, EOPNOTSUPP, EOPNOTSUPP]


def test_the_i2c_tools_use_it(capsys):
    with open_door(addresses=parse_addresses("0x48-0x49")) as door:
        assert cli.main(["i2c", "get", "-y", door.url, "0x48", "5", "w"]) == 0
        assert capsys.readouterr().out == "0x0605\n"
        assert cli.main(["i2c", "get", "-y", door.url, "0x49", "5"]) == 2
        assert cli.main(["i2c", "get", "-y", door.url, "0x48", "3", "s"]) == 0
        assert capsys.readouterr().out == "0x04 0x05 0x06\n"
        assert cli.main(["i2c", "detect", "-y", door.url, "0x48", "0x4f"]) == 0
        assert "\n40:                         48 --                   \n" in capsys.readouterr().out
