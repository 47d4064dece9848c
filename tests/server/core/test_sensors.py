"""Readings of a client's sensors at the server: values, times, subscribers, and types that only the client knows."""

import asyncio
import json

import pytest

from protocol.errors import RequestFailed, StoreError
from sensor_bus.publish import PENDING_DELETION
from server.core import sensors as sensors_module
from server.core.sensors import ASKED, BEHIND, LIVES, MOST, CommandFailed
from tests.patience import PATIENCE_S
from tests.server.core.sensor_peer import MCP, UTC, FakeClient

WARM = b"\x01\x50"  # 21 degrees
OWN = {
    "name": "Mine", "desc": "", "manu": "", "type": "Mine",
    "resp": {"b": 2, "a": [{"n": "level", "t": ">H", "u": "mm", "d": 10}]},
}  # fmt: skip


async def explained(client, left=0):
    """Waits until the client has answered what its types are, but for so many."""
    async with asyncio.timeout(PATIENCE_S):
        while len(client.sensors._asking) > left:
            await asyncio.sleep(0)


def test_reading_has_its_values_units_and_the_time_of_its_poll():
    async def main():
        client = FakeClient()
        client.send_samples([(100000, WARM), (110000, b"\x1f\xcc")], UTC + 11.02)
        readings = client.sensors.readings()
        first, second = await anext(readings), await anext(readings)
        assert (first.device, first.type, first.values) == ("1_18", "MCP9808", {"temperature": 21.0})
        assert second.values == {"temperature": -3.25} and second.units["temperature"].endswith("C")
        assert first.time == pytest.approx(UTC + 10.02) and second.time == pytest.approx(UTC + 11.02)
        assert client.sensors.latest == {"1_18": second} and first.invalid == () and first.number == 0

    asyncio.run(main())


def test_batch_is_committed_when_all_its_readings_were_taken():
    async def main():
        client = FakeClient()
        for at in range(3):
            client.send_samples([(at * 10000, WARM), (at * 10000 + 5, WARM)], UTC + at)
        readings = client.sensors.readings()
        for count in range(6):
            await anext(readings)
            for _ in range(5):
                await asyncio.sleep(0)
            assert client.committed == count // 2
        readings.close()

    asyncio.run(main())


def test_slow_viewer_delays_nobody_and_counts_what_it_missed():
    async def main():
        client = FakeClient()
        viewer = client.sensors.readings(lossless=False)
        reader = client.sensors.readings()
        for at in range(BEHIND + 10):
            client.send_samples([(at * 100, WARM)], UTC + at / 100)
        for _ in range(BEHIND + 10):
            await anext(reader)
        assert viewer.missed == 10
        assert (await anext(viewer)).number == 10

    asyncio.run(main())


def test_closed_subscription_ends_and_the_last_one_stops_the_reader():
    async def main():
        client = FakeClient()
        first, second = client.sensors.readings(), client.sensors.readings()
        waiting = asyncio.create_task(anext(first))
        await asyncio.sleep(0)
        first.close()
        with pytest.raises(StopAsyncIteration):
            await waiting
        client.send_samples([(0, WARM)], UTC)
        assert (await anext(second)).values == {"temperature": 21.0}
        second.close()
        await asyncio.sleep(0)
        client.send_samples([(10, WARM)], UTC)
        for _ in range(10):
            await asyncio.sleep(0)
        assert client.channels[sensors_module.SAMPLES].queue.qsize() == 1

    asyncio.run(main())


def test_store_that_fails_is_told_to_each_subscriber():
    async def main():
        client = FakeClient()

        async def messages():
            raise StoreError("no disk")
            yield

        client.channels[sensors_module.SAMPLES].messages = messages
        readings = client.sensors.readings()
        with pytest.raises(StoreError):
            await anext(readings)

    asyncio.run(main())


@pytest.mark.parametrize("data", [b"", b"\1" * 12, b"\2" + bytes(20), b"\1" + bytes(11) + b"\xdbx"])
def test_message_that_is_no_batch_is_told_and_passed_over(data):
    async def main():
        client = FakeClient()
        client.send(data, UTC)
        client.send_samples([(0, WARM)], UTC)
        assert (await anext(client.sensors.readings())).number == 1
        assert client.sensors.refused == 1 and client.told[0][0] == "sensor_batch_refused"

    asyncio.run(main())


def test_type_that_only_the_client_knows_is_asked_for_once():
    async def main():
        client = FakeClient()
        client.commands.answer = lambda request: {"type": "Mine", "number": 200, "info": OWN}
        readings = client.sensors.readings()
        for at in range(3):
            client.send_samples([(at, b"\x00\x64")], UTC, names={200: "Mine"}, kind=200)
            found = await anext(readings)
            assert found.values == ({"level": 10.0} if at else {}) and found.raw == b"\x00\x64"
            await explained(client)
        assert [request for request, _, _ in client.commands.asked] == [{"cmd": "typeinfo", "type": "Mine"}]
        assert client.sensors.info("Mine") == OWN

    asyncio.run(main())


