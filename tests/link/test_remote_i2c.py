"""A client's second bus, used by a program at the server: over the whole path, in virtual time."""

import asyncio
from errno import EACCES, EHOSTDOWN, ENODEV, ENXIO, ETIMEDOUT

import pytest

from remote_i2c.errors import BUS, CALLER, LINK, BusError
from remote_i2c.messages import read, write
from remote_i2c.shared import SharedBus
from remote_i2c.smbus import read_word_data
from tests.link.i2c_bed import MCP9808, TMP117, I2CBed

KILLED_AFTER_S = (0.001, 0.003, 0.005, 0.008)
MANUFACTURER = [write(MCP9808, b"\x06"), read(MCP9808, 2)]


async def failing(call):
    """Returns the BusError of a call."""
    with pytest.raises(BusError) as caught:
        await call
    return caught.value


def with_thermometers(use, **more):
    bed = I2CBed(use, **more)
    bed.sensors.sensors.add("MCP9808", MCP9808, values={"temperature": 25.0})
    bed.sensors.sensors.add("TMP117", TMP117, values={"temperature": 21.5})
    return bed


def test_registers_of_a_sensor_are_read_through_the_link():
    async def use(bed, bus):
        assert await bus.probe(MCP9808)
        assert not await bus.probe(0x19)
        word = read_word_data(MCP9808, 5)
        return await bus.transfer(MANUFACTURER), word.result(await bus.transfer(word.messages))

    manufacturer, word = with_thermometers(use, allowed=(MCP9808, 0x19)).play()
    assert manufacturer == [b"\x00\x54"]
    assert (word & 0xFF) << 8 & 0x1F00 | word >> 8 == 25 * 16


def test_a_batch_shares_a_round_trip():
    async def use(bed, bus):
        begin = bed.now()
        await bus.transfer(MANUFACTURER)  # it learns the service's life
        first = bed.now()
        await bus.transfer(MANUFACTURER)
        one = bed.now()
        answers = await bus.batch([MANUFACTURER] * 40)
        assert answers == [[b"\x00\x54"]] * 40
        return first - begin, one - first, bed.now() - one

    first, one, forty = with_thermometers(use).play()
    assert one < first
    assert forty < 8 * one


def test_a_batch_ends_at_the_first_failure_and_tells_what_was_done():
    async def use(bed, bus):
        return await failing(bus.batch([MANUFACTURER] * 60 + [[read(0x19, 1)]] + [MANUFACTURER]))

    error = with_thermometers(use, allowed=(MCP9808, 0x19)).play()
    assert (error.errno, error.address, error.index) == (ENXIO, 0x19, 0)
    assert error.done == [[b"\x00\x54"]] * 60


def test_errors_have_their_number_and_place():
    async def use(bed, bus):
        found = [await failing(bus.transfer([read(0x19, 1)])), await failing(bus.transfer([read(0x20, 1)]))]
        bed.sensors.scl.drive("fault", 0)
        found.append(await failing(bus.transfer(MANUFACTURER)))
        bed.sensors.scl.drive("fault", None)
        assert await bus.transfer(MANUFACTURER) == [b"\x00\x54"]
        return found

    bed = with_thermometers(use, allowed=(MCP9808, 0x19))
    assert [(one.errno, one.place) for one in bed.play()] == [(ENXIO, BUS), (EACCES, CALLER), (ETIMEDOUT, BUS)]


def test_a_sensor_bus_goes_on_polling_beside_it():
    async def use(bed, bus):
        while not bed.samples:
            await asyncio.sleep(0.1)
        begin, before = bed.now(), len(bed.samples)
        shared = SharedBus(bus, {MCP9808, TMP117})

        async def caller():
            for _ in range(50):
                assert await shared.transfer(MANUFACTURER) == [b"\x00\x54"]

        await asyncio.gather(caller(), caller(), caller())
        return bed.now() - begin, len(bed.samples) - before

    bed = with_thermometers(use, shared=True)
    seconds, samples = bed.play()
    assert samples >= seconds  # both are polled each second or faster
    assert all(len(sample.data) == 2 for sample in bed.samples)
    values = {(sample.address, bytes(sample.data)) for sample in bed.samples}
    assert len(values) == 2  # nothing of another register has come among them


