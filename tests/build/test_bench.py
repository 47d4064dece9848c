"""The benchmark: its bars, its table, and that what it measures is what the link does."""

import json

import pytest

from build import (
    bench,
    bench_bars,
    bench_ceiling,
    bench_counts,
    bench_figures,
    bench_server,
    bench_wire,
)
from build.bench_bed import COSTS
from build.bench_figures import Figure
from build.shell import BuildError, MissingTool

CALLGRIND = "# callgrind format\nversion: 1\npid: 7\npart: {}\nevents: Ir\nfn=(1) main\n3 40\ntotals: {}\n"


@pytest.fixture(scope="session")
def valgrind(missing_tool):
    try:
        return bench_counts.valgrind()
    except MissingTool as error:
        missing_tool(str(error))


@pytest.fixture
def programs(missing_tool):
    """What runs the programs that are measured."""
    try:
        with bench_counts.programs() as programs:
            yield programs
    except MissingTool as error:
        missing_tool(str(error))


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


def test_totals_come_in_the_order_of_callgrinds_parts():
    files = [CALLGRIND.format(part, total) for part, total in ((10, 30), (2, 20), (1, 10))]
    assert bench_counts.parsed(files) == [10, 20, 30]


def test_file_of_another_tool_is_an_error():
    with pytest.raises(RuntimeError, match="callgrind"):
        bench_counts.parsed([CALLGRIND.format(1, 10), "part: 2\nevents: Ir\n"])


def test_cost_of_each_is_what_a_longer_run_costs_more(monkeypatch):
    runs = {30: ([1000 + 30 * 7], [31]), 60: ([1000 + 60 * 7], [61])}
    programs = bench_counts.Programs(None, None)
    monkeypatch.setattr(programs, "parts", lambda program, what, count: runs[count])
    assert programs.of_each(None, "up", 30) == 7


def test_longest_pass_is_one_of_the_second_half_between_marks(monkeypatch):
    counts = [90, 80, 1, 20, 1, 30, 1, 10, 99]  # start, pass, between, pass, .., end
    programs = bench_counts.Programs(None, None)
    monkeypatch.setattr(programs, "parts", lambda *_, options: (counts, []))
    assert programs.longest_pass("up") == 30


@pytest.mark.parametrize("program, direction", [(bench_counts._RELAY, "up"), (bench_counts._CLIENT, "down")])
def test_same_lines_cost_the_same_instructions(programs, valgrind, program, direction):
    (one,), printed = programs.parts(program, direction, 20)
    (again,), printed_again = programs.parts(program, direction, 20)
    (more,), _ = programs.parts(program, direction, 120)  # by more than come at a time: what a window holds
    assert (one, printed) == (again, printed_again)
    assert more > one + 20 * 1000


def test_what_happens_outside_is_not_counted(programs, valgrind):
    def count(call, times):
        code = f"import border\ndef work(): sum(range({times}))\n{call}"
        return programs.parts(code)[0][0]

    assert count("border.outside(work)", 8000) == count("border.outside(work)", 1000)
    assert count("work()", 8000) > count("work()", 1000) + 7000


def test_rates_of_the_server_are_related_to_those_with_one_client():
    figures = bench_server.figures({"memory, 1": 50.0, "memory, 100": 75.0, "durable, 1": 20.0, "durable, 1000": 5.0})
    values = {figure.name: figure.value for figure in figures}
    assert values["server, memory, 100 clients to 1"] == 1.5
    assert values["server, durable, 1000 clients to 1"] == 0.25
    assert not set(values) & {name.removesuffix(", of the limit") for name in bench_bars.BARS}


def test_load_that_fails_says_why(monkeypatch):
    monkeypatch.setattr(bench_server, "_LINES", "many")
    with pytest.raises(BuildError, match="invalid int value: 'many'"):
        bench_server.measure()


def test_part_that_lacks_its_tool_is_skipped_with_the_reason_but_fails_in_ci(tmp_path, monkeypatch, capsys):
    def lacking():
        yield Figure("idle", "half", 1, "s")
        raise MissingTool("install it")

    monkeypatch.setattr(bench, "PARTS", {"one": lacking, "two": lambda: [Figure("idle", "a", 3.0, "s")]})
    path = tmp_path / "figures.json"
    monkeypatch.setenv("CI", "")
    assert bench.main(["--json", str(path)]) == 0
    written = json.loads(path.read_text())
    assert written["skipped"] == ["one: install it"] and [figure["name"] for figure in written["figures"]] == ["a"]
    assert "one: install it" in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    assert bench.main(["--json", str(path)]) == 1
    assert "install it" in capsys.readouterr().err


def test_bar_without_a_figure_is_missed_when_all_was_measured():
    """A figure that has got another name would never miss its bar."""
    assert bench_figures.missed([]) == []
    assert len(bench_figures.missed([], whole=True)) == len(bench_bars.BARS)


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
