"""Buses of the same text are one bus."""

import asyncio

import pytest

from remote_i2c.errors import BusError
from remote_i2c.messages import read, write
from remote_i2c.sharing import Sharing
from tests.patience import PATIENCE_S
from tests.remote_i2c.fake_bus import FakeBus

A, B = 0x48, 0x49


def sharing():
    """Returns (Sharing, the list of the buses that it makes)."""
    made = []

    def make(spec, name):
        made.append(FakeBus({A: bytearray(range(256)), B: bytearray(256)}))
        return made[-1]

    return Sharing(make), made


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("/dev/i2c-1", "/dev/i2c-1", True), ("/dev/i2c-1", "/dev/i2c-01", True), ("/dev/i2c-1", "/dev/i2c-11", False),
        ("client:pump:0", "client:pump:00", True), ("client:pump:0", "client:pump:1", False),
        ("client:a:b:0", "client:a:b:0", True), ("sim:a", "sim:a", True), ("sim:a", "sim:a#b", False),
    ],
)  # fmt: skip
def test_what_is_the_same_bus(first, second, same):
    buses, made = sharing()
    one, other = buses.bus(first, "one", {A}), buses.bus(second, "other", {B})
    assert (one.turns is other.turns) is same and len(made) == (1 if same else 2)
    assert buses.first(second) is (one if same else other)


def test_two_names_of_a_bus_have_one_order_and_their_own_addresses():
    async def main():
        buses, _ = sharing()
        one, other = buses.bus("/dev/i2c-1", "one", {A}), buses.bus("/dev/i2c-1", "other", {B})
        bus = one._bus
        bus.gate = asyncio.Event()
        async with asyncio.timeout(PATIENCE_S):
            first = asyncio.create_task(one.transfer([read(A, 1)]))
            while not bus.log:
                await asyncio.sleep(0)
            second = asyncio.create_task(other.transfer([read(B, 1)]))
            for _ in range(20):
                await asyncio.sleep(0)
            assert len(bus.log) == 1  # the second waits
            bus.gate.set()
            await asyncio.gather(first, second)
            with pytest.raises(BusError) as caught:
                await other.transfer([write(A, b"")])
        return bus.log, caught.value

    log, error = asyncio.run(main())
    assert [(step, transfer[0].address) for step, transfer in log] == [
        ("begin", A), ("end", A), ("begin", B), ("end", B)
    ]  # fmt: skip
    assert error.bus == "other"  # as the caller knows it


def test_a_text_that_names_no_bus_is_refused():
    with pytest.raises(ValueError, match="names no bus"):
        sharing()[0].bus("horse", "1", {A})
