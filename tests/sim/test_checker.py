"""sim/checker.py: it sees every way of breaking the promise."""

import pytest

from sim import checker

SENT = [f"line {n}" for n in range(10)]


def compare(read):
    counts = checker.compare(SENT, read)
    return {name: number for name, number in counts.items() if name not in ("sent", "delivered") and number}


def test_all_delivered_in_order_is_kept():
    counts = checker.compare(SENT, list(SENT))
    assert counts == dict(sent=10, delivered=10, lost=0, duplicated=0, reordered=0, corrupted=0)
    assert checker.kept(counts)


def test_lost():
    assert compare(SENT[:4] + SENT[5:]) == {"lost": 1}


def test_duplicated():
    assert compare(SENT[:4] + SENT[3:]) == {"duplicated": 1}


def test_reordered():
    assert compare(SENT[:3] + [SENT[4], SENT[3]] + SENT[5:]) == {"reordered": 1}


def test_corrupted_is_lost_as_well():
    assert compare(SENT[:3] + ["line x"] + SENT[4:]) == {"lost": 1, "corrupted": 1}


def test_equal_lines_could_not_be_told_apart():
    with pytest.raises(ValueError):
        checker.compare(["a", "a"], [])
