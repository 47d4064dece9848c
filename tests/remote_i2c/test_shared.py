"""A bus for several callers."""

import asyncio
from errno import EACCES, EAGAIN, EIO, ENODEV, ENXIO, ETIMEDOUT

import pytest

from remote_i2c.errors import BUS, CALLER, LINK, LOCK, BusError
from remote_i2c.messages import read, read_counted, write
from remote_i2c.shared import SharedBus
from tests.patience import PATIENCE_S
from tests.remote_i2c.fake_bus import FakeBus

A, B = 0x48, 0x49


def run(scenario, **settings):
    """Run scenario(bus, shared) on a bus with two devices. Returns what it returns."""

    async def main():
        bus = FakeBus({A: bytearray(range(256)), B: bytearray(256)})
        shared = SharedBus(bus, {A, B, 0x50}, **settings)
        async with asyncio.timeout(PATIENCE_S):
            return await scenario(bus, shared)

    return asyncio.run(main())


def test_transfer_gives_what_each_message_has_read():
    async def scenario(bus, shared):
        return await shared.transfer([write(A, b"\x05"), read(A, 2), write(A, b"\x10"), read(A, 1)])

    assert run(scenario) == [b"\x05\x06", b"\x10"]


def test_no_transfer_begins_before_the_one_before_it_has_ended():
    async def scenario(bus, shared):
        await asyncio.gather(*[shared.transfer([write(A, bytes((number,)))]) for number in range(20)])
        return bus.log

    log = run(scenario)
    assert [step for step, _ in log] == ["begin", "end"] * 20
    numbers = [transfer[0].data[0] for step, transfer in log if step == "begin"]
    assert numbers == list(range(20))  # in the order of the calls


def test_who_holds_the_bus_has_it_alone():
    async def scenario(bus, shared):
        async with shared.hold() as held:
            other = asyncio.create_task(shared.transfer([write(B, b"\x01")]))
            for number in range(3):
                await held.transfer([write(A, bytes((number,)))])
            assert [transfer[0].address for _, transfer in bus.log] == [A] * 6
        await other
        return bus.log[-1][1][0].address

    assert run(scenario) == B


def test_address_that_was_not_allowed_is_not_reached():
    async def scenario(bus, shared):
        for call in (
            shared.transfer([write(A, b"\x01"), read(0x51, 1)]),
            shared.quick(0x51, False),
            shared.probe(0x51),
        ):
            with pytest.raises(BusError) as caught:
                await call
            assert (caught.value.errno, caught.value.place) == (EACCES, CALLER)
        return bus.log

    assert run(scenario) == []


def test_address_without_a_device_is_told_with_its_bus_and_message():
    async def scenario(bus, shared):
        assert await shared.probe(A)
        assert not await shared.probe(0x50)
        with pytest.raises(BusError) as caught:
            await shared.transfer([write(A, b""), write(0x50, b"")])
        return caught.value

    error = run(scenario)
    assert (error.errno, error.index, error.address, error.place) == (ENXIO, 1, 0x50, BUS)
    assert str(error).endswith("(bus fake, address 0x50, message 1)")


def test_bus_that_does_not_answer_is_given_up_and_used_again():
    async def scenario(bus, shared):
        bus.gate = asyncio.Event()
        with pytest.raises(BusError) as caught:
            await shared.transfer([read(A, 1)], timeout_ms=10)
        bus.gate = None
        assert await shared.transfer([read(A, 1)]) == [b"\x00"]
        return caught.value

    error = run(scenario)
    assert (error.errno, error.place) == (ETIMEDOUT, BUS)


def test_who_holds_the_bus_for_too_long_loses_it():
    async def scenario(bus, shared):
        bus.gate = asyncio.Event()
        async with shared.hold() as held:
            with pytest.raises(BusError) as first:
                await held.transfer([read(A, 1)], timeout_ms=60_000)
            with pytest.raises(BusError) as second:
                await held.transfer([read(A, 1)])
        return first.value, second.value

    first, second = run(scenario, hold_ms=20)
    assert (first.errno, first.place, second.errno, second.place) == (ETIMEDOUT, BUS, ETIMEDOUT, LOCK)


def test_who_waits_is_told_when_others_have_the_bus():
    async def scenario(bus, shared):
        async with shared.hold():
            with pytest.raises(BusError) as caught:
                await shared.transfer([read(A, 1)])
        await shared.transfer([read(A, 1)])
        return caught.value

    error = run(scenario, wait_ms=10)
    assert (error.errno, error.place) == (ETIMEDOUT, LOCK)


def test_so_many_may_wait_and_no_more():
    async def scenario(bus, shared):
        async with shared.hold():
            waiting = [asyncio.create_task(shared.transfer([read(A, 1)])) for _ in range(3)]
            await asyncio.sleep(0)
            with pytest.raises(BusError) as caught:
                await shared.transfer([read(A, 1)])
        await asyncio.gather(*waiting)
        return caught.value.errno

    assert run(scenario, max_waiting=3) == EAGAIN


