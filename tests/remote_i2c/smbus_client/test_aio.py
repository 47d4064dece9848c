"""AsyncSMBus: the same with asyncio."""

import asyncio
import errno

import pytest

from remote_i2c.smbus_client.aio import AsyncSMBus
from remote_i2c.smbus_client.messages import i2c_msg
from tests.patience import PATIENCE_S
from tests.remote_i2c.doors import A, DoorThread, open_door


def run(scenario, **settings):
    """Run scenario(door, bus)."""

    async def main(door):
        async with asyncio.timeout(PATIENCE_S), AsyncSMBus(door.url) as bus:
            return await scenario(door, bus)

    with open_door(**settings) as door:
        return asyncio.run(main(door))


def test_calls_are_coroutines():
    async def scenario(door, bus):
        message = i2c_msg.read(A, 2)
        await bus.write_byte_data(A, 5, 9)
        await bus.i2c_rdwr(i2c_msg.write(A, [5]), message)
        batch = bus.batch()
        batch.read_byte_data(A, 5)
        batch.read_word_data(A, 6)
        return list(message), await batch.run(), await asyncio.gather(*[bus.read_byte_data(A, n) for n in range(5)])

    assert run(scenario) == ([9, 6], [9, 0x0706], [0, 1, 2, 3, 4])


def test_failures_are_oserrors():
    async def scenario(door, bus):
        with pytest.raises(OSError) as caught:
            await bus.read_byte(0x49)
        return caught.value

    assert run(scenario).errno == errno.ENXIO


def test_pec_is_that_of_the_bus():
    async def scenario(door, bus):
        bus.pec = True
        with pytest.raises(OSError, match="PEC"):
            await bus.read_byte_data(A, 5)
        bus.enable_pec(False)
        return await bus.read_byte_data(A, 5), bus.pec

    assert run(scenario) == (5, 0)


def test_session_that_is_gone_is_opened_again_once():
    async def scenario(door, bus):
        door.call(door.service.sessions._sessions.clear)
        await asyncio.gather(*[bus.write_byte_data(A, number, 1) for number in range(5)])
        return door.call(lambda: len(door.service.sessions)), bytes(door.bus.devices[A][:5])

    assert run(scenario) == (1, b"\x01" * 5)


def test_session_is_kept():
    async def scenario(door, bus):
        pings = []
        use = door.service.use
        door.service.use = lambda session: pings.append(session) or use(session)
        while len(pings) < 4:
            await asyncio.sleep(0.01)
        return any("No activity" in line for line in door.lines)

    assert run(scenario, expiry_s=2) is False


def test_call_that_is_cancelled_leaves_the_bus():
    async def scenario(door, bus):
        door.call(lambda: setattr(door.bus, "gate", asyncio.Event()))
        call = asyncio.create_task(bus.read_byte_data(A, 5))
        while not door.bus.log:
            await asyncio.sleep(0.001)
        call.cancel()
        while door.bus.log[-1][0] != "end":  # before the bus's own limit: it has no other
            await asyncio.sleep(0.001)
        door.call(lambda: setattr(door.bus, "gate", None))
        return await bus.read_byte_data(A, 5)

    assert run(scenario, shared={"hold_ms": 10 * 1000 * PATIENCE_S}) == 5


def test_read_goes_on_when_the_server_returns():
    async def scenario(door, bus):
        await asyncio.to_thread(door.end)
        call = asyncio.create_task(bus.read_byte_data(A, 5))
        again = await asyncio.to_thread(DoorThread, port=door.port)
        try:
            return await call
        finally:
            await asyncio.to_thread(again.end)

    assert run(scenario) == 5


def test_bus_that_is_closed_is_told_and_may_be_opened_again():
    async def scenario(door, bus):
        await bus.close()
        with pytest.raises(OSError) as caught:
            await bus.read_byte(A)
        await bus.open()
        return caught.value.errno, await bus.read_byte_data(A, 3)

    assert run(scenario) == (errno.ENODEV, 3)


def test_bus_that_is_not_there_is_told():
    async def main(door):
        with pytest.raises(OSError) as caught:
            await AsyncSMBus(door.url.removesuffix("1") + "7").open()
        return caught.value.errno

    with open_door() as door:
        assert asyncio.run(main(door)) == errno.ENODEV
        assert door.call(lambda: len(door.service.sessions)) == 0


@pytest.mark.parametrize("moment", ["before", "during"])
def test_bus_that_another_task_closes_is_an_oserror_of_its_callers(moment):
    async def scenario(door, bus):
        if moment == "before":
            await bus._channel.close()  # as `close` of another task has, which waits for the end of the session
        else:
            door.call(lambda: setattr(door.bus, "gate", asyncio.Event()))
        call = asyncio.create_task(bus.write_byte(A, 1))
        if moment == "during":
            while not door.call(lambda: door.bus.log):
                await asyncio.sleep(0.001)
            await bus.close()
            door.call(lambda: setattr(door.bus, "gate", None))
        with pytest.raises(OSError) as caught:
            await call
        return caught.value

    expected = {"before": errno.ENODEV, "during": errno.ECONNABORTED}
    assert run(scenario).errno == expected[moment]
