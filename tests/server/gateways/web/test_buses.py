"""I2C by the API: what may be reached, what is found, and how errors are told."""

import asyncio
from errno import EBUSY, ENODEV, ETIMEDOUT

import pytest

from remote_i2c.bus import SMBUS_QUICK
from remote_i2c.errors import LINK, BusError, not_allowed, timed_out
from server.gateways.setting import SettingsError
from server.gateways.web import buses
from server.gateways.web.buses import Buses
from tests.server.gateways.host import make_host
from tests.server.gateways.web.bed import Fleet, served_test
from tests.server.gateways.web.test_devices import with_ann
from tests.server.peer import until


def with_sam(folder, test, **settings):
    async def run(found):
        browser = found.browser()
        await browser.log_in("sam")
        await test(found, browser)

    served_test(folder, run, "pump", **settings)


def test_only_named_buses_are_there_with_their_addresses_and_clients(tmp_path):
    async def test(found, browser):
        desk, mast = (await browser.get("/api/i2c")).json["buses"]
        assert desk == {"name": "desk", "client": None, "addresses": [0x18, *range(0x30, 0x40), 0x50]}
        assert mast == {"name": "mast", "client": "pump", "addresses": [0x48]}
        for name in ("other", "client:pump:0", "client%3Apump%3A0", "%2Fdev%2Fi2c-9", "nothing"):
            for path in (f"/api/i2c/{name}/scan", f"/api/i2c/{name}/transfer"):
                answer = await browser.post(path, {"address": 0x18, "read": 1})
                assert answer.status == 404 and answer.json["error"], name
        assert found.fleet.fake_bus.log == []

    with_sam(tmp_path, test, i2c=["desk", "mast"])


def test_nothing_is_reachable_by_default(tmp_path):
    async def test(found, browser):
        assert (await browser.get("/api/i2c")).json == {"buses": []}
        assert (await browser.post("/api/i2c/desk/scan")).status == 404

    with_sam(tmp_path, test, i2c=[])


def test_scan_looks_at_allowed_addresses_by_what_harms_least(tmp_path):
    async def test(found, browser):
        answer = (await browser.post("/api/i2c/desk/scan")).json
        assert answer == {"found": [0x18, 0x50], "in_use": [], "unknown": [], "refused": []}
        read = [transfer[0].address for what, transfer in found.fleet.fake_bus.log if what == "begin"]
        assert read == [*range(0x30, 0x38), 0x50]  # all others: the address alone
        assert ("web_bus_used", None, {"user": "sam", "bus": "desk", "what": "scan"}) in found.told

    with_sam(tmp_path, test)


def test_scan_tells_what_a_driver_has(tmp_path):
    async def test(found, browser):
        async def quick(address, read, timeout_ms):
            raise BusError(EBUSY, address=address)

        found.fleet.fake_bus.quick = quick
        assert (await browser.post("/api/i2c/desk/scan")).json["in_use"] == [0x18, *range(0x38, 0x40)]

    with_sam(tmp_path, test)


def test_scan_tells_what_the_client_does_not_allow_and_where_the_bus_cannot_look(tmp_path):
    async def test(found, browser):
        async def quick(address, read, timeout_ms):
            raise not_allowed(address)

        found.fleet.fake_bus.quick = quick
        answer = (await browser.post("/api/i2c/desk/scan")).json
        assert answer["refused"] == [0x18, *range(0x38, 0x40)] and answer["found"] == [0x50]
        found.fleet.fake_bus.functions = SMBUS_QUICK
        answer = (await browser.post("/api/i2c/desk/scan")).json
        assert answer["unknown"] == [*range(0x30, 0x38), 0x50] and answer["found"] == []

    with_sam(tmp_path, test)


def test_scan_has_a_limit_of_time(tmp_path, monkeypatch):
    monkeypatch.setattr(buses, "SCAN_S", 0.05)

    async def test(found, browser):
        found.fleet.fake_bus.gate = asyncio.Event()
        answer = await browser.post("/api/i2c/desk/scan")
        assert answer.status == 503 and "longer than 0.05 s" in answer.json["error"]

    with_sam(tmp_path, test)


