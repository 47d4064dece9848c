"""What a text names: a bus, or an error that says what is needed."""

import sys

import pytest

from remote_i2c.linux import LinuxBus
from remote_i2c.providers import check_spec, make_bus
from tests.remote_i2c import fake_bus


def test_linux():
    bus = make_bus("/dev/i2c-7", "desk")
    assert isinstance(bus, LinuxBus) and bus.path == "/dev/i2c-7" and bus.name == "desk"


def test_linux_without_its_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "remote_i2c.linux", None)
    with pytest.raises(ValueError, match=r"pip install '\.\[linux\]' in the checkout"):
        make_bus("/dev/i2c-7", "desk")


@pytest.mark.parametrize(
    "spec, told",
    [
        ("", "names no bus: /dev/i2c-1, client:ID:BUS or sim:FILE is needed"),
        ("i2c-1", "names no bus"),
        ("/dev/i2c-", "a number is needed"),
        ("/dev/i2c-one", "a number is needed"),
        ("/dev/i2c-\u0661", "a number is needed"),
        ("client:pump", "client:ID:BUS is needed"),
        ("client::0", "client:ID:BUS is needed"),
        ("client:pump:256", "BUS from 0 to 255"),
        ("sim:", "FILE"),
        ("python:os", "python:MODULE:FUNCTION is needed"),
    ],
)
def test_what_names_no_bus_is_refused_with_what_is_needed(spec, told):
    with pytest.raises(ValueError, match=told):
        check_spec(spec)
    with pytest.raises(ValueError, match=told):
        make_bus(spec, "x", lambda client_id: object())


@pytest.mark.parametrize("spec", ["/dev/i2c-1", "client:pump:0", "client:a:b:1", "sim:plan.toml", "python:os:listdir"])
def test_what_names_a_bus_is_not_looked_at(spec):
    check_spec(spec)


def test_a_client_needs_a_server_that_knows_it():
    with pytest.raises(ValueError, match=r"section \[i2c\]"):
        make_bus("client:pump:0", "x")
    with pytest.raises(ValueError, match="knows no client pump"):
        make_bus("client:pump:0", "x", {}.__getitem__)


def test_a_function_of_python_gets_what_stands_behind_it():
    bus = make_bus(f"python:{__name__}:made:a:b", "own")
    assert (bus.argument, bus.name) == ("a:b", "own")


@pytest.mark.parametrize(
    "spec, told",
    [
        ("python:no_such_module:f", "no_such_module"),
        (f"python:{__name__}:absent", "absent"),
        (f"python:{__name__}:no_bus", "has returned no Bus"),
    ],
)
def test_a_function_that_makes_no_bus_is_told(spec, told):
    with pytest.raises(ValueError, match=told):
        make_bus(spec, "own")


def made(argument, name):
    bus = fake_bus.FakeBus({})
    bus.argument, bus.name = argument, name
    return bus


def no_bus(argument, name):
    return None
