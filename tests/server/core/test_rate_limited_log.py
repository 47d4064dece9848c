"""RateLimitedLog: ten lines of a kind in ten seconds, and how many more there were."""

import io
import json

from primitives import timeout
from server.core.rate_limited_log import LOGGED, PERIOD_MS, RateLimitedLog
from server.service.log import Log


def played(each):
    file = io.StringIO()
    return RateLimitedLog(Log("json", file), each), lambda: [json.loads(line) for line in file.getvalue().splitlines()]


def test_lines_of_each_client_are_limited_alone():
    log, logged = played(each=True)
    for _ in range(3 * LOGGED):
        log("disconnected", "a", reason="a line that is not UTF-8")
    log("disconnected", "b", reason="x")
    assert [line["client"] for line in logged()] == ["a"] * LOGGED + ["b"]
    log._period.expire()
    log("disconnected", "a", reason="x")
    more = logged()[-2]
    assert (more["event"], more["client"], more["count"]) == ("disconnected_more", "a", 2 * LOGGED)


def test_lines_of_all_clients_together_are_limited_by_event():
    log, logged = played(each=False)
    for number in range(LOGGED + 3):
        log("connected", f"client{number}")
    log("disconnected", "a")
    assert [line["event"] for line in logged()] == ["connected"] * LOGGED + ["disconnected"]
    log._period.expire()
    log.look()
    assert [(line["event"], line["count"]) for line in logged()[LOGGED + 1 :]] == [("connected_more", 3)]


def test_period_begins_with_the_first_line_and_nothing_is_kept_when_it_is_over(monkeypatch):
    now = [0]
    monkeypatch.setattr(timeout, "ticks_ms", lambda: now[0])
    log, logged = played(each=True)
    now[0] = 10 * PERIOD_MS
    for number in range(100):
        log("x", str(number))
    now[0] += PERIOD_MS - 1
    log.look()
    assert len(log._counts) == 100
    now[0] += 1
    log.look()
    assert log._counts == {} and len(logged()) == 100
