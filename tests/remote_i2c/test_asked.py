"""A bus that is asked for by JSON."""

import asyncio
import json
from errno import EACCES, ENODEV, ENXIO, ETIMEDOUT

import pytest

from remote_i2c.asked import AskedBus, answer_to
from remote_i2c.bus import SMBUS_COUNTED, SMBUS_QUICK
from remote_i2c.errors import BUS, CALLER, LOCK, BusError
from remote_i2c.messages import read, read_counted, write
from remote_i2c.shared import SharedBus
from server.service.admin import MAX_REQUEST
from tests.patience import PATIENCE_S
from tests.remote_i2c.fake_bus import FakeBus

A = 0x48


class Buses(dict):
    """{name: SharedBus}, as a server has them."""

    def find(self, name):
        if name not in self:
            raise BusError(ENODEV, f"the server has no bus {name}", place=CALLER)
        return self[name]

    async def ask(self, request):
        """As the server answers a command, through JSON."""
        self.requests.append(json.dumps(request))
        return json.loads(json.dumps(await answer_to(self.find, json.loads(self.requests[-1]))))


def run(scenario, **limits):
    """Run scenario(buses) with a bus "1". Returns what it returns."""

    async def main():
        buses = Buses({"1": SharedBus(FakeBus({A: bytearray(range(256))}), {A, 0x50}, **limits)})
        buses.requests = []
        async with asyncio.timeout(PATIENCE_S):
            return await scenario(buses)

    return asyncio.run(main())


async def opened(buses):
    bus = AskedBus("1", buses.ask)
    await bus.open()
    return bus


def test_a_bus_is_used_through_its_questions():
    async def scenario(buses):
        bus = await opened(buses)
        assert bus.functions & SMBUS_QUICK and bus.functions & SMBUS_COUNTED
        transfer = [write(A, b"\x05"), read(A, 2), write(A, b"\x03"), read_counted(A)]
        return await bus.transfer(transfer), await bus.probe(A), await bus.probe(0x50)

    assert run(scenario) == ([b"\x05\x06", b"\x03\x04\x05\x06"], True, False)


def test_a_batch_is_as_few_questions_as_it_fits_into():
    async def scenario(buses):
        bus = await opened(buses)
        one = [write(A, b"\x05"), read(A, 2)]
        assert await bus.batch([one] * 30) == [[b"\x05\x06"]] * 30
        assert len(buses.requests) == 2  # one opens the bus
        long = [write(A, bytes(200))]
        assert await bus.batch([long] * 200) == [[]] * 200
        return [len(request) for request in buses.requests[2:]]

    sizes = run(scenario)
    assert 1 < len(sizes) < 6 and max(sizes) < MAX_REQUEST


def test_errors_come_through_whole():
    async def scenario(buses):
        bus = await opened(buses)
        found = []
        for transfer in ([write(A, b""), read(0x50, 1)], [read(0x51, 1)]):
            with pytest.raises(BusError) as raised:
                await bus.transfer(transfer)
            found.append(raised.value)
        return found

    absent, refused = run(scenario)
    assert (absent.errno, absent.place, absent.bus, absent.address, absent.index) == (ENXIO, BUS, "fake", 0x50, 1)
    assert (refused.errno, refused.place) == (EACCES, CALLER)


def test_an_error_of_a_batch_says_what_was_done():
    async def scenario(buses):
        bus = await opened(buses)
        transfers = [[write(A, b"\x05" * 200), read(A, 2)]] * 100 + [[read(0x50, 1)]]
        with pytest.raises(BusError) as raised:
            await bus.batch(transfers)
        return raised.value

    error = run(scenario)
    assert error.errno == ENXIO and len(error.done) == 100 and len(error.done[0][0]) == 2


def test_the_time_of_a_question_has_the_wait_for_the_bus_in_it():
    async def scenario(buses):
        bus = await opened(buses)
        async with buses["1"].hold():
            with pytest.raises(BusError) as raised:
                await bus.transfer([read(A, 1)], 10)
        assert buses["1"]._bus.log == []  # it is not done later
        return raised.value

    error = run(scenario, wait_ms=1000 * PATIENCE_S)
    assert (error.errno, error.place) == (ETIMEDOUT, LOCK)


def test_a_bus_that_the_server_has_not_is_told():
    async def scenario(buses):
        with pytest.raises(BusError) as raised:
            await AskedBus("2", buses.ask).open()
        return raised.value

    error = run(scenario)
    assert error.errno == ENODEV and "no bus 2" in str(error)


@pytest.mark.parametrize(
    "request_",
    [
        {}, {"bus": "1", "timeout_ms": 1}, {"bus": "1"}, {"bus": "1", "timeout_ms": 0, "transfer": []},
        {"bus": "1", "timeout_ms": "1", "transfer": []}, {"bus": "1", "timeout_ms": 10, "transfer": []},
        {"bus": "1", "timeout_ms": 10, "transfer": [[0x48]]}, {"bus": "1", "timeout_ms": 10, "transfer": [[72, None]]},
        {"bus": "1", "timeout_ms": 10, "transfer": [[0x48, "0"]]}, {"bus": "1", "timeout_ms": 10, "transfer": 5},
        {"bus": "1", "timeout_ms": 10, "transfer": [["0x48", 1]]}, {"bus": "1", "timeout_ms": 10, "quick": [1]},
        {"bus": "1", "timeout_ms": 10, "transfer": [[0x48, 10**9]]}, {"bus": "1", "timeout_ms": 10},
        {"bus": "1", "timeout_ms": 10, "batch": []}, {"bus": "1", "timeout_ms": 10, "batch": 5},
        {"bus": "1", "timeout_ms": 10, "batch": [[]]}, {"bus": "1", "timeout_ms": 10, "batch": [[[0x48, 1]], [5]]},
    ],
)  # fmt: skip
def test_what_is_no_question_is_an_error_of_its_asker(request_):
    async def scenario(buses):
        with pytest.raises((ValueError, TypeError, KeyError)):
            await answer_to(buses.find, request_)
        assert buses["1"]._bus.log == []

    run(scenario)
