"""What a SensorService sends, with a link that is fast, slow or absent, and what it answers to commands."""

import asyncio
import json

import pytest

from sensor_bus import service as service_module
from sensor_bus.batch import decode_batch, time_of
from sensor_bus.devbin import decode_devbin
from sensor_bus.device import Device
from sensor_bus.errors import Barred, BusStuck, NoAnswer, QueueFull, TimedOut
from sensor_bus.publish import ONLINE, PENDING_DELETION
from sensor_bus.records import standard_records
from sensor_bus.service import BATCH_BYTES, COMMANDS, SAMPLES, WAITING_BYTES, SensorService
from sensor_bus.subscriptions import Sample
from tests.patience import PATIENCE_S

MICROPYTHON = False
MICROPYTHON_REASON = "needs pytest"

RECORDS = standard_records()
MCP = RECORDS.number("MCP9808")
BEGIN = (3 << 32) + 70000


class FakeChannel:
    """A channel that takes messages while `open` is set."""

    def __init__(self):
        self.sent = []
        self.handler = None
        self.up = True
        self.open = asyncio.Event()
        self.open.set()

    def usable(self):
        return self.up

    async def send(self, data, qos=True, wait=True):
        await self.open.wait()
        self.sent.append((data, qos))

    def on_request(self, handler):
        self.handler = handler


class FakeApp:
    def __init__(self):
        self.channels = {SAMPLES: FakeChannel(), COMMANDS: FakeChannel()}

    def channel(self, number, start=16):
        assert start == 1  # the project's own
        return self.channels[number]


class FakeSamples:
    def __init__(self):
        self.queue = asyncio.Queue()
        self.closed = False

    def __aiter__(self):
        return self

    async def __anext__(self):
        return await self.queue.get()

    def close(self):
        self.closed = True


class FakeBus:
    """A bus whose samples a test puts; it records what it is told to do."""

    def __init__(self):
        self.records = RECORDS
        self.source = FakeSamples()
        self.on_gone = None
        self.time = BEGIN
        self.there = [(0x18, MCP, 1), (0x248, None, 1)]
        self.done = []
        self.fault = None

    def samples(self, on_gone):
        self.on_gone = on_gone
        return self.source

    def now(self):
        return self.time

    def unplug(self, number, address=0x18):
        """It is gone at this time."""
        self.time = BEGIN + number
        self.on_gone(Device(address))

    def put(self, number, address=0x18, data=b"\x01\x50"):
        time = BEGIN + number
        self.source.queue.put_nowait(Sample(address, MCP, time, time & 0xFFFF, data))

    def devices(self):
        return self.there

    async def request(self, address, write, size, timeout_ms):
        self.done.append(("request", address, write, size, timeout_ms))
        if self.fault:
            raise self.fault
        return b"\xab" * size

    def configure(self, address, **what):
        self.done.append(("configure", address, what))

    def bar(self, address, ms):
        self.done.append(("bar", address, ms))

    def pause(self):
        self.done.append(("pause",))


def samples_of(channel):
    """Returns [(address, name of the type, whole time, data)] of all that was sent."""
    found = []
    for data, _ in channel.sent:
        _, now, names, envelope = decode_batch(data)
        for _, address, number, _, _, samples in decode_devbin(envelope)[2]:
            found += [(address, names[number], time_of(now, stamp), sample) for stamp, sample in samples]
    return found


def records_of(channel):
    """Returns [(address, status, sequence, count of the samples)] of all that was sent."""
    found = []
    for data, _ in channel.sent:
        for _, address, _, status, sequence, samples in decode_devbin(decode_batch(data)[3])[2]:
            found.append((address, status, sequence, len(samples)))
    return found


class FakeSent:
    def __init__(self, *messages):
        self.sent = messages


