"""Errors of a bus as a status of gRPC, and back."""

import errno

import grpc
import pytest

from remote_i2c.errors import BUS, CALLER, LINK, LOCK, BusError, away, busy, closed, no_answer, not_allowed, timed_out
from remote_i2c.rpc.status import error_of, of_the_bus, status_of


class Failure(grpc.RpcError):
    """A call that has ended with this status."""

    def __init__(self, code, text, metadata=()):
        self.code = lambda: code
        self.details = lambda: text
        self.trailing_metadata = lambda: metadata


@pytest.mark.parametrize(
    "error",
    [
        no_answer(0x48, 2).at("1"), not_allowed(0x49).at("mast"), timed_out(LOCK, "others have it").at("1"), busy(64),
        closed(), away("pump").at("2"), BusError(errno.ESTALE, "expired", place=CALLER),
    ],
)  # fmt: skip
def test_error_comes_as_it_was_sent(error):
    failure = Failure(*status_of(error))
    there = error_of(failure)
    assert of_the_bus(failure)
    for name in ("errno", "strerror", "place", "bus", "address", "index"):
        assert getattr(there, name) == getattr(error, name), name


def test_codes_are_those_that_tools_know():
    codes = [status_of(error)[0] for error in (no_answer(1), not_allowed(1), busy(1), timed_out(BUS, ""))]
    names = ["NOT_FOUND", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"]
    assert [code.name for code in codes] == names


def test_metadata_is_for_people_too():
    assert dict(status_of(no_answer(0x48, 2).at("1"))[2]) == {
        "errno": "ENXIO", "place": "bus", "bus": "1", "address": "0x48", "message": "2"
    }  # fmt: skip


def test_step_of_a_batch_is_told():
    error = no_answer(0x48)
    error.step = 3
    assert error_of(Failure(*status_of(error))).step == 3


def test_name_of_a_bus_can_be_sent_whatever_it_is():
    assert all(value.isascii() and value.isprintable() for _, value in status_of(no_answer(1).at("Mäst\n"))[2])


def test_mistake_of_the_caller_is_one():
    code, text, metadata = status_of(ValueError("the address 0x80 is none"))
    error = error_of(Failure(code, text, metadata))
    assert (error.errno, error.place, error.strerror) == (errno.EINVAL, CALLER, "the address 0x80 is none")


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (grpc.StatusCode.UNAVAILABLE, errno.ECONNABORTED),
        (grpc.StatusCode.DEADLINE_EXCEEDED, errno.ETIMEDOUT),
        (grpc.StatusCode.UNKNOWN, errno.EIO),
        (grpc.StatusCode.UNIMPLEMENTED, errno.EOPNOTSUPP),
    ],
)
def test_failure_of_the_connection_is_no_error_of_the_bus(code, number):
    failure = Failure(code, "Socket closed", None)
    assert (error_of(failure).errno, error_of(failure).place) == (number, LINK)
    assert not of_the_bus(failure)


def test_metadata_that_makes_no_sense_is_not_believed():
    metadata = (("errno", "errorcode"), ("place", "moon"), ("address", "x"), ("message", ""), ("step-bin", b"\xff"))
    error = error_of(Failure(grpc.StatusCode.UNKNOWN, "", metadata))
    assert (error.errno, error.place, error.address, error.index, error.step) == (errno.EIO, LINK, None, None, None)
