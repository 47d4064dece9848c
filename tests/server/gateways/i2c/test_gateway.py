"""The buses of a server: opened, shared, tried again, asked by commands, and checked before."""

import asyncio
import json
import sys
from errno import ENODEV
from types import SimpleNamespace

import pytest

from remote_i2c.errors import BusError, closed
from remote_i2c.tls import read_tls
from server.gateways.i2c import doors, gateway
from server.gateways.i2c.gateway import Gateway
from server.gateways.i2c.settings import DESCRIPTION
from server.gateways.interface import gateway_class
from server.gateways.setting import SettingsError
from tests.patience import PATIENCE_S
from tests.remote_i2c.conftest import make_certificate
from tests.remote_i2c.fake_bus import FakeBus
from tests.remote_i2c.test_client import FakeConnection
from tests.server.gateways.host import make_host, settings_of
from tests.server.peer import until

SECRETS = {"smbus_token": lambda: "s" * 20, "web_token": lambda: None}


class Door:
    """A door of tests, with what it was made of. fails: what `run` raises."""

    def __init__(self, settings, secrets, buses, log):
        self.settings, self.secrets, self.buses, self.log = settings, secrets, buses, log
        self.running = False
        self.fails = None

    def metrics(self):
        return [("door_calls_total", "counter", "Calls of a door", 7)]

    async def run(self):
        self.running = True
        try:
            if self.fails is not None:
                raise self.fails
            await asyncio.get_running_loop().create_future()
        finally:
            self.running = False


def made(argument, name):
    bus = FakeBus({0x48: bytearray(range(256))})
    bus.name = name
    return bus


def unusable(argument, name):
    """A bus that opens at the third attempt; `attempts` has those so far."""
    bus = made(argument, name)
    bus.attempts = []

    async def open():
        bus.attempts.append(name)
        if len(bus.attempts) < 3:
            raise closed()

    bus.open = open
    return bus


def tables(**specs):
    return {
        name: SimpleNamespace(
            bus=f"python:{__name__}:{spec}", addresses="0x48", hold_ms=1000, wait_ms=1000, timeout_ms=500
        )
        for name, spec in specs.items()
    }


def make(*, log=lambda event, **details: None, connections=None, **given):
    """connections: {id of a client that the server knows: its Connection}."""
    given = {"buses": tables(one="made"), **given}
    connections = connections or {}
    registry = SimpleNamespace(get=connections.get)
    host = make_host(registry=registry, secrets=SECRETS, log=log, served=lambda: set(connections))
    return Gateway(settings_of(DESCRIPTION, **given), host)


async def while_running(one, use):
    task = asyncio.create_task(one.run())
    try:
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.sleep(0)
            return await use()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def open_doors(monkeypatch, smbus, web):
    """smbus, web: names of modules with a class Door."""
    made = (
        doors.Door("smbus_listen", "grpc", smbus, lambda module, *more: module.Door(*more)),
        doors.Door("web_listen", "web", web, lambda module, *more: module.Door(*more)),
    )
    monkeypatch.setattr(doors, "DOORS", made)


def request(**more):
    return {"bus": "one", "timeout_ms": 1000, **more}


def test_it_is_found_by_its_section():
    assert gateway_class("i2c") is Gateway


def test_it_names_the_buses_of_its_settings():
    spec = f"python:{__name__}:made"
    found = asyncio.run(make().ask({"what": "buses"}))
    assert found == {"buses": {"one": {"bus": spec, "addresses": [0x48]}}}


