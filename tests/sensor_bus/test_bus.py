"""What a sensor bus does with devices that come, go, fail and block it, in virtual time."""

import asyncio

import pytest

from sensor_bus import changes
from sensor_bus.errors import Barred, NoAnswer, QueueFull, TimedOut
from sim.virtual import sensor_scenes
from tests.sensor_bus.bus_rig import BusRig

MICROPYTHON = False
MICROPYTHON_REASON = "plays the bus on the virtual bed; tests/sim/mpy/test_sensor_bus.py has it in MicroPython"

AHT, MCP, LSM, BME, TMP, INA, ADS = 0x38, 0x18, 0x6A, 0x76, 0x48, 0x40, 0x49
PERIOD_MS = 20000


def slot(number, address):
    return address | number << 8


def test_devices_are_found_identified_and_polled_with_their_values():
    rig = BusRig()
    rig.sensors.add("AHT20", values={"temperature": 21.5, "humidity": 40})
    rig.sensors.add("MCP9808", values={"temperature": -3.25})
    rig.sensors.add("BME280", values={"temperature": 20, "pressure": 1013.25, "humidity": 50})

    async def program(rig):
        await rig.until(lambda: rig.of(AHT) and rig.of(MCP) and rig.of(BME), 2)
        await asyncio.sleep(6)

    rig.run(program)
    assert rig.names() == {AHT: "AHT20", MCP: "MCP9808", BME: "BME280"}
    assert rig.value(rig.of(MCP)[-1], "temperature") == -3.25
    assert rig.value(rig.of(AHT)[-1], "humidity") == pytest.approx(40, abs=0.01)
    assert rig.value(rig.of(BME)[-1], "pressure") == pytest.approx(1013.25, abs=0.02)
    assert rig.kinds(MCP) == ["found", "identified", "online"]


def test_device_that_is_pulled_is_gone_and_found_again_when_it_is_plugged_elsewhere():
    rig = BusRig()
    member = rig.sensors.add("TMP117")

    async def program(rig):
        await rig.until(lambda: rig.of(TMP), 2)
        member.unplug()
        await rig.until(lambda: "gone" in rig.kinds(TMP), 12)
        assert rig.kinds(TMP)[-2:] == ["offline", "gone"] and not rig.names()
        begin = rig.bed.now()
        member.plug()
        await rig.until(lambda: rig.of(TMP, begin), PERIOD_MS / 1000 + 2)
        assert rig.kinds(TMP, begin) == ["found", "identified", "online"]

    rig.run(program)


@pytest.mark.parametrize("when_s", [0.0, 0.05, 7.3, 19.9])
def test_time_until_a_plugged_device_is_identified(when_s):
    assert sensor_scenes.time_to_identify(when_s, sensor_scenes.BOOST) <= 1
    for records in (None, sensor_scenes.low_records()):
        assert sensor_scenes.time_to_identify(when_s, None, records) <= PERIOD_MS / 1000 + 2


def test_first_address_of_a_high_record_is_found_within_a_second():
    rig = BusRig()
    member = rig.sensors.add("MCP9808", plugged=False)

    async def program(rig):
        await asyncio.sleep(5)
        member.plug()
        await rig.until(lambda: "identified" in rig.kinds(MCP), 1)

    rig.run(program)


def test_polls_are_on_time_and_none_is_missed():
    found = sensor_scenes.polls()
    assert found.missed == 0 and found.samples >= 1
    assert found.jitter_us <= 200  # stamps count 100 us, and a transaction takes 130 us here


def test_scan_takes_at_most_a_tenth_of_the_bus_with_eight_devices_online():
    assert 0 < sensor_scenes.scan_share() <= 0.1


@pytest.mark.parametrize("hardware", [False, True])
@pytest.mark.parametrize("bit", range(16))
def test_sda_stuck_in_any_bit_of_a_read_is_freed_and_nobody_is_lost(bit, hardware):
    found = sensor_scenes.stuck_in_bit(bit, hardware)
    assert found.seconds <= 0.25 and not found.lost
    assert len(found.values) == 1  # nothing that was cut is given out