def test_write_and_read_are_one_transfer(tmp_path):
    async def test(found, browser):
        answer = await browser.post("/api/i2c/desk/transfer", {"address": 0x18, "write": "00", "read": 2})
        assert answer.json == {"read": "0150"}
        assert (await browser.post("/api/i2c/desk/transfer", {"address": 0x50, "write": "10aabb"})).json == {"read": ""}
        assert found.fleet.fake_bus.devices[0x50][0x10:0x12] == b"\xaa\xbb"
        assert (await browser.post("/api/i2c/desk/transfer", {"address": 0x50, "read": 1})).json == {"read": "aa"}
        details = {"user": "sam", "bus": "desk", "what": "write", "address": "0x50"}
        assert ("web_bus_used", None, details) in found.told

    with_sam(tmp_path, test)


@pytest.mark.parametrize(
    "body, status, text",
    [
        ({"address": 0x19, "read": 1}, 403, "EACCES: this address is not allowed: see the addresses of the bus"),
        ({"address": 0x30, "read": 1}, 409, "ENXIO: no device acknowledged the address (bus desk, address 0x30"),
        ({"address": 0x18}, 422, "give write"), ({"address": 0x18, "read": 0}, 422, "give write"),
        ({"address": 0x18, "write": "1"}, 422, ""), ({"address": 0x18, "write": "xy"}, 422, ""),
        ({"address": 0x80, "read": 1}, 422, "not one of 7 bits"), ({"address": True, "read": 1}, 422, "bool"),
        ({"address": 0x18, "read": -1}, 422, "its size is -1"), ({"address": 0x18, "read": 9000}, 422, "at most 8192"),
        ({"address": "18", "read": 1}, 422, "address must be a int"), ({"read": 1}, 422, "address must be"),
    ],
    ids=str,
)  # fmt: skip
def test_what_fails_is_said_in_words(tmp_path, body, status, text):
    async def test(found, browser):
        answer = await browser.post("/api/i2c/desk/transfer", body)
        assert answer.status == status and text in answer.json["error"], answer.json

    with_sam(tmp_path, test)


@pytest.mark.parametrize(
    "error, text",
    [
        (timed_out(LINK, "the client pump has not answered"), "ETIMEDOUT: the client pump has not answered"),
        (BusError(ENODEV, "the adapter was pulled"), "ENODEV: the adapter was pulled (bus desk)"),
        (BusError(ETIMEDOUT), "ETIMEDOUT: "),
    ],
    ids=str,
)
def test_bus_that_fails_is_no_failure_of_the_server(tmp_path, error, text):
    async def test(found, browser):
        async def transfer(messages, timeout_ms):
            raise error

        found.fleet.fake_bus.transfer = transfer
        for path, body in (("transfer", {"address": 0x18, "read": 1}), ("scan", {})):
            answer = await browser.post(f"/api/i2c/desk/{path}", body)
            assert answer.status == 409 and answer.json["error"].startswith(text), answer.json

    with_sam(tmp_path, test)


def test_calls_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(buses, "MAX_CALLS", 1)

    async def test(found, browser):
        bus = found.fleet.fake_bus
        bus.gate = asyncio.Event()
        body = {"address": 0x18, "read": 1}
        first = asyncio.create_task(browser.post("/api/i2c/desk/transfer", body))
        await until(lambda: bus.log, "the first call")
        second = await browser.post("/api/i2c/desk/transfer", body)
        assert second.status == 503 and "1 calls of buses wait already" in second.json["error"]
        bus.gate.set()
        assert (await first).status == 200

    with_ann(tmp_path, test, "pump")


def test_bus_that_is_not_in_the_settings_ends_the_start():
    host = make_host(ask_gateway=Fleet("pump").ask_gateway)
    asyncio.run(Buses(["desk", "mast"], host).check())
    with pytest.raises(SettingsError, match=r"\[web\] i2c names the bus 'roof', but .* are: desk, other, mast"):
        asyncio.run(Buses(["desk", "roof"], host).check())