@pytest.mark.parametrize(
    "answer", [None, lambda request: {"error": "unknown", "text": "?"}, lambda request: b"{", lambda request: {},
               lambda request: {"info": {"resp": 3}}],
)  # fmt: skip
def test_type_that_nobody_explains_has_no_values_and_is_asked_for_again(answer, monkeypatch):
    now = 0
    monkeypatch.setattr(sensors_module, "monotonic_ms", lambda: now)

    async def main():
        nonlocal now
        client = FakeClient()
        client.commands.answer = answer
        readings = client.sensors.readings()
        for at in range(3):
            client.send_samples([(at, b"\x00\x64")], UTC, names={200: "Mine"}, kind=200)
            found = await anext(readings)
            assert found.values == {} and found.raw == b"\x00\x64" and found.type == "Mine"
            await explained(client)
        assert len(client.commands.asked) == 1 and client.told == [("sensor_type_unknown", {"type": "Mine"})]
        now = sensors_module.AGAIN_MS
        client.commands.answer = lambda request: {"info": OWN}
        for at in (9, 10):
            client.send_samples([(at, b"\x00\x64")], UTC, names={200: "Mine"}, kind=200)
            found = await anext(readings)
            await explained(client)
        assert found.values == {"level": 10.0}

    asyncio.run(main())


def test_types_that_are_not_explained_yet_hold_up_nobody_and_few_are_asked_for_at_a_time():
    async def main():
        client = FakeClient()
        answers = [asyncio.get_running_loop().create_future() for _ in range(2 * ASKED)]
        asked = []

        async def request(data, timeout_ms, wait):
            asked.append(json.loads(data)["type"])
            return await answers[len(asked) - 1]

        client.commands.request = request
        readings = client.sensors.readings()
        for at in range(2 * ASKED):
            client.send_samples([(at, WARM)], UTC, names={200 + at: "Mine%d" % at}, kind=200 + at)
        client.send_samples([(99, WARM)], UTC)
        found = [await anext(readings) for _ in range(2 * ASKED + 1)]
        assert [one.values for one in found] == [{}] * 2 * ASKED + [{"temperature": 21.0}]
        await asyncio.sleep(0)
        assert asked == ["Mine%d" % at for at in range(ASKED)] and client.committed == 2 * ASKED
        tasks = list(client.sensors._asking.values())
        answers[0].set_result(json.dumps({"info": OWN}).encode())
        await explained(client, ASKED - 1)
        for at in (0, ASKED):  # the next one is asked for when it comes again
            client.send_samples([(100, b"\x00\x64")], UTC, names={200: "Mine%d" % at}, kind=200)
        assert [(await anext(readings)).values for _ in range(2)] == [{"level": 10.0}, {}]
        await asyncio.sleep(0)
        assert asked[ASKED:] == ["Mine%d" % ASKED]
        readings.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(task.cancelled() for task in tasks[1:])

    asyncio.run(main())


def test_device_that_is_gone_is_a_reading_without_values_and_no_longer_the_latest():
    async def main():
        client = FakeClient()
        client.send_samples([(100000, WARM)], UTC + 10)
        client.send_gone(110000, UTC + 11)
        readings = client.sensors.readings()
        await anext(readings)
        assert list(client.sensors.latest) == ["1_18"]
        gone = await anext(readings)
        assert (gone.device, gone.type, gone.status) == ("1_18", "MCP9808", PENDING_DELETION)
        assert (gone.values, gone.raw, gone.time, gone.number) == ({}, b"", pytest.approx(UTC + 11), 1)
        assert client.sensors.latest == {}

    asyncio.run(main())


def test_each_start_of_the_client_has_a_clock_of_its_own_and_few_are_kept():
    async def main():
        client = FakeClient()
        readings = client.sensors.readings()
        for life in range(3 * LIVES):
            client.send_samples([(10000, WARM)], UTC + 100 * life + 1, life=life)
            assert (await anext(readings)).time == pytest.approx(UTC + 100 * life + 1)
        assert len(client.sensors._clocks) == LIVES

    asyncio.run(main())