def test_devices_are_back_soon_after_a_wire_was_low_for_long():
    rig = BusRig()
    addresses = [*range(0x18, 0x20), TMP]
    for address in addresses:
        rig.sensors.add("TMP117" if address == TMP else "MCP9808", address)

    async def program(rig):
        await rig.until(lambda: all(rig.of(address) for address in addresses), 25)
        await asyncio.sleep(30)  # the fast scan of the start is over
        rig.bed.sda.stick(0)
        await rig.until(lambda: not rig.names(), 1)
        await asyncio.sleep(2)
        rig.bed.sda.stick(None)
        await rig.until(lambda: sorted(rig.names()) == sorted(addresses), 3)

    rig.run(program, 100)


def test_device_that_holds_sda_in_each_poll_takes_nothing_from_the_others():
    rig = BusRig()
    member = rig.sensors.add("MCP9808")
    rig.sensors.add("TMP117")

    async def program(rig):
        await rig.until(lambda: rig.of(MCP) and rig.of(TMP), 3)
        for address in (MCP, TMP):
            rig.bus.configure(address, interval_us=50000)
        await asyncio.sleep(0.5)
        port = rig.bus._access.port
        transfer = port.transfer

        def without_errors(address, write, into=None):  # as a SoftI2C: what it reads of a wire that is held is zeros
            try:
                transfer(address, write, into)
            except OSError:
                if not rig.bed.sda.level:
                    return
                raise

        port.transfer = without_errors
        begin = rig.bed.now()
        while rig.bed.now() < begin + 5:
            if member.stick_at is None:
                member.stick_sda(0, 0)
            await asyncio.sleep(0.001)
        assert len(rig.of(TMP, begin)) > 90
        assert rig.kinds(MCP, begin)[:2] == ["offline", "gone"] and rig.kinds(TMP, begin) == []
        member.stick_at = None
        since = rig.bed.now()
        await rig.until(lambda: rig.of(MCP, since), 35)

    rig.run(program, 100)


def test_two_subscribers_get_every_sample_each():
    rig = BusRig()
    rig.sensors.add("TMP117")

    async def program(rig):
        await rig.until(lambda: rig.of(TMP), 2)
        rig.bus.configure(TMP, interval_us=10000, samples=5)
        first, second = rig.bus.samples(), rig.bus.samples()
        got = [[], []]

        async def take(subscription, into):
            async for sample in subscription:
                into.append(sample.time)

        tasks = [asyncio.create_task(take(one, into)) for one, into in ((first, got[0]), (second, got[1]))]
        await asyncio.sleep(3)
        for task in tasks:
            task.cancel()
        assert got[0] == got[1] and len(got[0]) >= 299
        assert first.missed == second.missed == 0
        slow = rig.bus.samples()
        await asyncio.sleep(1)
        late = [slow.get_nowait() for _ in range(6)]
        assert late[5] is None and all(late[:5]) and slow.missed >= 94

    rig.run(program)


def test_only_failures_in_a_row_take_a_device_offline():
    rig = BusRig()
    member = rig.sensors.add("TMP117")

    async def program(rig):
        await rig.until(lambda: rig.of(TMP), 2)
        rig.bus.configure(TMP, interval_us=100000)
        for _ in range(20):
            member.nack(2)
            await asyncio.sleep(0.5)
        assert rig.kinds(TMP) == ["found", "identified", "online"]
        member.nack(3)
        await rig.until(lambda: rig.kinds(TMP)[-1] == "gone", 1)

    rig.run(program)


def test_address_that_answers_once_is_told_to_nobody():
    rig = BusRig()
    member = rig.sensors.add("MCP9808", plugged=False)

    async def program(rig):
        await asyncio.sleep(3)
        member.plug()
        await rig.until(lambda: member.starts, 2)
        member.unplug()
        await asyncio.sleep(2)
        assert rig.events == [] and rig.bus.devices() == [] and not rig.bus._devices

    rig.run(program)