def run(main, records=RECORDS, **arguments):
    async def whole():
        app, bus = FakeApp(), FakeBus()
        bus.records = records
        service = SensorService(app, bus, hold_ms=5, **arguments)
        task = asyncio.create_task(service.run())
        try:
            await main(app, bus, service)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert bus.source.closed

    asyncio.run(whole())


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("qos", [False, True])
def test_samples_share_batches_and_keep_their_times(qos):
    async def main(app, bus, service):
        for number in range(100):
            bus.put(number * 37, 0x18 + number % 3)
        await until(lambda: service.sent == 100)
        found = samples_of(app.channels[SAMPLES])
        assert sorted(time for _, _, time, _ in found) == [BEGIN + number * 37 for number in range(100)]
        assert {name for _, name, _, _ in found} == {"MCP9808"}
        assert len(app.channels[SAMPLES].sent) <= 8 and all(one[1] is qos for one in app.channels[SAMPLES].sent)
        assert all(len(data) <= 1024 for data, _ in app.channels[SAMPLES].sent)

    run(main, qos=qos)


def test_samples_that_are_further_apart_than_a_stamp_tells_go_in_batches_of_their_own():
    async def main(app, bus, service):
        for number in (0, 100000, 100001, 900000):
            bus.put(number)
        await until(lambda: service.sent == 4)
        assert [time - BEGIN for _, _, time, _ in samples_of(app.channels[SAMPLES])] == [0, 100000, 100001, 900000]

    run(main)


def test_poll_with_a_pause_comes_late_and_each_sample_keeps_its_time():
    async def main(app, bus, service):
        for number in (500, 1000, 600, 60900, 900):  # each third one with the time of its beginning, as an ADS1115
            bus.put(number, 0x48 if number in (600, 900) else 0x18)
        await until(lambda: service.sent == 5)
        found = sorted(time - BEGIN for _, _, time, _ in samples_of(app.channels[SAMPLES]))
        assert found == [500, 600, 900, 1000, 60900]

    run(main)


def test_batch_of_types_with_long_names_fits_into_a_frame():
    async def main(app, bus, service):
        for number in range(40):
            sample = Sample(0x18 + number, number, BEGIN + number, (BEGIN + number) & 0xFFFF, b"\x01\x50")
            bus.source.queue.put_nowait(sample)
        await until(lambda: service.sent == 40)
        assert max(len(data) for data, _ in app.channels[SAMPLES].sent) <= 1024
        assert len(samples_of(app.channels[SAMPLES])) == 40

    class Names:
        def name(self, number):
            return "%064d" % number

    run(main, records=Names())


def test_link_that_is_away_gets_the_newest_of_each_device():
    async def main(app, bus, service):
        channel = app.channels[SAMPLES]
        channel.up = False
        bus.put(0)
        await asyncio.sleep(0.1)
        for number in range(1, 500):
            bus.put(number, 0x18 + number % 2)
        await until(lambda: service.dropped == 498)
        channel.up = True
        await until(lambda: service.sent == 2)
        assert [(address, time - BEGIN) for address, _, time, _ in samples_of(channel)] == [(0x18, 498), (0x19, 499)]

    run(main)


def test_with_qos_nothing_is_dropped_and_what_waits_is_bounded():
    async def main(app, bus, service):
        channel = app.channels[SAMPLES]
        channel.open.clear()
        for number in range(1000):
            bus.put(number)
        await asyncio.sleep(0.2)
        assert bus.source.queue.qsize() > 1000 - WAITING_BYTES // 20
        channel.open.set()
        await until(lambda: service.sent == 1000)
        assert [time - BEGIN for _, _, time, _ in samples_of(channel)] == list(range(1000))
        assert service.dropped == 0

    run(main, qos=True)


@pytest.mark.parametrize("qos", [False, True])
def test_lack_of_memory_costs_time_and_no_samples(qos):
    async def main(app, bus, service):
        channel = app.channels[SAMPLES]
        send, left = channel.send, [3]

        async def short(data, qos=True, wait=True):
            if left[0]:
                left[0] -= 1
                raise MemoryError
            await send(data, qos, wait)

        channel.send = short
        for number in range(3):
            bus.put(number, 0x18 + number)
        await until(lambda: service.sent == 3)
        assert [time - BEGIN for _, _, time, _ in samples_of(channel)] == [0, 1, 2] and service.dropped == 0

    run(main, qos=qos)


