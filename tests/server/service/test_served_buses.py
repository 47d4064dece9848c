"""The arguments that the commands which serve buses share."""

import asyncio

import pytest

from remote_i2c.asked import AskedBus
from server.service.served_buses import allowed_addresses, bus_specs, opened, shared_buses


def test_buses_have_names():
    assert bus_specs(["1=/dev/i2c-1", "test=sim:a=b.json"]) == {"1": "/dev/i2c-1", "test": "sim:a=b.json"}


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (None, "no bus"), (["1"], "NAME=BUS"), (["=x"], "NAME=BUS"), (["1="], "NAME=BUS"),
        (["1=a", "1=b"], "a bus 1 already"),
    ],
)  # fmt: skip
def test_what_names_no_bus(texts, says):
    with pytest.raises(ValueError, match=says):
        bus_specs(texts)


def test_addresses_are_those_of_one_bus_or_of_all():
    assert allowed_addresses(None, ["1", "2"]) == {}
    assert allowed_addresses(["2=0x48"], ["1", "2"]) == {"2": {0x48}}
    assert allowed_addresses(["0x10", "0x11", "2=0x48", "2=0x49"], ["1", "2"]) == {"1": {0x10, 0x11}, "2": {0x48, 0x49}}
    with pytest.raises(ValueError, match="there is no bus 3"):
        allowed_addresses(["3=all"], ["1"])


def test_buses_are_made_of_their_texts(tmp_path):
    plan = tmp_path / "plan.json"
    plan.write_text('[{"type": "TMP117"}]')
    specs = {"1": f"sim:{plan}", "mast": "client:pump:0", "again": "client:pump:00"}
    buses = shared_buses(specs, {"mast": {0x44, 0x45}}, (0x48,), "no.sock")
    assert {name: bus.addresses for name, bus in buses.items()} == {
        "1": {0x48}, "mast": {0x44, 0x45}, "again": {0x48}
    }  # fmt: skip
    assert isinstance(buses["mast"]._bus, AskedBus) and buses["mast"].turns is buses["again"].turns
    assert buses["1"].turns is not buses["mast"].turns


def test_buses_are_closed_when_one_cannot_be_opened(tmp_path):
    plan = tmp_path / "plan.json"
    plan.write_text('[{"type": "TMP117"}]')
    buses = shared_buses({"1": f"sim:{plan}", "2": "client:pump:0"}, {}, (0x48,), str(tmp_path / "no.sock"))

    async def use():
        async with opened(buses):
            pass

    with pytest.raises(OSError, match="no server runs here: there is nobody at .*no.sock"):
        asyncio.run(use())
    assert buses["1"].turns.is_closed and not buses["2"].turns.is_open
