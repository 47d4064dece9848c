"""What a caller of `sensors` gets from the server: readings, why there are none, and the error that ends it."""

import asyncio

import pytest

from server.service import sensors_followed
from server.service.sensors_followed import follow
from tests.patience import PATIENCE_S
from tests.server.core.sensor_peer import UTC, FakeClient

WARM = b"\x01\x50"  # 21 degrees


class Viewed:
    """The Connection of a FakeClient. Args: up: it is connected; answer: see FakeChannel."""

    def __init__(self, up=True, answer=None):
        self.client = FakeClient()
        self.client.commands.answer = answer
        self.client_id = self.client.client_id
        self.up = up
        self.reader = asyncio.StreamReader()

    def sensors(self):
        return self.client.sensors

    def status(self):
        return self.up

    def sample(self, at=0):
        self.client.send_samples([(at, WARM)], UTC + at)


def listed(*devices):
    return lambda request: {"bus": 1, "devs": [[address, name, 1] for address, name in devices]}


def run(main):
    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))


@pytest.mark.parametrize(
    ("up", "answer", "words"),
    [
        (False, None, "mast is not connected"),
        (True, listed(), "mast has no device on its bus now"),
        (True, listed((0x248, None), (0x29, None), (0x18, "MCP9808")), "mast has no type for 1_248, 1_29"),
    ],
)
def test_note_says_why_nothing_may_come_and_what_comes_is_shown(up, answer, words):
    async def main():
        one = Viewed(up, answer)
        answers = follow(one, one.reader)
        assert (await anext(answers))["note"].startswith(words)
        one.sample()
        assert (await anext(answers))["values"] == {"temperature": 21.0}
        await answers.aclose()

    run(main)


def test_client_whose_devices_are_known_needs_no_note():
    async def main():
        one = Viewed(answer=listed((0x18, "MCP9808")))
        answers = follow(one, one.reader)
        one.sample()
        assert (await anext(answers))["device"] == "1_18"
        await answers.aclose()

    run(main)


def test_client_without_sensors_is_an_error_after_a_time(monkeypatch):
    monkeypatch.setattr(sensors_followed, "FIRST_S", 0.01)

    async def main():
        one = Viewed()
        with pytest.raises(ValueError, match="mast has sent no sample in 0.01 s, .*SensorService"):
            await anext(follow(one, one.reader))

    run(main)


@pytest.mark.parametrize("answer", [{"error": "bad_request", "text": ""}, {"bus": 1}, {"bus": 1, "devs": [3]}, 5])
def test_client_whose_list_is_none_is_not_trusted_and_its_samples_are_shown(answer):
    async def main():
        one = Viewed(answer=lambda request: answer)
        answers = follow(one, one.reader)
        one.sample()
        assert (await anext(answers))["values"] == {"temperature": 21.0}
        one.sample(1)
        assert (await anext(answers))["device"] == "1_18"
        await answers.aclose()

    run(main)


def test_service_that_begins_late_is_waited_for(monkeypatch):
    monkeypatch.setattr(sensors_followed, "FIRST_S", 0.01)

    async def main():
        one = Viewed()
        asked = sensors_followed.devices_of

        async def begins(connection):
            found = await asked(connection)
            one.client.commands.answer = listed()
            return found

        monkeypatch.setattr(sensors_followed, "devices_of", begins)
        assert (await anext(follow(one, one.reader)))["note"].startswith("mast has no device")

    run(main)


def test_caller_that_disconnects_ends_it_at_any_time():
    async def main():
        for one in (Viewed(), Viewed(answer=listed((0x18, "MCP9808")))):
            asyncio.get_running_loop().call_soon(one.reader.feed_eof)
            assert [answer async for answer in follow(one, one.reader)] == []
            assert not one.client.sensors._subscribers

    run(main)


def test_device_that_was_unplugged_is_not_shown_at_the_begin():
    async def main():
        one = Viewed(answer=listed((0x18, "MCP9808")))
        readings = one.client.sensors.readings()
        for address in (0x19, 0x18):
            one.client.send_samples([(0, WARM)], UTC, address=address)
            await anext(readings)
        answers = follow(one, one.reader)
        assert (await anext(answers))["device"] == "1_18"
        await answers.aclose()

    run(main)
