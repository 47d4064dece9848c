"""A client's devices by the API: its sensors, and the seed's device manager."""

import asyncio

import pytest

from server.gateways.web import devices
from tests.server.core.sensor_peer import UTC
from tests.server.gateways.web.bed import served_test
from tests.server.peer import until


def with_ann(folder, test, *clients, **settings):
    async def run(found):
        browser = found.browser()
        await browser.log_in("ann")
        await test(found, browser)

    served_test(folder, run, *clients, **settings)


def test_sensors_of_a_client_and_live(tmp_path):
    async def test(found, browser):
        pump = found.fleet.clients["pump"]
        assert (await browser.get("/api/sensors/pump")).json["state"] == "away"
        found.fleet.connect("pump")
        answer = (await browser.get("/api/sensors/pump")).json
        assert answer["state"] == "there" and answer["sensors"][0]["device"] == "1_18" and answer["now"]
        async with browser.stream("/api/events?view=sensors&id=pump") as event:
            assert (await event())[0] == "snapshot"
            pump.sensor_peer.send_samples([(1, b"\x01\x50")], UTC)
            rows = []
            while not any(row["values"] for row in rows):
                rows = (await event())[1].get("sensors", [])
            assert rows[0]["values"][0]["value"] == 21.0
        await until(lambda: not pump.sensors()._subscribers, "the end of the reader")
        assert (await browser.get("/api/sensors/pump")).json["sensors"][0]["values"]
        assert (await browser.get("/api/sensors/nobody")).status == 404
        assert (await browser.get("/api/events?view=sensors&id=nobody")).status == 404

    with_ann(tmp_path, test, "pump")


def test_requests_of_the_seed_with_their_arguments_in_the_address_or_in_the_body(tmp_path):
    async def test(found, browser):
        pump = found.fleet.clients["pump"]
        listed = (await browser.get("/api/devman/listdevs?client=pump")).json
        assert listed == {
            "req": "listdevs", "rslt": "ok",
            "devices": [{"deviceid": "1_18", "addr": "18", "type": "MCP9808", "status": 1}],
        }  # fmt: skip
        info = (await browser.get("/api/devman/typeinfo?client=pump&deviceid=1_18")).json["devinfo"]
        assert info["resp"]["a"][0]["n"] == "temperature"
        in_address = await browser.ask("POST", "/api/devman/cmdraw?client=pump&deviceid=1_18&hexWr=05&numToRd=2")
        body = {"deviceid": "1_18", "hexWr": "05", "numToRd": 2}
        in_body = await browser.post("/api/devman/cmdraw?client=pump", body)
        assert in_address.json == in_body.json == {"req": "cmdraw", "rdData": "0150", "rslt": "ok"}
        assert pump.commands[-1] == pump.commands[-2]
        record = {"cmd": "addtype", "record": {"deviceType": "Mine"}}
        assert (await browser.post("/api/devman/cmdjson?client=pump", {"body": record})).json["rslt"] == "ok"
        assert pump.commands[-1] == record
        assert ("web_devman", "pump", {"user": "ann", "request": "cmdraw"}) in found.told

    with_ann(tmp_path, test, "pump")


def test_what_changes_something_is_no_get_as_the_seed_has_it(tmp_path):
    async def test(found, browser):
        for name in ("cmdraw", "cmdjson", "devconfig", "bar", "pause", "resume", "rescan"):
            answer = await browser.get(f"/api/devman/{name}?client=pump&deviceid=1_18&numToRd=1&ms=1")
            assert answer.status == 405 and answer.headers["allow"] == "POST", name
        assert found.fleet.clients["pump"].commands == []

    with_ann(tmp_path, test, "pump")


@pytest.mark.parametrize(
    "sent, shown",
    [
        (b'"\\ud800"', "\ud800"),
        (b"NaN", None),
        (b'[1.5, -Infinity, {"a": 1e999}]', [1.5, None, {"a": None}]),
    ],
)
def test_answer_of_a_client_that_is_no_json_for_others_is_made_so(tmp_path, sent, shown):
    async def test(found, browser):
        found.fleet.connect("pump")
        pump = found.fleet.clients["pump"]
        pump.sensor_peer.commands.answer = lambda command: b'{"bus": 1, "devs": [[24, %s, 1]]}' % sent
        answer = await browser.get("/api/devman/listdevs?client=pump")
        assert answer.status == 200 and answer.json["devices"][0]["type"] == shown
        assert not set(b"NI") & set(answer.body) and answer.body.isascii()
        name = shown if isinstance(shown, str) else None
        assert [row["type"] for row in (await browser.get("/api/sensors/pump")).json["sensors"]] == [name]
        async with browser.stream("/api/events?view=sensors&id=pump") as event:
            rows = []
            while not rows:
                rows = (await event())[1].get("sensors", [])
            assert [row["type"] for row in rows] == [name]

    with_ann(tmp_path, test, "pump")


@pytest.mark.parametrize(
    "path, body, status, text",
    [
        ("cmdraw?client=pump", {}, 200, "needs hexWr= or numToRd="),
        ("cmdraw?client=pump", {"deviceid": "7", "numToRd": 1}, 200, "deviceid must be as 1_38"),
        ("cmdraw?client=nobody", {}, 404, "no client 'nobody'"),
        ("cmdraw", {}, 404, "no client ''"),
        ("cmdraw?client=pump", {"numToRd": True}, 422, "numToRd must be a text"),
        ("cmdraw?client=pump", [], 422, "an object"),
        ("slot?client=pump", {}, 404, "Not Found"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, path, body, status, text):
    async def test(found, browser):
        answer = await browser.post("/api/devman/" + path, body)
        assert answer.status == status and text in answer.json["error"]
        assert status != 200 or answer.json["rslt"] == "fail"

    with_ann(tmp_path, test, "pump")


def test_requests_that_wait_for_clients_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "MAX_WAITING", 1)

    async def test(found, browser):
        free, peer = asyncio.Event(), found.fleet.clients["pump"].sensor_peer
        asked = []

        async def request(data, timeout_ms, wait):
            asked.append(data)
            await free.wait()
            return b'{"bus": 1, "devs": []}'

        peer.commands.request = request
        first = asyncio.create_task(browser.get("/api/devman/listdevs?client=pump"))
        await until(lambda: asked, "the first request")
        second = await browser.get("/api/devman/listdevs?client=pump")
        assert second.status == 503 and "1 requests to clients wait already" in second.json["error"]
        free.set()
        assert (await first).json["rslt"] == "ok"

    with_ann(tmp_path, test, "pump")