def test_a_barred_device_is_left_alone():
    async def use(bed, bus):
        while not bed.samples:
            await asyncio.sleep(0.1)
        bed.sensor_bus.bar(MCP9808, 2000)
        error = await failing(bus.transfer(MANUFACTURER))
        await asyncio.sleep(3)
        return error, await bus.transfer(MANUFACTURER)

    error, answer = with_thermometers(use, shared=True).play()
    assert "leaves this address alone" in str(error) and answer == [b"\x00\x54"]


def test_a_client_without_the_service_is_told():
    async def use(bed, bus):
        return await failing(bus.transfer(MANUFACTURER))

    error = with_thermometers(use, serves=False).play()
    assert (error.errno, error.place) == (ENODEV, CALLER) and "I2CService" in str(error)


@pytest.mark.parametrize("after_s", [0, 0.001, 0.002, 0.003, 0.005, 0.008])
def test_a_bridge_that_is_reset_in_a_call_costs_no_more_than_its_time(after_s):
    async def use(bed, bus):
        await bus.transfer(MANUFACTURER)
        begin = bed.now()
        bed.world.after(after_s, bed.link.esp8266.crash)
        try:
            assert await bus.transfer(MANUFACTURER, 1000) == [b"\x00\x54"]
        except BusError as error:
            assert (error.errno, error.place) in ((EHOSTDOWN, LINK), (ETIMEDOUT, LINK))
        assert bed.now() - begin <= 1.1
        return await next_call(bed, bus)

    assert with_thermometers(use).play() < 30


@pytest.mark.parametrize("after_s", [0, 0.001, 0.002, 0.003, 0.005, 0.008])
def test_a_board_that_loses_its_power_in_a_call(after_s):
    async def use(bed, bus):
        await bus.transfer(MANUFACTURER)
        begin = bed.now()
        bed.world.after(after_s, bed.link.kill_client)
        bed.world.after(after_s + 5, bed.link.start_client)
        try:
            assert await bus.transfer(MANUFACTURER, 1000) == [b"\x00\x54"]
        except BusError as error:
            assert (error.errno, error.place) in ((EHOSTDOWN, LINK), (ETIMEDOUT, LINK))
        assert bed.now() - begin <= 1.1
        return await next_call(bed, bus)

    assert with_thermometers(use).play() < 60


async def next_call(bed, bus):
    """Returns the seconds until a call succeeds. Each one that does not ends in its time, with a named error."""
    begin = bed.now()
    while True:
        called = bed.now()
        try:
            assert await bus.transfer(MANUFACTURER, 1000) == [b"\x00\x54"]
            return bed.now() - begin
        except BusError as error:
            assert error.errno in (EHOSTDOWN, ETIMEDOUT, ENODEV), error
            assert bed.now() - called <= 1.1
        await asyncio.sleep(0.1)


def test_nothing_is_carried_out_twice_though_the_board_is_restarted():
    """A request that was on its way comes to the next life of the client, which refuses it."""

    async def use(bed, bus):
        await bus.transfer(MANUFACTURER)
        written = []
        for number in range(1, 13):
            bed.world.after(0.0005 * number, bed.link.kill_client)
            bed.world.after(0.0005 * number + 0.5, bed.link.start_client)
            try:
                await bus.transfer([write(TMP117, bytes((4, 0, number)))], 8000)
                written.append(number)
            except BusError as error:
                assert error.errno in (EHOSTDOWN, ETIMEDOUT, ENODEV), error
            await next_call(bed, bus)
        return written

    bed = with_thermometers(use)
    counts = {}
    device = bed.sensors.sensors.members[1].device
    store = device.store

    def counted(register, value):
        if register == 4:
            counts[value] = counts.get(value, 0) + 1
        store(register, value)

    device.store = counted
    written = bed.play(600)
    assert written and set(written) <= set(counts)
    assert all(count == 1 for count in counts.values()), counts


def test_a_server_that_is_killed_in_a_call_leaves_the_client_as_it_was():
    async def use(bed, bus):
        bed.lives += 1
        if bed.lives <= len(KILLED_AFTER_S):
            await bus.transfer(MANUFACTURER)
            bed.world.after(KILLED_AFTER_S[bed.lives - 1], restart)
            while True:
                await bus.transfer(MANUFACTURER)
        return await next_call(bed, bus)

    def restart():
        bed.link.kill_server()
        bed.link.start_server()

    bed = with_thermometers(use)
    bed.lives = 0
    assert bed.play(200) < 30 and bed.lives == len(KILLED_AFTER_S) + 1
