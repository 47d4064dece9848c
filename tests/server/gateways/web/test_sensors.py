"""What a viewer of sensors is told: the newest of each device, what is gone, and why there is nothing."""

import asyncio
import math
from types import SimpleNamespace

import pytest

from protocol.errors import StoreError
from sensor_bus.publish import OFFLINE
from server.core.sensors import Reading
from server.gateways.web import sensors
from server.gateways.web.sensors import SensorFollows, SensorsView
from tests.server.core.sensor_peer import UTC, FakeClient
from tests.server.peer import until, within

WARM, WARMER = b"\x01\x50", b"\x01\x60"  # 21 and 22 degrees


class Viewed:
    """A client, its Connection, and the follows of a gateway."""

    def __init__(self, devices=((0x18, "MCP9808", 1),), up=True):
        self.client = FakeClient()
        self.devices = devices
        self.client.commands.answer = lambda request: {"bus": 1, "devs": [list(one) for one in self.devices]}
        self.up = up
        self.follows = SensorFollows({"mast": self}.__getitem__)
        self.at = 0

    def connected_here(self):
        return self.up

    def sensors(self):
        return self.client.sensors

    async def sample(self, data=WARM, **more):
        """The client sends a sample, and it has been read."""
        before = self.client.sensors.latest.get("1_18")
        self.at += 1
        self.client.send_samples([(self.at, data)], UTC + self.at, **more)
        await until(lambda: self.client.sensors.latest.get("1_18") is not before, "the reading")


def run(test, **given):
    async def main():
        viewed = Viewed(**given)
        await within(test(viewed, SensorsView(viewed.follows, "mast")))

    asyncio.run(main())


def test_values_with_units_and_only_what_is_new():
    async def test(viewed, view):
        assert view.snapshot() == {"state": "asking", "sensors": []}
        await viewed.sample()
        change = view.change()
        [row] = change["sensors"]
        assert (row["device"], row["type"], row["raw"]) == ("1_18", "MCP9808", "0150") and row["at"] is not None
        assert row["online"]
        assert row["values"] == [{"name": "temperature", "value": 21.0, "unit": "\u00b0C", "valid": True}]
        assert change["state"] == "there" and view.change() is None
        for _ in range(5):
            await viewed.sample()
        await viewed.sample(WARMER)
        assert [row["values"][0]["value"] for row in view.change()["sensors"]] == [22.0]  # no queue
        assert view.snapshot()["sensors"][0]["values"][0]["value"] == 22.0
        view.close()

    run(test)


def test_device_without_a_reading_is_listed_and_one_that_is_gone_is_told(monkeypatch):
    monkeypatch.setattr(sensors, "ASK_S", 0.01)

    async def test(viewed, view):
        view.snapshot()
        await until(lambda: viewed.client.commands.asked, "the question")
        await asyncio.sleep(0)
        row = {"device": "1_30", "type": None, "at": None, "online": True, "values": [], "raw": ""}
        assert view.change()["sensors"] == [row]
        viewed.devices = ()
        change = None
        while change is None:
            await asyncio.sleep(0)
            change = view.change()
        assert change == {"gone": ["1_30"], "state": "empty"}
        view.close()

    run(test, devices=((0x30, None, 1),))


def test_device_that_is_not_listed_is_shown_if_it_has_sent_since():
    async def test(viewed, view):
        viewed.devices = ()
        reader = viewed.client.sensors.readings(lossless=False)
        await viewed.sample()  # it was unplugged before anybody looked on
        assert await viewed.follows.now("mast") == ("empty", [])
        view.snapshot()
        await until(lambda: view.change() or view._state == "empty", "the list")
        assert view.snapshot() == {"state": "empty", "sensors": []}
        await viewed.sample(WARMER)  # and plugged again
        assert [row["device"] for row in view.change()["sensors"]] == ["1_18"]
        view.close()
        reader.close()

    run(test)