def test_command_answers_or_raises_what_the_client_says():
    async def main():
        client = FakeClient()
        client.commands.answer = lambda request: {"data": "ab"} if request["cmd"] == "cmdraw" else {"error": "barred"}
        assert await client.sensors.command("cmdraw", addr=24, read=1) == {"data": "ab"}
        with pytest.raises(CommandFailed, match="barred"):
            await client.sensors.command("bar", addr=24, ms=1)
        client.commands.answer = lambda request: b"nonsense"
        with pytest.raises(CommandFailed, match="bad_answer"):
            await client.sensors.command("pause")

        def failed(request):
            raise RequestFailed("it broke")

        client.commands.answer = failed
        with pytest.raises(RequestFailed):
            await client.sensors.command("pause")

    asyncio.run(main())


def test_sample_of_a_type_without_a_name_is_raw():
    async def main():
        client = FakeClient()
        client.send_samples([(0, WARM)], UTC, names={}, kind=MCP)
        found = await anext(client.sensors.readings())
        assert found.type is None and found.values == {} and found.raw == WARM

    asyncio.run(main())


def test_loop_that_is_left_in_any_way_stops_nobody_else():
    async def main():
        client = FakeClient()
        viewer = client.sensors.readings(lossless=False)

        async def fails():
            async for _ in client.sensors:
                raise KeyError("of the application")

        async def leaves():
            async for _ in client.sensors:
                break

        for at, reader in enumerate((fails, leaves)):
            task = asyncio.create_task(reader())
            await asyncio.sleep(0)
            client.send_samples([(at, WARM)], UTC)
            assert (await anext(viewer)).number == at
            await asyncio.wait([task])
            assert client.sensors._subscribers == [viewer]
        client.send_samples([(9, WARM)], UTC)
        assert (await anext(viewer)).number == 2

    asyncio.run(main())


def test_subscriber_of_before_a_fault_does_not_hold_up_those_after_it():
    async def main():
        client = FakeClient()
        channel = client.channels[sensors_module.SAMPLES]

        async def messages():
            raise StoreError("no disk")
            yield

        whole, channel.messages = channel.messages, messages
        first = client.sensors.readings()
        with pytest.raises(StoreError):
            await anext(first)
        channel.messages = whole
        second = client.sensors.readings()
        for at in range(2):
            client.send_samples([(at, WARM)], UTC)
            assert (await anext(second)).number == at

    asyncio.run(main())


@pytest.mark.parametrize(
    "attribute", [{"t": "<f", "lut": [{"r": "1", "v": 2}]}, {"t": "<d", "a": 10**400}, {"t": "<f", "u": ["mm"]}]
)
def test_description_that_does_not_fit_costs_its_values_and_stops_nothing(attribute):
    async def main():
        client = FakeClient()
        info = {"name": "Mine", "resp": {"a": [{"n": "level", **attribute}]}}
        client.commands.answer = lambda request: {"info": info}
        client.send_samples([(0, b"\0\0\x80\x7f" * 2)], UTC, names={200: "Mine"}, kind=200)  # infinity, as <f
        client.send_samples([(1, WARM)], UTC)
        readings = client.sensors.readings()
        assert (await anext(readings)).raw == b"\0\0\x80\x7f" * 2
        assert (await anext(readings)).values == {"temperature": 21.0}

    asyncio.run(main())


def test_fault_in_decoding_is_told_and_the_sample_is_raw(monkeypatch):
    def broken(info, data):
        raise OverflowError("too large")

    async def main():
        client = FakeClient()
        monkeypatch.setattr(sensors_module, "readings", broken)
        client.send_samples([(0, WARM)], UTC)
        found = await anext(client.sensors.readings())
        assert found.values == {} and found.raw == WARM
        assert client.told == [("sensor_batch_refused", {"fault": "too large"})] and client.sensors.refused == 1

    asyncio.run(main())


def test_answer_of_nested_brackets_is_a_bad_answer():
    async def main():
        client = FakeClient()
        client.commands.answer = lambda request: b"[" * 100000
        with pytest.raises(CommandFailed, match="bad_answer"):
            await client.sensors.command("pause")

    asyncio.run(main())


def test_client_with_ever_new_devices_and_types_has_bounded_tables():
    async def main():
        client = FakeClient()
        client.commands.answer = lambda request: {"info": OWN}
        readings = client.sensors.readings()
        for at in range(2 * MOST):
            names = {200: "Mine%d" % at}
            client.send_samples([(at, WARM)], UTC, names=names, kind=200, address=0x18 + at % 64 | at // 64 << 8)
            await anext(readings)
            await explained(client)
        assert len(client.sensors.latest) == len(client.sensors._types) == MOST
        assert "1_157" in client.sensors.latest and "1_18" not in client.sensors.latest
        client.send_samples([(0, WARM)], UTC, address=0x78)
        client.send_samples([(0, WARM)], UTC, address=0x18)
        assert (await anext(readings)).address == 0x18
        assert client.told[-1][0] == "sensor_batch_refused"

    asyncio.run(main())