def test_barred_device_is_left_alone_for_its_time_and_then_polled_again():
    rig = BusRig()
    member = rig.sensors.add("TMP117")

    async def program(rig):
        await rig.until(lambda: rig.of(TMP), 2)
        rig.bus.configure(TMP, interval_us=10000)
        rig.bus.bar(TMP, 500)
        await asyncio.sleep(0.02)
        starts = member.starts
        with pytest.raises(Barred):
            await rig.bus.request(TMP, b"\x0f", 2)
        await asyncio.sleep(0.46)
        assert member.starts == starts
        await asyncio.sleep(0.1)
        assert member.starts > starts

    rig.run(program)


def test_paused_bus_answers_requests_and_does_nothing_else():
    rig = BusRig()
    member = rig.sensors.add("TMP117")

    async def program(rig):
        await rig.until(lambda: rig.of(TMP), 2)
        rig.bus.configure(TMP, interval_us=10000)
        rig.bus.pause()
        await asyncio.sleep(0.02)
        starts, count = member.starts, len(rig.samples)
        assert await rig.bus.request(TMP, b"\x0f", 2) == b"\x01\x17"
        await asyncio.sleep(1)
        assert member.starts == starts + 2 and len(rig.samples) == count  # a repeated start
        rig.bus.resume()
        await rig.until(lambda: len(rig.samples) > count, 0.1)
        rig.bus.hiatus(300)
        await asyncio.sleep(0.02)
        starts = member.starts
        with pytest.raises(TimedOut):
            await rig.bus.request(TMP, b"\x0f", 2, timeout_ms=100)
        assert member.starts == starts

    rig.run(program)


def test_errors_of_requests_are_told_apart_and_the_queue_has_an_end():
    rig = BusRig({"lowLoad": True})
    rig.sensors.add("TMP117")

    async def program(rig):
        await asyncio.sleep(1)
        with pytest.raises(NoAnswer):
            await rig.bus.request(0x50, b"\x00", 1)
        with pytest.raises(ValueError):
            await rig.bus.request(0x50)
        with pytest.raises(ValueError):
            await rig.bus.request(0x80, b"\x00")
        try:
            await rig.bus.request(TMP | 0x80, b"\x0f", 2)
            raise AssertionError("on the wire that is the TMP117, which may be barred")
        except ValueError:
            pass
        rig.bus.hiatus(1000)
        asked = [asyncio.create_task(rig.bus.request(TMP, b"\x0f", 2, timeout_ms=5000)) for _ in range(3)]
        await asyncio.sleep(0.01)
        with pytest.raises(QueueFull):
            await rig.bus.request(TMP, b"\x0f", 2)
        assert [await one for one in asked] == [b"\x01\x17"] * 3

    rig.run(program)


def test_device_of_lockup_detection_that_goes_has_the_bus_fail():
    rig = BusRig({"lockupDetect": "0x48"})
    member = rig.sensors.add("TMP117")

    async def program(rig):
        assert rig.bus.failing  # until it has answered
        await rig.until(lambda: rig.of(TMP), 2)
        assert not rig.bus.failing
        member.unplug()
        await rig.until(lambda: rig.bus.failing, 12)
        member.plug()
        await rig.until(lambda: not rig.bus.failing, 22)

    rig.run(program)


def test_type_that_is_added_identifies_what_is_there():
    rig = BusRig()
    rig.records = type(rig.records)()
    rig.sensors.add("TMP117")

    async def program(rig):
        await rig.until(lambda: "online" in rig.kinds(TMP), 10)
        assert rig.names() == {TMP: None}
        rig.bus.add_type(
            {
                "deviceType": "Mine", "addresses": "0x48", "detectionValues": "0x0f=0x0117", "initValues": "",
                "pollInfo": {"c": "0x00=r2", "i": 100, "s": 2},
            }
        )  # fmt: skip
        await rig.until(lambda: rig.of(TMP), 1)
        assert rig.names() == {TMP: "Mine"}

    rig.run(program)


