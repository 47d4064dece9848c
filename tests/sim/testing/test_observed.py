"""What both kinds of link do with lines, conditions and failures, on a clock of the test's."""

import asyncio

import pytest

from sim.testing.observed import (
    APPLICATION_FAILED,
    KEPT,
    SHOWN,
    LinkFailed,
    ObservedLink,
    checked_settings,
    clients_of,
)


class Link(ObservedLink):
    """A link whose boards do what the test says: {second: action}."""

    def __init__(self, *ids, happens=(), client_may_fail=False):
        super().__init__(ids or ["demo"], 1, client_may_fail, False)
        self.seconds = 0
        self._happens = dict(happens)

    def _pass(self, condition, seconds):
        end = self.seconds + seconds
        while not self._failures and not (condition and condition()) and self.seconds < end:
            self.seconds += 1
            self._happens.get(self.seconds, lambda: None)()


def test_line_is_waited_for_by_its_text_and_count():
    link = Link(happens={2: lambda: link.printed("demo", "client", "value 1"),
                         5: lambda: link.printed("demo", "client", "value 2")})  # fmt: skip
    assert link.wait_for("value", count=2) == "value 2" and link.seconds == 5
    assert link.wait_for("value") == "value 1" and link.lines() == ["value 1", "value 2"]
    assert link.lines(board="bridge") == []


def test_first_failure_is_raised_and_those_that_follow_from_it_are_not():
    error = KeyError("first")
    link = Link(happens={3: lambda: (link.failed(error), link.failed("second"))})
    with pytest.raises(KeyError, match="first"):
        link.run(10)
    assert link.seconds == 3
    link.run(10)
    link.failed("that follows from it")
    link.raise_unlooked_for()


def test_failure_comes_before_the_condition():
    link = Link(happens={3: lambda: link.failed("it has failed")})
    with pytest.raises(LinkFailed, match="it has failed"):
        link.run_until(lambda: link.seconds >= 3)


@pytest.mark.parametrize("before", ["", "measuring .. "])
def test_application_that_has_failed_is_told_by_the_end_of_its_line(before):
    for may in (False, True):
        link = Link(client_may_fail=may)
        link.printed("demo", "client", before + APPLICATION_FAILED)
        assert bool(link._failures) is not may
    for board, line in (("bridge", APPLICATION_FAILED), ("client", f"{APPLICATION_FAILED!r} is what it would say")):
        link = Link()
        link.printed("demo", board, before + line)
        link.raise_unseen()


def test_handler_is_cancelled_without_a_failure():
    async def handler(conn):
        raise asyncio.CancelledError

    link = Link()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(link.watched(handler)("connection"))
    link.raise_unseen()


def test_story_and_lines_are_bounded_and_name_the_client_where_there_are_several():
    link = Link("pump", "valve")
    for number in range(KEPT + 10):
        link.printed("pump", "client", str(number))
    link.printed("valve", "server", "told")
    assert len(link.lines("pump")) == KEPT and len(link.story().splitlines()) == SHOWN
    assert link.story().endswith("server | told") and f"pump client | {KEPT + 9}" in link.story()
    assert link.lines(board="server") == ["told"]


def test_one_client_is_the_demo_and_several_have_their_ids():
    assert clients_of("a.py") == {"demo": "a.py"} and clients_of({"pump": "a.py"}) == {"pump": "a.py"}


MADE = ("id", "key", "port")


def test_settings_are_the_tests_then_the_links_then_the_defaults():
    items = checked_settings({"report_s": 3, "max_line": 512}, MADE, {"ssid": "net", "report_s": 7})
    assert (items["ssid"], items["report_s"], items["max_line"], items["timeout_ms"]) == ("net", 3, 512, 1500)
    assert checked_settings(None, MADE, {})["report_s"] == 10


@pytest.mark.parametrize(
    "given, text",
    [
        ({"key": "00", "id": "x"}, "settings: id, key: the fixture makes id, key, port; leave them out"),
        ({"timout_ms": 1500}, "settings: there is no setting 'timout_ms'; there are server, timeout_ms, report_s"),
        ({1: 2}, "settings: there is no setting 1; there are"),
        ({"report_s": -1}, r"settings: report_s is -1, not 0\.\.86400"),
        ({"password": "long enough"}, "settings: there is a password without an ssid"),
    ],
)
def test_settings_that_are_wrong_are_refused_with_their_name(given, text):
    with pytest.raises(ValueError, match=text):
        checked_settings(given, MADE, {})


def test_setting_of_the_wrong_type_is_refused():
    with pytest.raises(TypeError, match="settings: report_s must be a whole number"):
        checked_settings({"report_s": "3"}, MADE, {})
