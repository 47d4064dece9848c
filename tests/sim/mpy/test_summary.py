"""sim/mpy/summary.py and the comparison whose result it words."""

import io

import pytest

from sim.mpy import playground
from sim.mpy.playground import FirstLines, compared
from sim.mpy.summary import in_words, print_summary

WAY = {"lines": 12, "acknowledged": 11, "waiting": 1, "sent_again": 3, "without_qos": 0}
COUNTS = {
    "client_to_server": WAY, "server_to_client": WAY,
    "outages": 2, "bridge_resets": 1, "client_resets": 0, "i2c_bytes": 5000, "i2c_transactions": 200,
}  # fmt: skip


def test_table_has_both_ways_and_what_happened():
    text = io.StringIO()
    print_summary({"seconds": 3.4, "clients": {"demo": COUNTS}}, text)
    heading, there, back, events, end = text.getvalue().splitlines()
    assert heading.split()[-6:] == ["acknowledged", "waiting", "sent", "again", "without", "qos"]
    assert there.split() == ["client", "->", "server", "12", "11", "1", "3", "0"]
    assert back.startswith("  server -> client")
    assert "outages 2" in events and "bridge resets 1" in events and end == "3 s"


def first(lines):
    kept = FirstLines()
    for line in lines:
        kept.append(line)
    return kept


@pytest.mark.parametrize(
    ("crossed", "read", "words"),
    [
        (["a", "b"], ["a"], "1 line, each once, in order"),
        (["a", "b", "c"], ["a", "b"], "2 lines, each once, in order"),
        (["a", "a", "a"], ["a", "a"], "2 lines, each once, in order"),
        (["a", "b"], ["a", "a", "b"], "3 lines, NOT as they were sent: 1 duplicated"),
        (["a", "b"], ["b", "a"], "2 lines, NOT as they were sent: 1 reordered"),
        (["a", "b"], ["a", "x"], "2 lines, NOT as they were sent: 1 corrupted"),
        (["a", "a", "b"], ["a", "b"], "2 lines, NOT as they were sent: another order"),
    ],
)
def test_what_an_application_read_is_compared_with_what_crossed(crossed, read, words):
    assert in_words(compared(first(crossed), first(read))) == words


@pytest.mark.parametrize(("crossed", "read"), [(7, 5), (7, 7), (5, 5)])
def test_more_lines_than_are_kept_are_no_fault_of_the_link(monkeypatch, crossed, read):
    monkeypatch.setattr(playground, "MAX_COMPARED", 4)
    found = compared(first(map(str, range(crossed))), first(map(str, range(read))))
    assert found["corrupted"] == 0 and found["compared"] == 4
    assert in_words(found) == f"{read} lines, of which the first 4 were compared, each once, in order"


def test_what_is_read_is_kept_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(playground, "MAX_COMPARED", 4)
    lines = first(map(str, range(1000)))
    assert lines.kept == ["0", "1", "2", "3"] and lines.count == 1000
