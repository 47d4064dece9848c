"""The arguments that the commands which serve buses share."""

import pytest

from server.service.served_buses import allowed_addresses, bus_specs


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
