"""A bus that is asked for by JSON."""

import asyncio
import json
from errno import EACCES, ENODEV, ENXIO

import pytest

from remote_i2c.asked import AskedBus, answer_to
from remote_i2c.bus import SMBUS_COUNTED, SMBUS_QUICK
from remote_i2c.errors import BUS, CALLER, BusError
from remote_i2c.messages import read, read_counted, write
from remote_i2c.shared import SharedBus
from tests.remote_i2c.fake_bus import FakeBus

A = 0x48


def run(scenario):
    """Run scenario(bus) with an open AskedBus "1". Returns what it returns."""

    async def main():
        buses = {"1": SharedBus(FakeBus({A: bytearray(range(256))}), {A, 0x50})}
        return await scenario(buses)

    return asyncio.run(main())


class Asked(AskedBus):
    """Asks without a socket: both ends are in one loop."""

    def __init__(self, buses, name="1"):
        super().__init__(name, None)
        self._buses = buses

    async def call(self, do):
        """Run do() of this bus, whose questions are answered in this loop."""
        loop = asyncio.get_running_loop()

        def ask(request):
            asked = json.loads(json.dumps(request))
            future = asyncio.run_coroutine_threadsafe(answer_to(self._buses, asked), loop)
            return json.loads(json.dumps(future.result()))

        self._ask = ask
        return await asyncio.to_thread(lambda: asyncio.run(do()))


def test_a_bus_is_used_through_its_questions():
    async def scenario(buses):
        bus = Asked(buses)
        await bus.call(bus.open)
        assert bus.functions & SMBUS_QUICK and bus.functions & SMBUS_COUNTED
        transfer = [write(A, b"\x05"), read(A, 2), write(A, b"\x03"), read_counted(A)]
        found = await bus.call(lambda: bus.transfer(transfer))
        return found, await bus.call(lambda: bus.probe(A)), await bus.call(lambda: bus.probe(0x50))

    assert run(scenario) == ([b"\x05\x06", b"\x03\x04\x05\x06"], True, False)


def test_errors_come_through_whole():
    async def scenario(buses):
        bus = Asked(buses)
        await bus.call(bus.open)
        found = []
        for transfer in ([write(A, b""), read(0x50, 1)], [read(0x51, 1)]):
            with pytest.raises(BusError) as raised:
                await bus.call(lambda transfer=transfer: bus.transfer(transfer))
            found.append(raised.value)
        return found

    absent, refused = run(scenario)
    assert (absent.errno, absent.place, absent.bus, absent.address, absent.index) == (ENXIO, BUS, "fake", 0x50, 1)
    assert (refused.errno, refused.place) == (EACCES, CALLER)


def test_a_bus_that_the_server_has_not_is_told():
    async def scenario(buses):
        bus = Asked(buses, "2")
        with pytest.raises(BusError) as raised:
            await bus.call(bus.open)
        return raised.value

    error = run(scenario)
    assert error.errno == ENODEV and "no bus 2: 1" in str(error)


@pytest.mark.parametrize(
    "request_",
    [
        {}, {"bus": "2", "timeout_ms": 1}, {"bus": "1"}, {"bus": "1", "timeout_ms": 0, "transfer": []},
        {"bus": "1", "timeout_ms": "1", "transfer": []}, {"bus": "1", "timeout_ms": 10, "transfer": []},
        {"bus": "1", "timeout_ms": 10, "transfer": [[0x48]]}, {"bus": "1", "timeout_ms": 10, "transfer": [[72, None]]},
        {"bus": "1", "timeout_ms": 10, "transfer": [[0x48, "0"]]}, {"bus": "1", "timeout_ms": 10, "transfer": 5},
        {"bus": "1", "timeout_ms": 10, "transfer": [["0x48", 1]]}, {"bus": "1", "timeout_ms": 10, "quick": [1]},
        {"bus": "1", "timeout_ms": 10, "transfer": [[0x48, 10**9]]}, {"bus": "1", "timeout_ms": 10},
    ],
)  # fmt: skip
def test_what_is_no_question_is_an_error_of_its_asker(request_):
    async def scenario(buses):
        with pytest.raises((ValueError, TypeError, KeyError)):
            await answer_to(buses, request_)

    run(scenario)