def test_commands_use_its_buses_and_are_counted():
    async def main():
        one = make()

        async def use():
            bus = await one.ask({"bus": "one", "what": "bus"})
            read = await one.ask(request(transfer=[[0x48, "05"], [0x48, 2]]))
            refused = await one.ask(request(quick=[0x49, False]))
            return json.loads(json.dumps([bus, read, refused])), one.metrics()

        return await while_running(one, use)

    (bus, read, refused), metrics = asyncio.run(main())
    assert bus == {"functions": FakeBus.functions, "max_bytes": 8192} and read == {"read": ["0506"]}
    assert refused["failed"]["place"] == "caller" and "not allowed" in refused["failed"]["text"]
    assert [(name, value) for name, _, _, value in metrics[:3]] == [
        ("i2c_calls_total", 1), ("i2c_failures_total", 0), ("i2c_late_total", 0)
    ]  # fmt: skip
    assert metrics[3][0] == "i2c_longest_hold_seconds" and metrics[3][3] > 0


def test_a_client_that_the_settings_do_not_name_is_used_by_its_text():
    connection = FakeConnection()

    async def main():
        one = make(connections={"pump": connection}, buses={})
        request = {"bus": "client:pump:0", "timeout_ms": 1000, "transfer": [[0x48, "05"], [0x48, 2]]}
        return await one.ask(request), await one.ask(request)

    assert asyncio.run(main()) == ({"read": ["0000"]},) * 2
    assert len(connection.requests) == 3  # one learns the life of its service


def test_a_client_that_the_settings_name_is_used_at_their_addresses():
    buses = tables(mast="made")
    buses["mast"].bus = "client:pump:0"

    async def main():
        one = make(connections={"pump": FakeConnection()}, buses=buses)
        return [
            await one.ask({"bus": "client:pump:00", "timeout_ms": 1000, "transfer": [[address, 1]]})
            for address in (0x48, 0x49)
        ]

    allowed, refused = asyncio.run(main())
    assert allowed == {"read": ["00"]}
    assert refused["failed"]["bus"] == "mast"
    assert "not allowed: see the addresses of the bus" in refused["failed"]["text"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("other", "the server has no bus other, but one"),
        ("client:valve:0", "the server knows no client 'valve': pb-link keys add valve"),
        ("client:pump", "client:ID:BUS is needed"),
    ],
)
def test_a_bus_that_there_is_not_is_told(name, told):
    answer = asyncio.run(make(connections={"pump": FakeConnection()}).ask({"bus": name, "what": "bus"}))
    assert told in answer["failed"]["text"] and answer["failed"]["place"] == "caller"


def test_two_entries_of_one_bus_are_one_bus_to_their_callers():
    one = make(buses=tables(one="made", other="made"))
    assert one.buses["one"].turns is one.buses["other"].turns
    assert (one.buses["other"].name, one.buses["other"].timeout_ms) == ("other", 500)


def test_a_bus_that_cannot_be_opened_is_told_once_and_tried_again(monkeypatch):
    """Also one whose adapter is pulled later, and is back."""
    monkeypatch.setattr(gateway, "AGAIN_S", 0.01)
    told = []

    async def main():
        one = make(log=lambda event, **details: told.append((event, details["bus"])), buses=tables(late="unusable"))
        bus = one.buses["late"]

        async def use():
            await until(lambda: len(told) == 2 and bus.turns.is_open, "the bus")
            bus._bus.attempts.clear()  # it cannot be opened at the first attempts
            bus.count(BusError(ENODEV, "the adapter is gone"))
            await until(lambda: len(told) == 4 and bus.turns.is_open, "the bus again")

        await while_running(one, use)

    asyncio.run(main())
    assert told == [("i2c_bus_unusable", "late"), ("i2c_bus_usable", "late")] * 2


def test_doors_are_opened_by_their_settings_and_share_the_buses(monkeypatch):
    open_doors(monkeypatch, __name__, __name__)

    async def main():
        assert make()._doors == []
        one = make(smbus_listen="h:1", web_listen="h:2")
        smbus, web = one._doors
        assert smbus.buses is web.buses is one.buses and list(one.buses) == ["one"]

        async def use():
            await until(lambda: smbus.running and web.running, "the doors")

        assert ("i2c_door_calls_total", "counter", "Calls of a door", 7) in one.metrics()
        await while_running(one, use)
        assert not (smbus.running or web.running)
        smbus.fails = OSError(98, "the address is used")
        with pytest.raises(OSError, match="is used"):
            await asyncio.wait_for(one.run(), PATIENCE_S)
        assert not web.running

    asyncio.run(main())