def test_cancelled_worker_leaves_the_bus_usable():
    rig = BusRig()
    rig.sensors.add("TMP117")

    async def program(rig):
        await rig.until(lambda: rig.of(TMP), 2)
        rig.bus.configure(TMP, interval_us=10000)

    rig.run(program)
    assert rig.bed.scl.level == rig.bed.sda.level == 1


def test_configured_in_the_middle_of_a_poll_it_is_polled_on():
    rig = BusRig()
    rig.sensors.add("VCNL4040")
    rig.sensors.add("ADS1115")
    done = {}

    async def program(rig):
        await rig.until(lambda: all(rig.names().values()) and len(rig.names()) == 2, 3)
        begin = rig.bed.now()
        while rig.bed.now() < begin + 3:
            await asyncio.sleep(0.0001)
            for address in rig.names():
                if rig.polls(address):
                    rig.bus.configure(address, interval_us=100000)
                    done[address] = done.get(address, 0) + 1
        await asyncio.sleep(1)
        since = rig.bed.now()
        await asyncio.sleep(2)
        for address in rig.names():
            assert len(rig.of(address, since)) in (19, 20, 21)

    rig.run(program)
    assert len(done) == 2 and min(done.values()) > 5
    assert {len(sample.data) for _, sample in rig.samples if rig.names()[sample.address] == "ADS1115"} == {8}


def test_configuration_that_is_refused_or_has_no_memory_changes_nothing(monkeypatch):
    rig = BusRig()
    rig.sensors.add("TMP117")
    refused = []

    async def program(rig):
        await rig.until(lambda: rig.of(TMP), 3)
        device = rig.bus.device(TMP)
        ring, interval = device.ring, device.interval
        wrong = [{"interval_us": 5e3}, {"interval_us": True}, {"samples": 2.0}, {"interval_us": 5000, "samples": 256}]
        for arguments in wrong:
            try:
                rig.bus.configure(TMP, **arguments)
                refused.append(None)
            except ValueError as error:
                refused.append(str(error))
        monkeypatch.setattr(changes, "Ring", no_memory)
        slow = rig.bus.samples()
        await rig.until(lambda: ring.end > 2, 5)
        try:
            rig.bus.configure(TMP, interval_us=5000, samples=200)
        except MemoryError:
            refused.append("no memory")
        assert (device.ring, device.interval, slow.missed) == (ring, interval, 0) and slow.get_nowait()

    def no_memory(samples, size):
        raise MemoryError

    rig.run(program)
    assert len(refused) == 5 and all("whole number" in one for one in refused[:4])


def test_worker_that_was_cancelled_in_a_poll_gives_no_part_of_it():
    rig = BusRig()
    rig.sensors.add("VCNL4040")
    cut = []

    async def program(rig):
        await rig.until(lambda: rig.samples, 3)
        (address,) = rig.names()
        (worker,) = [one for one in asyncio.all_tasks() if one.get_coro().__qualname__ == "SensorBus.run"]
        for _ in range(50):
            await rig.until(lambda: rig.samples[-1][0] > rig.bed.now() - 0.01, 2)
            while not rig.polls(address):
                await asyncio.sleep(0.0001)
            worker.cancel()
            cut.append(rig.polls(address))
            await asyncio.sleep(0.005)
            worker = asyncio.create_task(rig.bus.run())
        worker.cancel()

    rig.run(program)
    assert len(cut) == 50 and sum(cut) > 10
    assert {len(sample.data) for _, sample in rig.samples} == {6}


