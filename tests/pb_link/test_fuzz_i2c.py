"""A little of the fuzzing of I2CService, that its inputs get as far as they are meant to, and that it sees faults."""

import random

import pytest

from pb_link import i2c_service
from tests.pb_link import fuzz_i2c

MICROPYTHON = False
MICROPYTHON_REASON = "uses pytest, and a program for CPython"


def test_no_request_gets_more_out_of_the_client_than_it_may(report_line):
    seed = random.SystemRandom().randrange(1 << 40)
    fuzz_i2c.run(4000, seed)
    report_line(f"fuzz of I2CService: 4,000 requests from seed {seed}")


def test_inputs_reach_each_end_and_each_code():
    reached = fuzz_i2c.run(6000, 1)
    ends = ("done", "failed", "refused", "changed")
    codes = {what: {code for which, code in reached if which == what} for what in ends}
    assert codes["done"] == {0} and len(codes["failed"]) >= 6, codes
    assert len(codes["refused"]) >= 3 and len(codes["changed"]) >= 9, codes


def found(message):
    with pytest.raises(fuzz_i2c.FoundError, match=message):
        fuzz_i2c.run(3000, 1)


def test_an_address_that_is_not_allowed_is_found(monkeypatch):
    monkeypatch.setattr(i2c_service._Work, "_may", lambda work, bus: True)
    found("not allowed")


def test_a_transfer_that_is_too_long_is_found(monkeypatch):
    monkeypatch.setattr(i2c_service, "MAX_TRANSFER_BYTES", 100000)
    found("a transfer of|an answer of")


def test_an_answer_that_cannot_be_read_is_found(monkeypatch):
    monkeypatch.setattr(i2c_service._Out, "data", lambda out: bytes(out.view[: out.count]) + b"!")
    found("cannot read|an answer of")
