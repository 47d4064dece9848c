"""What is measured of an interval: how it is rolled up, and its bytes."""

import random

import pytest

from server.gateways.web import measured
from server.gateways.web.measured import (
    FIELDS,
    LEAST_MS,
    LINES_IN,
    MOST_MS,
    ROUND_TRIP_MS,
    ROUND_TRIPS,
    WAITING,
    Row,
    add,
    encode,
    encode_reason,
    encode_span,
    nothing,
    packed,
)


def interval(**values):
    found = nothing()
    for name, value in values.items():
        found[FIELDS.index(name)] = value
    return found


def test_intervals_are_rolled_up_by_sum_least_and_most():
    whole = nothing()
    add(whole, interval(lines_in=2, waiting=9))
    add(whole, interval(lines_in=3, round_trips=2, round_trip_ms=90, least_ms=40, most_ms=50, waiting=4))
    add(whole, interval(round_trips=1, round_trip_ms=30, least_ms=30, most_ms=30))
    add(whole, interval(lines_in=1))
    assert (whole[LINES_IN], whole[WAITING]) == (6, 9)
    assert [whole[at] for at in (ROUND_TRIPS, ROUND_TRIP_MS, LEAST_MS, MOST_MS)] == [3, 120, 30, 50]


def test_row_says_what_was_put_in():
    intervals = [(0, interval(lines_in=1)), (7, interval(bytes_in=1 << 40, unread=127)), (59, nothing())]
    entries = b"".join(encode(*one) for one in intervals)
    entries += encode_span(0, 59_999) + encode_reason(12_345, "silent: läßt " + "x" * 100)
    for row in (Row(packed(entries)), Row(b"\0" + entries)):
        assert row.intervals == intervals
        assert row.spans == [(0, 59_999)]
        assert row.reasons[0][0] == 12_345 and row.reasons[0][1].startswith("silent: läßt xxx")
        assert len(row.reasons[0][1].encode()) <= measured.MAX_REASON


def test_minute_that_is_nothing_but_connected_is_five_bytes():
    assert Row(measured.WHOLE_MINUTE).spans == [(0, 60_000)]
    assert len(measured.WHOLE_MINUTE) <= 6


def test_damaged_rows_raise_a_value_error_and_nothing_else():
    dice = random.Random(20)
    row = packed(b"".join(encode(at, interval(lines_in=at, bytes_out=at * 99)) for at in range(60)))
    plain = b"\0" + encode(1, interval(lines_in=300)) + encode_reason(1, "why")
    for whole in (row, plain):
        for _ in range(300):
            data = bytearray(whole)[: dice.randrange(len(whole) + 1)]
            if data and dice.random() < 0.7:
                data[dice.randrange(len(data))] = dice.randrange(256)
            try:
                Row(bytes(data))
            except ValueError:
                pass
    for data in (b"", b"\2", b"\0\1\x80"):
        with pytest.raises(ValueError):
            Row(data)


def test_row_has_a_bound():
    """docs/web.md derives what a client can take from this."""
    dice = random.Random(1)
    full = lambda: [dice.getrandbits(32) for _ in FIELDS]
    entries = b"".join(encode(at, full()) for at in range(60))
    entries += b"".join(encode_reason(60_000, "x" * measured.MAX_REASON) for _ in range(measured.MAX_REASONS))
    entries += b"".join(encode_span(59_998, 59_999) for _ in range(measured.MAX_SPANS))
    assert len(packed(entries)) <= 6144
