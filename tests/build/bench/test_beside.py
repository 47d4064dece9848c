"""build/bench/beside.py: the samples are really there beside the lines, and the same run gives the same figures."""

import pytest

from build.bench import beside
from build.bench.bed import COSTS
from build.bench.beside import RATE, EchoBeside, TrafficBeside, pause_s


def test_all_samples_come_beside_lines_that_fill_the_wire_and_the_figures_are_the_same_again():
    one, again = (TrafficBeside("up", COSTS["zero"]).measure(2) for _ in range(2))
    lines, messages, samples, clocked = one
    assert one == again and samples == pytest.approx(RATE, rel=0.05)
    assert lines > messages > 5 * samples and lines + messages < clocked


def test_samples_come_beside_an_echo():
    echo = EchoBeside(COSTS["zero"])
    took = echo.measure()
    assert len(took) == 200 and echo.sensors.samples > 200 * 0.05 * RATE


def test_pauses_lead_to_all_phases_of_a_batch():
    phases = sorted((pause_s(number) - pause_s(0)) % 0.1 for number in range(200))
    assert max(after - before for before, after in zip(phases, phases[1:])) < 0.002


def test_figure_without_its_samples_is_none(monkeypatch):
    monkeypatch.setattr(beside, "_SECONDS", 0.2)
    monkeypatch.setattr(beside, "RATE", 2 * RATE)
    monkeypatch.setattr(TrafficBeside.measure, "__defaults__", (0.2,))
    with pytest.raises(RuntimeError, match="samples a second have come, not 400"):
        beside.utilisation("up", "zero")
