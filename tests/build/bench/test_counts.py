"""build/bench/counts.py: what valgrind counts of the two programs is what the devices do."""

import pytest

from build.bench import counts
from build.tools.shell import MissingTool

CALLGRIND = "# callgrind format\nversion: 1\npid: 7\npart: {}\nevents: Ir\nfn=(1) main\n3 40\ntotals: {}\n"


@pytest.fixture(scope="session")
def valgrind(missing_tool):
    try:
        return counts.valgrind()
    except MissingTool as error:
        missing_tool(str(error))


@pytest.fixture
def programs(missing_tool):
    """What runs the programs that are measured."""
    try:
        with counts.programs() as programs:
            yield programs
    except MissingTool as error:
        missing_tool(str(error))


def test_totals_come_in_the_order_of_callgrinds_parts():
    files = [CALLGRIND.format(part, total) for part, total in ((10, 30), (2, 20), (1, 10))]
    assert counts.parsed(files) == [10, 20, 30]


def test_file_of_another_tool_is_an_error():
    with pytest.raises(RuntimeError, match="callgrind"):
        counts.parsed([CALLGRIND.format(1, 10), "part: 2\nevents: Ir\n"])


def test_cost_of_each_is_what_a_longer_run_costs_more(monkeypatch):
    runs = {30: ([1000 + 30 * 7], [31]), 60: ([1000 + 60 * 7], [61])}
    programs = counts.Programs(None, None)
    monkeypatch.setattr(programs, "parts", lambda program, what, count: runs[count])
    assert programs.of_each(None, "up", 30) == 7


def test_longest_pass_is_one_of_the_second_half_between_marks(monkeypatch):
    dumps = [90, 80, 1, 20, 1, 30, 1, 10, 99]  # start, pass, between, pass, .., end
    programs = counts.Programs(None, None)
    monkeypatch.setattr(programs, "parts", lambda *_, options: (dumps, []))
    assert programs.longest_pass("up") == 30


@pytest.mark.parametrize("program, direction", [(counts._RELAY, "up"), (counts._CLIENT, "down")])
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
