"""A few seeds of a sensor bus under faults, and what is noticed if the bus were wrong."""

import json
import secrets

import pytest

from sensor_bus import identify
from sensor_bus.access import Access
from sensor_bus.faults import NoAnswer
from sensor_bus.power import Expander
from sensor_bus.slot_access import SlotAccess
from sensor_bus.slot_scanner import SlotScanner
from sensor_bus.slots import Multiplexers
from sim import cli
from sim.virtual.sensor_soak import SensorRun

SEEDS = 4  # `make soak-sensors` has a thousand


def test_fresh_seeds_end_with_what_is_there(report_line, capsys):
    first = secrets.randbelow(10**9)
    status = cli.main(["sensors", "--seeds", f"{first}:{first + SEEDS}", "--json"])
    said = capsys.readouterr().out
    report_line(f"sensors: seeds {first}:{first + SEEDS}: {said.splitlines()[-1]}")
    assert status == 0, said
    summary = json.loads(said.splitlines()[-1])
    assert summary["wrong"] == 0 and summary["samples"] > 0 and summary["faults"] > 0


async def _is_taken_for_a_multiplexer(scanner, address):
    return scanner.muxes.add(address & 0x7F, address >> 8)


def _is_never_in_doubt(access, address, byte):
    access.mux_failed = address
    if access.reset is not None:
        access.reset()
        access.muxes.closed()
    raise NoAnswer(address)  # so the device that was to be used is to blame


async def _is_never(scanner, address):
    return False


# What protects a bus, and seeds that tell when it is switched off.
DEFENCES = {
    "the look at the wires before a transaction": (Access, "_look_before", lambda access: None, (3, 5)),
    "the look at the wires after a transaction": (Access, "_look_after", lambda access: None, (2,)),
    "the closing of other multiplexers": (Multiplexers, "_reachable", lambda muxes, address: False, (0,)),
    "the look at a power switch": (Expander, "is_reset", lambda expander: False, (58, 59)),
    "the look at the address of a multiplexer": (SlotScanner, "_look_at", _is_taken_for_a_multiplexer, (0,)),
    "the look whether a device is on the main bus": (SlotScanner, "is_outside", _is_never, (0,)),
    "the look whether a device is behind a multiplexer": (SlotScanner, "_is_inside", _is_never, (95,)),
    "the look at the type of a device": (identify, "can_look", lambda records, number: False, (3,)),
    "the doubt of a multiplexer": (SlotAccess, "_given_up", _is_never_in_doubt, (24, 37)),
}  # fmt: skip


@pytest.mark.parametrize("name", DEFENCES)
def test_without_a_defence_the_run_is_wrong(name, monkeypatch):
    owner, method, nothing, seeds = DEFENCES[name]
    monkeypatch.setattr(owner, method, nothing)
    assert not all(SensorRun(seed).play().good for seed in seeds)


def test_same_seed_is_the_same_run():
    assert SensorRun(7).play() == SensorRun(7).play()


def test_seeds_that_are_none_are_refused(capsys):
    assert cli.main(["sensors", "--seeds", "7"]) == 2
    assert "A:B" in capsys.readouterr().err
