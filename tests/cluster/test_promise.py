"""The checker itself: each way to break the promise is found, and what the promise allows is not."""

from types import SimpleNamespace

import pytest

from sim.virtual.ledger import Ledger
from tests.cluster.promise import FAULTS, ApplicationLog, verdict

GOOD = """
begun n0-1 a 0 n0-1.1
done n0-1 a 0 n0-1.1
got n0-1 a 0 0 1.0
begun n1-1 a 0 n1-1.1
done n1-1 a 0 n1-1.1
got n1-1 a 0 1 1.1
got n1-1 a 0 2 2.0
begun n1-1 a 0 n1-1.2
done n1-1 a 0 n1-1.2
"""
# Of each life of the client: what it wrote, how many of these it knows to be accepted, and what it read.
LIVES = [(["1.0", "1.1", "1.2"], 1, ["n0-1.1\n", "n1-1.1\n"]), (["2.0"], 1, ["n1-1.1\n", "n1-1.2\n"])]
NONE = dict.fromkeys(FAULTS, 0)


def found(tmp_path, log=GOOD, lives=LIVES, **more):
    path = tmp_path / "log"
    path.write_text(log.lstrip())
    ledger = Ledger(SimpleNamespace(now=0, begin_s=0, tracer=None), 0)
    for written, acknowledged, read in lives:
        life = ledger.new_life()
        life.written, life.acknowledged, life.read = list(written), acknowledged, list(read)
    counts, wrong = verdict(ApplicationLog(path), [SimpleNamespace(client_id="a", ledgers={0: ledger})], **more)
    assert bool(wrong) == any(counts[name] for name in FAULTS)
    return {name: counts[name] for name in FAULTS}


def changed(life, **more):
    """LIVES with another life: written, acknowledged, read."""
    lives = [dict(zip(("written", "acknowledged", "read"), one)) for one in LIVES]
    lives[life].update(more)
    return [(one["written"], one["acknowledged"], one["read"]) for one in lives]


def test_lines_that_went_with_a_life_and_lines_that_two_lives_saw_are_no_violation(tmp_path):
    assert found(tmp_path) == NONE


def test_line_that_is_read_again_with_its_number_is_no_violation(tmp_path):
    assert found(tmp_path, GOOD + "got n2-1 a 0 1 1.1\n") == NONE


def test_write_that_has_failed_may_be_missing(tmp_path):
    assert found(tmp_path, GOOD + "begun n1-1 a 0 n1-1.3\nfailed n1-1 a 0 n1-1.3\n") == NONE


@pytest.mark.parametrize(
    ("what", "log", "lives"),
    [
        ("lost", GOOD.replace("got n0-1 a 0 0 1.0\n", ""), LIVES),  # it was accepted
        ("lost", GOOD.replace("got n1-1 a 0 1 1.1\n", "got n1-1 a 0 1 1.2\n"), LIVES),  # 1.1 before it is missing
        ("lost", GOOD.replace("got n1-1 a 0 2 2.0\n", ""), LIVES),  # of the life that has not ended
        ("lost", GOOD, changed(1, read=["n1-1.1\n"])),
        ("duplicated", GOOD + "got n1-1 a 0 3 2.0\n", LIVES),
        ("duplicated", GOOD, changed(1, read=["n1-1.1\n", "n1-1.2\n", "n1-1.2\n"])),
        ("duplicated", GOOD, changed(1, read=["n0-1.1\n", "n1-1.2\n"])),  # not all from there on
        ("reordered", GOOD.replace("0 1 1.1", "0 9 1.1"), changed(0, acknowledged=2)),
        ("reordered", GOOD, changed(0, read=["n1-1.1\n", "n0-1.1\n"])),
        ("corrupted", GOOD + "got n1-1 a 0 3 3.0\n", LIVES),
        ("corrupted", GOOD, changed(1, read=["n1-1.1\n", "n1-1.2\n", "n9-1.1\n"])),
        ("corrupted", GOOD + "got n2-1 a 0 1 2.0\n", LIVES),  # the number is another one's
    ],
)
def test_violation_is_found(tmp_path, what, log, lives):
    assert found(tmp_path, log, lives)[what] > 0


def test_processes_that_write_at_the_same_time_have_no_order(tmp_path):
    log = """
begun n0-1 a 0 n0-1.1
begun n1-1 a 0 n1-1.1
done n0-1 a 0 n0-1.1
done n1-1 a 0 n1-1.1
"""
    for read in (["n0-1.1\n", "n1-1.1\n"], ["n1-1.1\n", "n0-1.1\n"]):
        assert found(tmp_path, log, [([], 0, read)]) == NONE


def test_processes_that_write_one_after_the_other_have_an_order_unless_they_write_anywhere(tmp_path):
    lives = [LIVES[0][:2] + (["n1-1.1\n", "n0-1.1\n"],), (["2.0"], 1, ["n1-1.2\n"])]
    assert found(tmp_path, lives=lives)["reordered"] == 1
    assert found(tmp_path, lives=lives, one_order=False) == NONE


def test_takeovers_and_fenced_clients_are_counted(tmp_path):
    path = tmp_path / "log"
    path.write_text(
        "event n0-1 connected a 127.0.0.1:1\nevent n1-1 connected a 127.0.0.1:2\nevent n1-2 connected a 127.0.0.1:3\n"
        "event n0-1 store_failed a another owner has claimed a\nevent n0-1 store_failed a the disk is full\n"
        "event n0-1 taken_over a -\n"
    )
    log = ApplicationLog(path)
    log.read()
    assert (log.takeovers, log.fenced) == (1, 2) and log.failures == {"the disk is full": 1}