@pytest.mark.parametrize("qos", [False, True])
def test_device_that_is_gone_is_told_behind_its_last_sample_and_begins_anew(qos):
    async def main(app, bus, service):
        channel = app.channels[SAMPLES]
        for number in range(3):
            bus.put(number)
            await until(lambda expected=number + 1: service.sent == expected)
        bus.put(3)
        await until(lambda: bus.source.queue.empty() and service.sent + len(service._waiting) == 4)
        bus.unplug(4)
        bus.put(5)
        await until(lambda: service.sent == 5)
        assert records_of(channel)[3:] == [
            (0x18, ONLINE, 3, 1), (0x18, PENDING_DELETION, 4, 0), (0x18, ONLINE, 0, 1)
        ]  # fmt: skip
        told, how = next(one for one in channel.sent if (0x18, PENDING_DELETION, 4, 0) in records_of(FakeSent(one)))
        assert how is True and channel.sent[0][1] is qos  # the notice is not lost with the link
        assert decode_batch(told)[1] in (BEGIN + 4, BEGIN + 5) and decode_batch(told)[2] == {MCP: "MCP9808"}

    run(main, qos=qos)


def test_device_of_which_nothing_was_told_is_not_told_to_be_gone():
    async def main(app, bus, service):
        await until(lambda: bus.on_gone is not None)
        bus.unplug(1, 0x19)
        bus.put(2)
        await until(lambda: service.sent == 1)
        bus.unplug(3)
        bus.unplug(4)
        await until(lambda: len(records_of(app.channels[SAMPLES])) == 2)
        assert records_of(app.channels[SAMPLES])[1] == (0x18, PENDING_DELETION, 1, 0)
        await asyncio.sleep(0.05)
        assert len(app.channels[SAMPLES].sent) == 2

    run(main)


def test_notices_are_not_dropped_for_samples_and_one_of_a_device_waits_at_most():
    async def main(app, bus, service):
        channel = app.channels[SAMPLES]
        channel.up = False
        for number in range(300):
            bus.put(number, 0x18 + number % 3)
            await until(lambda: bus.source.queue.empty())
            await asyncio.sleep(0)
            if number % 3 == 0:
                bus.unplug(number)
        assert len(service._waiting) <= 6 and service._bytes < WAITING_BYTES
        channel.up = True
        await until(lambda: not service._waiting)
        found = [(address, status) for address, status, _, _ in records_of(channel)]
        assert found.count((0x18, PENDING_DELETION)) == 1 and found[-1][1] == ONLINE

    run(main)


def test_device_that_went_while_the_service_was_stopped_is_told_when_it_runs_again():
    async def whole():
        app, bus = FakeApp(), FakeBus()
        service = SensorService(app, bus, hold_ms=5)
        for last in (1, 2):
            task = asyncio.create_task(service.run())
            bus.put(last)
            await until(lambda expected=last: service.sent == expected)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            bus.there = []
        assert [one[:2] for one in records_of(app.channels[SAMPLES])] == [
            (0x18, ONLINE), (0x18, PENDING_DELETION), (0x18, ONLINE)
        ]  # fmt: skip

    asyncio.run(whole())


def test_batch_is_as_large_as_a_frame_and_sparse_samples_do_not_wait_for_the_hold():
    async def main(app, bus, service):
        channel = app.channels[SAMPLES]
        service._waiting = [Sample(0x18 + number % 8, MCP, BEGIN, BEGIN & 0xFFFF, b"\x01\x50") for number in range(300)]
        await until(lambda: service.sent == 300)
        sizes = [len(data) for data, _ in channel.sent]
        assert max(sizes) <= BATCH_BYTES and all(BATCH_BYTES - size < 20 for size in sizes[:-1])

    run(main)

    async def alone():
        app, bus = FakeApp(), FakeBus()
        service = SensorService(app, bus, hold_ms=10 * PATIENCE_S * 1000)
        task = asyncio.create_task(service.run())
        bus.put(0)
        await until(lambda: service.sent == 1)
        bus.put(1)
        await asyncio.sleep(0.3)
        assert service.sent == 1  # the next one is held
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(alone())