def test_device_that_was_pulled_is_told():
    async def test(viewed, view):
        view.snapshot()
        await viewed.sample()
        view.change()
        viewed.devices = ()
        viewed.client.send_gone(9, UTC + 9)
        await until(lambda: not viewed.client.sensors.latest, "the end of the device")
        await viewed.follows._followed["mast"].ask()
        assert view.change() == {"gone": ["1_18"], "state": "empty"}
        view.close()

    run(test)


@pytest.mark.parametrize("up, answers, state", [(False, True, "away"), (True, False, "none"), (True, True, "empty")])
def test_state_says_why_there_is_nothing(up, answers, state):
    async def test(viewed, view):
        if not answers:
            viewed.client.commands.answer = None
        assert await viewed.follows.now("mast") == (state, [])

    run(test, devices=(), up=up)


def test_two_viewers_share_one_reader_which_ends_with_the_last():
    async def test(viewed, view):
        other = SensorsView(viewed.follows, "mast")
        view.snapshot(), other.snapshot()
        await viewed.sample()
        assert view.change()["sensors"] == other.change()["sensors"] != []
        [reader] = viewed.client.sensors._subscribers
        view.close()
        await viewed.sample(WARMER)
        assert other.change()["sensors"][0]["values"][0]["value"] == 22.0
        other.close()
        await until(lambda: not viewed.client.sensors._subscribers, "the end of the reader")

    run(test)


def test_view_that_never_began_ends():
    async def test(viewed, view):
        view.close()
        assert viewed.client.sensors._subscribers == []

    run(test)


def test_reading_goes_on_after_the_store_has_failed(monkeypatch):
    monkeypatch.setattr(sensors, "AGAIN_S", 0.0)

    async def test(viewed, view):
        view.snapshot()
        await until(lambda: viewed.client.sensors._subscribers, "the reader")
        failed = viewed.client.sensors._subscribers[0]
        failed.fail(StoreError("the disk is full"))
        await until(lambda: viewed.client.sensors._subscribers[-1:] not in ([], [failed]), "the next reader")
        await viewed.sample()
        assert view.change()["sensors"]
        view.close()

    run(test)


def test_devices_are_asked_for_again_after_the_client_was_at_another_server(monkeypatch):
    monkeypatch.setattr(sensors, "ASK_S", 0.0)

    async def test(viewed, view):
        answer = viewed.client.commands.answer

        def gone(request):
            viewed.client.commands.answer = answer
            raise StoreError("the client has gone to another server")

        viewed.client.commands.answer = gone
        view.snapshot()
        await until(lambda: (view.change() or {}).get("state") == "there", "the list")
        view.close()
        viewed.client.commands.answer = gone
        assert await viewed.follows.now("mast") == ("none", [])

    run(test)


def test_device_that_does_not_answer_is_told():
    async def test(viewed, view):
        found = sensors.Followed(viewed)
        reading = Reading("1_18", 1, 0x18, "MCP9808", UTC, {"temperature": 21.0}, {}, (), OFFLINE, WARM, 1)
        viewed.client.sensors.latest["1_18"] = reading
        [row] = found.rows_since({})
        assert not row["online"] and row["values"][0]["value"] == 21.0

    run(test)


def test_value_that_json_cannot_have_is_null():
    assert sensors._number(math.nan) is None and sensors._number([1.5, -math.inf, "x"]) == [1.5, None, "x"]


def test_names_of_values_are_looked_up_once_and_those_that_only_decode_are_left_out():
    async def test(viewed, view):
        found = sensors.Followed(viewed)
        looks = []
        info = {"resp": {"a": [{"n": "shown", "t": "B"}, {"n": "crc", "t": "B", "vs": False}]}}
        viewed.client.sensors.info = lambda name: looks.append(name) or info
        reading = SimpleNamespace(type="Mine", values={"shown": 1, "crc": 2})
        assert list(found._shown(reading)) == ["shown"] and list(found._shown(reading)) == ["shown"]
        assert looks == ["Mine"]
        for number in range(sensors.MAX_TYPES + 5):
            found._shown(SimpleNamespace(type=str(number), values={"shown": 1}))
        assert len(found._names) <= sensors.MAX_TYPES

    run(test)
