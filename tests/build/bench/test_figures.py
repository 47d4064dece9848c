"""build/bench/figures.py: ratios, and the bars that are missed."""

from build.bench import figures
from build.bench.bars import BARS
from build.bench.figures import Figure


def test_missed_bar_is_named(monkeypatch):
    bars = {"a": (">=", 2), "a, of the limit": (">=", 0.5), "not measured": ("<=", 1)}
    monkeypatch.setattr(figures, "BARS", bars)
    measured = [Figure("wire", "a", 1, "s", 4)]
    assert figures.missed(measured) == ["a: 1, the bar is >= 2", "a, of the limit: 0.250, the bar is >= 0.500"]
    assert figures.missed([Figure("wire", "a", 2, "s", 4)]) == []


def test_ratio_to_a_lower_limit_is_at_most_1():
    assert figures.ratio(Figure("echo", "a", 10.0, "ms", 5.0)) == 0.5
    assert figures.ratio(Figure("echo", "a", 10.0, "ms")) is None


def test_bar_without_a_figure_is_missed_when_all_was_measured():
    """A figure that has got another name would never miss its bar."""
    assert figures.missed([]) == []
    assert len(figures.missed([], whole=True)) == len(BARS)
