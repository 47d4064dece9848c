"""What is done when a call has failed."""

import errno

import grpc
import pytest

from remote_i2c.errors import CALLER, BusError, no_answer
from remote_i2c.rpc.status import status_of
from remote_i2c.smbus_client.recovery import MAX_OPENS, Recovery
from tests.remote_i2c.rpc.test_status import Failure

CUT = Failure(grpc.StatusCode.UNAVAILABLE, "Socket closed")
LATE = Failure(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
STALE = Failure(*status_of(BusError(errno.ESTALE, "expired", place=CALLER)))
NO_ANSWER = Failure(*status_of(no_answer(0x48)))


def recovery(repeatable):
    return Recovery(repeatable, 100.0, retry_s=10, timeout_s=4)


@pytest.mark.parametrize("repeatable", [True, False])
def test_what_failed_on_the_bus_is_the_programs(repeatable):
    with pytest.raises(BusError) as caught:
        recovery(repeatable).after(NO_ANSWER, 100.1)
    assert caught.value.errno == errno.ENXIO


@pytest.mark.parametrize("repeatable", [True, False])
def test_session_that_is_not_known_is_opened_again_a_few_times(repeatable):
    one = recovery(repeatable)
    assert [one.after(STALE, 100.1) for _ in range(MAX_OPENS)] == [0.0] * MAX_OPENS
    with pytest.raises(BusError, match="expired"):
        one.after(STALE, 100.1)


def test_call_that_may_be_repeated_is_until_the_time_is_over():
    one, now, pauses = recovery(True), 100.0, []
    with pytest.raises(BusError) as caught:
        while True:
            pauses.append(one.after(CUT, now))
            now += pauses[-1]
            assert one.limit_s(now) <= 110 - now + 0.05
    assert caught.value.errno == errno.ECONNABORTED
    assert 109 < now < 110 and pauses[:3] == [0.05, 0.1, 0.2] and max(pauses) == 1.0


def test_call_that_must_not_be_repeated_is_not():
    with pytest.raises(BusError) as caught:
        recovery(False).after(CUT, 100.1)
    assert caught.value.errno == errno.ECONNABORTED


@pytest.mark.parametrize("repeatable", [True, False])
def test_answer_that_does_not_come_is_told(repeatable):
    with pytest.raises(BusError) as caught:
        recovery(repeatable).after(LATE, 104.0)
    assert caught.value.errno == errno.ETIMEDOUT


def test_first_attempt_has_all_its_time():
    assert recovery(False).limit_s(100.0) == 4
