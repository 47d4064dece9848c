"""The benchmark: its bars, its table, and that what it measures is what the link does."""

import json

import pytest

from build import bench, bench_bars, bench_boards, bench_ceiling, bench_figures, bench_times, bench_wire
from build.bench_bed import COSTS
from build.bench_figures import Figure


def test_missed_bar_is_named(monkeypatch):
    bars = {"a": (">=", 2), "a, of the limit": (">=", 0.5), "not measured": ("<=", 1)}
    monkeypatch.setattr(bench_figures, "BARS", bars)
    figures = [Figure("wire", "a", 1, "s", 4)]
    assert bench_figures.missed(figures) == ["a: 1, the bar is >= 2", "a, of the limit: 0.250, the bar is >= 0.500"]
    assert bench_figures.missed([Figure("wire", "a", 2, "s", 4)]) == []


def test_ratio_to_a_lower_limit_is_at_most_1():
    assert bench_figures.ratio(Figure("echo", "a", 10.0, "ms", 5.0)) == 0.5
    assert bench_figures.ratio(Figure("echo", "a", 10.0, "ms")) is None


def test_same_traffic_gives_the_same_figures():
    one, again = (bench_wire.Traffic("up", 180, False, COSTS["zero"]).measure(0.5) for _ in range(2))
    assert one == again


def test_every_bar_belongs_to_a_figure(monkeypatch, micropython64, micropython32, micropython_bridge):
    """A figure that has got another name would never miss its bar."""
    monkeypatch.setattr(bench_boards, "_LINES", 100)
    monkeypatch.setattr(bench_boards, "_HEAP_LINES", 20)
    monkeypatch.setattr(bench_wire, "_SECONDS", 0.2)
    monkeypatch.setattr(bench_wire, "_ECHOES", 3)
    monkeypatch.setattr(bench_times, "_PHASES", 1)
    monkeypatch.setattr(bench_times, "_IDLE_S", 2.0)
    names = {figure.name for part in bench.PARTS.values() for figure in part()}
    assert {name.removesuffix(", of the limit") for name in bench_bars.BARS} <= names


def test_ceiling_grows_with_the_line():
    for direction in bench_wire.DIRECTIONS:
        for costs in COSTS.values():
            rates = [bench_ceiling.stream(direction, size, costs) for size in bench_wire.SIZES]
            assert rates == sorted(rates)


def test_command_writes_the_figures_and_fails_on_a_missed_bar(tmp_path, monkeypatch, capsys):
    figures = [Figure("idle", "a", 3.0, "per second", 1.0)]
    monkeypatch.setattr(bench, "PARTS", {"some": lambda: figures})
    monkeypatch.setattr(bench_figures, "BARS", {"a": ("<=", 1)})
    path = tmp_path / "figures.json"
    assert bench.main(["--json", str(path)]) == 1
    written = json.loads(path.read_text())
    assert written["figures"][0]["value"] == 3.0 and written["missed"]
    assert "a [per second]" in capsys.readouterr().out


def test_unknown_part_is_an_error(tmp_path):
    with pytest.raises(SystemExit):
        bench.main(["--json", str(tmp_path / "x"), "nothing"])