def test_link_that_is_closed_ends_the_service_with_its_error():
    async def whole():
        app, bus = FakeApp(), FakeBus()

        async def closed(data, qos=True, wait=True):
            raise OSError(5, "closed")

        app.channels[SAMPLES].send = closed
        service = SensorService(app, bus, hold_ms=1)
        bus.put(0)
        with pytest.raises(OSError, match="closed"):
            async with asyncio.timeout(PATIENCE_S):
                await service.run()

    asyncio.run(whole())


async def command(app, **request):
    return json.loads(await app.channels[COMMANDS].handler(json.dumps(request).encode()))


def test_commands_reach_the_bus():
    async def main(app, bus, service):
        await asyncio.sleep(0.01)
        assert await command(app, cmd="listdevs") == {"bus": 1, "devs": [[0x18, "MCP9808", 1], [0x248, None, 1]]}
        assert await command(app, cmd="cmdraw", addr=0x18, write="05", read=2) == {"data": "abab"}
        assert bus.done.pop() == ("request", 0x18, b"\x05", 2, 1000)
        assert await command(app, cmd="devconfig", addr=0x18, interval_us=5000) == {}
        assert await command(app, cmd="bar", addr=0x18, ms=50) == {}
        assert await command(app, cmd="pause") == {}
        assert [one[0] for one in bus.done] == ["configure", "bar", "pause"]
        found = await command(app, cmd="typeinfo", type="MCP9808")
        assert found["number"] == MCP and found["info"]["name"]
        assert await command(app, cmd="typeinfo", type=MCP) == found

    run(main)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Barred(0x18), "barred"), (NoAnswer(0x18), "no_answer"), (TimedOut(0x18), "timeout"), (BusStuck(), "bus_stuck"),
        (QueueFull(40), "queue_full"), (OSError(5, "other"), "bus_error"),
    ],
)  # fmt: skip
def test_errors_of_raw_requests_are_told_apart(fault, code):
    async def main(app, bus, service):
        await asyncio.sleep(0.01)
        bus.fault = fault
        assert (await command(app, cmd="cmdraw", addr=0x18, read=1))["error"] == code

    run(main)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b"{}", b'{"cmd": 1}', b'{"cmd": "nothing"}', b'{"cmd": "__init__"}', b'{"cmd": "cmdraw"}',
        b'{"cmd": "cmdraw", "addr": 24, "write": "0"}', b'{"cmd": "cmdraw", "addr": 24, "read": 256}',
        b'{"cmd": "bar", "addr": 24}', b'{"cmd": "typeinfo", "type": "nothing"}', b"\xff",
        b'{"cmd": "typeinfo", "type": 999}', b'{"cmd": "typeinfo", "type": -1}',
        b'{"cmd": "cmdraw", "addr": 24, "read": 1, "timeout_ms": 0}',
    ],
)  # fmt: skip
def test_bad_commands_are_answered_with_what_is_wrong(data):
    async def main(app, bus, service):
        await asyncio.sleep(0.01)
        found = json.loads(await app.channels[COMMANDS].handler(data))
        assert found["error"] in ("bad_request", "unknown") and found["text"]
        assert not bus.done

    run(main)


def test_service_without_raw_requests_takes_none():
    async def main(app, bus, service):
        await asyncio.sleep(0.01)
        assert (await command(app, cmd="cmdraw", addr=0x18, read=1))["error"] == "not_allowed"
        assert not bus.done

    run(main, allow_raw=False)


def test_service_without_commands_has_no_handler():
    async def main(app, bus, service):
        await asyncio.sleep(0.01)
        assert app.channels[COMMANDS].handler is None

    run(main, commands=False)


def test_number_of_a_bus_is_checked():
    with pytest.raises(ValueError, match="1..15"):
        SensorService(FakeApp(), FakeBus(), number=16)
    assert service_module.BATCH_BYTES < 1024
