"""A few seeds of a sensor bus under faults, and what is noticed if the bus were wrong."""

import json
import secrets

import pytest

from sensor_bus.access import Access
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


# What each of them has found.
FOUND = (
    41,  # a device that does not acknowledge on the main bus was taken for one in a slot
    48,  # ... of the run itself: a device that is only scanned met its last faults after the run's end
    125,  # a device whose identification failed three times was never asked again
    173,  # stamps were up to 1 ms too late
)


@pytest.mark.parametrize("seed", FOUND)
def test_seed_that_has_found_a_fault(seed):
    outcome = SensorRun(seed, slots_fail=False).play()
    assert outcome.good, outcome.why


def test_device_that_is_shown_in_the_wrong_slot_is_noticed(monkeypatch):
    async def never(scanner, address):
        return False

    monkeypatch.setattr(SlotScanner, "is_outside", never)
    assert not all(SensorRun(seed, slots_fail=False).play().good for seed in (33, 41, 62, 105, 133))


# What protects a bus, and seeds that tell when it is switched off.
DEFENCES = {
    "the look at the wires before a transaction": (Access, "_look_before", lambda access: None, (2, 3)),
    "the look at the wires after a transaction": (Access, "_look_after", lambda access: None, (1, 3)),
    "the closing of other multiplexers": (Multiplexers, "_reachable", lambda muxes, address: False, (0, 10)),
}


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