def test_caller_that_is_cancelled_leaves_the_bus():
    async def scenario(bus, shared):
        bus.gate = asyncio.Event()
        first = asyncio.create_task(shared.transfer([read(A, 1)]))
        second = asyncio.create_task(shared.transfer([read(B, 1)]))
        await asyncio.sleep(0.01)
        second.cancel()
        first.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        bus.gate = None
        return await shared.transfer([read(A, 1)])

    assert run(scenario) == [b"\x00"]


def test_closed_bus_is_told():
    async def scenario(bus, shared):
        held = asyncio.Event()

        async def holder():
            async with shared.hold():
                held.set()
                await asyncio.sleep(0.01)

        task = asyncio.create_task(holder())
        await held.wait()
        waiting = asyncio.create_task(shared.transfer([read(A, 1)]))
        await asyncio.sleep(0)
        await shared.close()
        with pytest.raises(BusError) as caught:
            await waiting
        await task
        return caught.value.errno

    assert run(scenario) == ENODEV


def test_way_that_is_down_is_no_missing_device():
    async def scenario(bus, shared):
        async def quick(address, read, timeout_ms):
            raise BusError(EIO, "the client answers what is no answer", place=LINK)

        bus.quick = quick
        with pytest.raises(BusError) as caught:
            await shared.probe(A)
        return caught.value.place

    assert run(scenario) == LINK


def test_held_bus_takes_one_call_at_a_time():
    async def scenario(bus, shared):
        bus.gate = asyncio.Event()
        async with shared.hold() as held:
            first = asyncio.create_task(held.transfer([read(A, 1)]))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="one call at a time"):
                await held.transfer([read(A, 1)])
            bus.gate.set()
            return await first

    assert run(scenario) == [b"\x00"]


def test_bus_that_is_not_open_is_opened_by_its_first_call_and_its_errors_are_told():
    async def scenario(bus, shared):
        functions, bus.functions = bus.functions, 0
        attempts = []

        async def open():
            attempts.append(len(attempts))
            if len(attempts) < 3:
                raise BusError(ENODEV, "there is no such adapter", place=CALLER)
            bus.functions = functions

        bus.open = open
        with pytest.raises(BusError, match="no such adapter"):
            await shared.open()
        with pytest.raises(BusError, match="no such adapter"):
            await shared.transfer([write(A, b"\x05"), read_counted(A)])  # not: it cannot read what the target counts
        await shared.transfer([write(A, b"\x05"), read_counted(A)])
        await shared.open()
        return len(attempts), shared.functions == functions, shared.failures, shared.calls

    assert run(scenario) == (3, True, 1, 2)


def test_bus_that_cannot_be_opened_in_time_is_told():
    async def scenario(bus, shared):
        bus.open = asyncio.Event().wait
        with pytest.raises(BusError, match="could not be opened within 20 ms") as caught:
            await shared.transfer([read(A, 1)])
        del bus.open
        await shared.transfer([read(A, 1)])
        return caught.value.errno

    assert run(scenario, hold_ms=20) == ETIMEDOUT


def test_call_has_the_time_of_its_bus_if_it_says_no_other():
    async def scenario(bus, shared):
        limits = []

        async def transfer(transfer, timeout_ms):
            limits.append(timeout_ms)

        bus.transfer = transfer
        await shared.transfer([read(A, 1)])
        await shared.transfer([read(A, 1)], timeout_ms=200)
        await shared.beside({A}, timeout_ms=100).transfer([read(A, 1)])
        return limits

    assert run(scenario, timeout_ms=300) == [300, 200, 100]


def test_call_ends_in_the_time_for_which_its_caller_has_the_bus():
    """The provider is told less, so that it may say itself why."""

    async def scenario(bus, shared):
        limits = []

        async def transfer(transfer, timeout_ms):
            limits.append(timeout_ms)

        bus.transfer = transfer
        await shared.transfer([read(A, 1)], timeout_ms=60_000)
        return limits

    (limit_ms,) = run(scenario, hold_ms=2000)
    assert 1000 < limit_ms < 2000


def test_calls_that_wait_in_vain_are_counted():
    async def scenario(bus, shared):
        async with shared.hold():
            with pytest.raises(BusError):
                await shared.transfer([read(A, 1)])
        return shared.calls, shared.failures, shared.late

    assert run(scenario, wait_ms=10) == (1, 1, 1)


def test_longest_hold_is_known():
    async def scenario(bus, shared):
        async with shared.hold():
            await asyncio.sleep(0.05)
        await shared.transfer([read(A, 1)])
        return shared.longest_hold_s

    assert run(scenario) >= 0.05