def test_rest_of_a_poll_that_a_pause_cut_off_is_not_given_an_old_stamp():
    rig = BusRig()
    rig.sensors.add("ADS1115")

    async def program(rig):
        await rig.until(lambda: rig.samples, 3)
        (address,) = rig.names()
        await rig.until(lambda: rig.polls(address), 3)
        await asyncio.sleep(0.005)
        rig.bus.pause()
        await asyncio.sleep(10)
        assert rig.polls(address)
        resumed = rig.bed.now()
        count = len(rig.samples)
        rig.bus.resume()
        await rig.until(lambda: len(rig.samples) > count, 3)
        assert rig.at(rig.samples[-1][1]) >= resumed - 0.001

    rig.run(program)


def swapped(config, nack=0, limit_s=15):
    """Has an ADS1115 in place of a TMP117 between two polls, after so many that the TMP117 refuses. Returns (seconds
    until it is identified, rig); None: it is not."""
    rig = BusRig(config)
    thermometer = rig.sensors.add("TMP117")
    converter = rig.sensors.add("ADS1115", TMP, plugged=False)

    async def program(rig):
        await rig.until(lambda: len(rig.of(TMP)) > 2, 5)
        await asyncio.sleep(0.5)  # polls are a second apart
        if nack:
            thermometer.nack(nack)
            await rig.until(lambda: not thermometer.refusals, 3)
        thermometer.unplug()
        converter.plug()
        begin = rig.bed.now()
        while rig.bed.now() < begin + limit_s:
            if rig.names() == {TMP: "ADS1115"}:
                return rig.bed.now() - begin
            await asyncio.sleep(0.01)

    return rig.run(program), rig


def test_device_that_is_replaced_between_two_polls_is_noticed_within_the_interval_of_the_looks():
    seconds, rig = swapped({})
    assert seconds <= 10 + 1 + 0.5  # identCheckMs, the next poll, an identification
    assert rig.kinds(TMP)[3:] == ["offline", "gone", "found", "identified", "online"]
    assert swapped({"identCheckMs": 2000})[0] <= 2 + 1 + 0.5


def test_device_that_is_replaced_is_noticed_by_the_first_poll_after_one_that_failed():
    assert swapped({"identCheckMs": 3600000}, nack=1)[0] <= 0.5


def test_without_looks_a_device_that_is_replaced_is_taken_for_the_other():
    assert swapped({"identCheckMs": 0}, nack=1)[0] is None


def test_device_that_a_program_has_set_otherwise_is_no_other_one():
    rig = BusRig({"identCheckMs": 1000})
    rig.sensors.add("INA219")

    async def program(rig):
        await rig.until(lambda: rig.of(INA), 5)
        await rig.bus.request(INA, b"\x00\x01\x9f")  # register 0 is what it is known by
        await asyncio.sleep(10)
        assert len(rig.of(INA, rig.bed.now() - 2)) >= 3

    rig.run(program)
    assert rig.kinds(INA) == ["found", "identified", "online"]


def test_looks_cost_no_poll_and_change_no_value():
    found = {}
    for check_ms in (0, 1000):
        rig = BusRig({"identCheckMs": check_ms})
        rig.sensors.add("LSM6DS")
        rig.sensors.add("MAX30101")
        rig.sensors.add("ADS1115", ADS, values={"a0": 1.5})
        rig.sensors.add("BME280", values={"temperature": 20})
        rig.sensors.add("VCNL4040")
        addresses = LSM, 0x57, ADS, BME, 0x60

        async def program(rig):
            await rig.until(lambda: all(rig.of(one) for one in addresses), 10)  # noqa: B023
            await asyncio.sleep(10)
            return [rig.bus.device(one).missed for one in addresses]  # noqa: B023

        assert rig.run(program) == [0] * len(addresses)
        assert not [event for event in rig.events if event[1] in ("offline", "gone")]
        found[check_ms] = {one: [sample.data for sample in rig.of(one)][:40] for one in (ADS, BME, 0x60)}
    assert all(found[0][one][:8] == found[1000][one][:8] for one in found[0])
