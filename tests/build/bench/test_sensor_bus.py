"""build/bench/sensor_bus.py: each of its figures has a bar. tests/sensor_bus/test_bus.py plays all of its scenes."""

from build.bench import sensor_bus
from build.bench.bars import BARS
from build.bench.figures import missed


def test_each_figure_has_a_bar_and_keeps_it(monkeypatch):
    monkeypatch.setattr(sensor_bus, "_BITS", (0, 8))
    monkeypatch.setattr(sensor_bus, "_PLUGGED_S", (0.05,))
    figures = list(sensor_bus.measure())
    assert {figure.name for figure in figures} == {name for name in BARS if name.startswith("sensor bus,")}
    assert missed(figures) == []