def test_a_door_whose_packages_are_missing_names_the_extra(monkeypatch):
    def wrong(*_):
        raise ValueError("a token is needed")

    monkeypatch.setitem(sys.modules, "wrong_door", SimpleNamespace(Door=wrong))
    open_doors(monkeypatch, "remote_i2c.no_such_door", "wrong_door")
    with pytest.raises(SettingsError, match=r"smbus_listen needs the extra grpc .* pip install '.\[grpc\]'"):
        make(smbus_listen="h:1")
    with pytest.raises(SettingsError, match="web_listen: a token is needed"):
        make(web_listen="h:1")


def test_a_bus_that_cannot_be_made_names_its_section():
    with pytest.raises(SettingsError, match=r"\[i2c.buses.one\]: .* has returned no Bus"):
        make(buses=tables(one="no_bus"))


def no_bus(argument, name):
    return None


def broken(argument, name):
    bus = made(argument, name)

    async def open():
        raise BusError(2, "there is none")

    bus.open = open
    return bus


def test_a_check_opens_the_buses_and_leaves_clients_alone():
    async def check(**given):
        return await Gateway.validate(settings_of(DESCRIPTION, **given), SECRETS)

    assert asyncio.run(check(buses=tables(one="made"))) is None
    assert "there is none" in asyncio.run(check(buses=tables(one="broken")))
    client = tables(one="made")
    client["one"].bus = "client:pump:0"
    assert asyncio.run(check(buses=client)) is None


def test_doors_are_made_of_their_settings(tmp_path, missing_tool):
    """What each door gets, with stand-ins for their modules."""
    made = []
    key, chain = map(str, make_certificate(tmp_path, missing_tool))
    module = SimpleNamespace(
        SmbusDoor=lambda *args, **more: made.append((args, more)),
        WebDoor=lambda *args, **more: made.append((args, more)),
    )  # fmt: skip
    settings = settings_of(
        DESCRIPTION, smbus_listen="127.0.0.1:1", smbus_certificate=chain, smbus_key=key,
        web_listen="127.0.0.1:2", web_certificate=chain, web_key=key, web_origins=["https://a"],
        web_chirimen="127.0.0.1:3",
    )  # fmt: skip
    told = []
    for door in doors.DOORS:
        door.make(module, settings, SECRETS, {"1": "bus"}, lambda event, **details: told.append((event, details)))
    (smbus_args, smbus), (web_args, web) = made
    smbus.pop("log")("smbus_call", address=1)
    assert told == [("smbus_call", {"address": 1})]
    assert smbus_args == ({"1": "bus"}, "127.0.0.1:1") == (web_args[0], "127.0.0.1:1")
    assert smbus == {"token": "s" * 20, "tls": read_tls(chain, key), "expiry_s": 5}
    web.pop("log")
    assert web_args[1] == "127.0.0.1:2" and web == {
        "token": None, "origins": ["https://a"], "hosts": [], "tls": (chain, key), "plain": False,
        "chirimen": "127.0.0.1:3", "chirimen_bus": None,
    }  # fmt: skip


def test_a_certificate_that_is_none_is_told_with_its_setting_and_file(tmp_path):
    none = tmp_path / "none.pem"
    none.write_text("none")
    for door in ("smbus", "web"):
        pair = {f"{door}_listen": "127.0.0.1:1", f"{door}_certificate": str(none), f"{door}_key": str(none)}
        told = rf"\[i2c\] {door}_listen: the certificate .*none.pem and its key .*none.pem cannot"
        with pytest.raises(SettingsError, match=told):
            make(**pair)
