"""What was measured, as points: from which level, of which length, and what is not known."""

import asyncio

import pytest

from protocol.errors import StoreError
from server.gateways.web import history
from server.gateways.web.history import History
from server.stores.timeline import MemoryTimeline
from tests.server.gateways.web.bed import served_test
from tests.server.gateways.web.test_recorder import BEGAN_S, HOUR_S, Bed, trip


def series(bed, from_s, to_s, points=1000, client_id="pump"):
    return asyncio.run(History(bed.recorder, lambda: bed.now).series(client_id, from_s, to_s, points))


def test_points_have_what_was_measured_up_to_now():
    bed = Bed("pump")
    bed.pass_s(2)
    bed.fleet.connect("pump")
    bed.fleet.receive("pump", b"a", b"b")
    trip(bed.fleet.clients["pump"], 40, 60)
    bed.pass_s(3)
    bed.fleet.clients["pump"].waiting_lines = 7
    bed.fleet.leave("pump")
    bed.pass_s(3)
    found = series(bed, BEGAN_S - 2, BEGAN_S + 8)
    assert (found["from"], found["step"], found["resolution"]) == (BEGAN_S - 2, 1, 1)
    points = found["points"]
    assert points["at"] == list(range(BEGAN_S - 2, BEGAN_S + 8))
    assert points["known_s"] == [0, 0] + [1.0] * 8
    assert points["connected_s"] == [None, None, 0, 0, 1.0, 1.0, 1.0, 0, 0, 0]
    assert points["lines_received"] == [None, None, 0, 0, 2, 0, 0, 0, 0, 0]
    assert points["round_trip_s"][4] == 0.05 and points["round_trip_s"][5] is None
    assert (points["least_round_trip_s"][4], points["longest_round_trip_s"][4]) == (0.04, 0.06)
    assert points["waiting_lines"][6:] == [0, 7, 7, 7]
    assert points["outages"][7] == 1
    assert found["reasons"] == [{"at": BEGAN_S + 5, "reason": "silent"}]


@pytest.mark.parametrize(
    "ago_s, span_s, points, step, resolution",
    [
        (3600, 3600, 500, 8, 1), (3600, 60, 500, 1, 1), (7200, 3600, 500, 60, 60), (86400, 86400, 500, 180, 60),
        (86400, 86400, 1, 86400, 60), (93600, 3600, 500, 3600, 3600), (366 * 86400, 366 * 86400, 500, 64800, 3600),
    ],
)  # fmt: skip
def test_finest_level_that_goes_back_so_far_is_used(ago_s, span_s, points, step, resolution):
    bed = Bed("pump")
    found = series(bed, BEGAN_S - ago_s, BEGAN_S - ago_s + span_s, points)
    assert (found["step"], found["resolution"]) == (step, resolution)
    assert len(found["points"]["at"]) <= points + 1


def test_second_that_is_not_over_is_in_each_level():
    bed = Bed("pump")
    bed.fleet.receive("pump", b"x")
    bed.now += 0.001
    for ago_s in (60, 7200, 30 * 24 * HOUR_S):
        points = series(bed, BEGAN_S - ago_s, BEGAN_S + 1, 10)["points"]
        assert sum(filter(None, points["lines_received"])) == 1, ago_s


def test_levels_tell_the_same_of_a_day():
    bed = Bed("pump")
    bed.fleet.connect("pump")
    for number in range(20):
        bed.fleet.receive("pump", b"x")
        bed.pass_s(HOUR_S)
        if number == 5:
            bed.fleet.leave("pump")
        if number == 6:
            bed.fleet.connect("pump")
    bed.now += 0.5
    minutes = series(bed, BEGAN_S, BEGAN_S + 20 * HOUR_S)
    bed.now += 30 * 24 * HOUR_S
    hours = series(bed, BEGAN_S, BEGAN_S + 20 * HOUR_S)
    assert (minutes["resolution"], hours["resolution"]) == (60, 3600)
    for name in ("lines_received", "connected_s", "outages", "known_s"):
        assert sum(minutes["points"][name]) == sum(hours["points"][name]), name
    assert minutes["reasons"] == hours["reasons"]


def test_runs_of_a_server_add_up():
    bed = Bed("pump")
    for lines in ([b"1\n"], [b"2\n", b"3\n"]):
        bed.fleet.connect("pump")
        bed.fleet.receive("pump", *lines)
        bed.pass_s(20)
        bed.recorder.close()
        bed.now += 5
        bed.recorder = bed.made()
    points = series(bed, BEGAN_S, BEGAN_S + 60, 1)["points"]
    assert points["lines_received"] == [3]
    assert 39 <= points["connected_s"][0] <= points["known_s"][0] <= 41


def test_damaged_row_is_left_out_and_reasons_are_bounded(monkeypatch):
    monkeypatch.setattr(history, "MAX_REASONS", 3)
    bed = Bed("pump")
    for _ in range(6):
        bed.fleet.connect("pump")
        bed.pass_s(1)
        bed.fleet.leave("pump")
    bed.recorder.timeline.keep("pump", 0, BEGAN_S // 60 - 1, 1, b"\7rubbish")
    found = series(bed, BEGAN_S - 60, BEGAN_S + 60)
    assert len(found["reasons"]) == 3 and found["reasons"][-1]["at"] == BEGAN_S + 6


def test_client_of_whom_nothing_is_known():
    bed = Bed("pump", "valve")
    bed.pass_s(10)
    points = series(bed, BEGAN_S, BEGAN_S + 10, client_id="valve")["points"]
    assert points["connected_s"] == [0] * 10 and points["lines_received"] == [0] * 10


def test_requests_are_answered_or_refused_with_the_reason(tmp_path):
    async def test(found):
        browser = found.browser()
        await browser.log_in("vic")
        found.fleet.connect("pump")
        found.fleet.receive("pump", b"hello")
        received = 0
        while not received:  # until its second is over
            answer = (await browser.get("/api/clients/pump/history?points=100")).json
            received = sum(filter(None, answer["points"]["lines_received"]))
        assert (answer["step"], received) == (900, 1)
        assert answer["to"] - answer["from"] <= 86400 + 900
        for query, what in (
            ("from=10&to=5", "from must be before to"), ("from=0&to=99999999999", "31"), ("points=0", "points must"),
            ("points=2001", "points must"), ("from=x", "from must"),
        ):  # fmt: skip
            refused = await browser.get("/api/clients/pump/history?" + query)
            assert refused.status == 422 and what in refused.json["error"], query
        assert (await browser.get("/api/clients/nobody/history")).status == 404
        future = await browser.get("/api/clients/pump/history?from=9000000000&to=9000000001")
        assert future.status == 200 and len(future.json["points"]["at"]) == 1

        async def away():
            raise StoreError("it is away")

        found.gateway.recorder.timeline.read = lambda *args: away()
        refused = await browser.get("/api/clients/pump/history")
        assert (refused.status, refused.json["error"]) == (503, "it is away")

    served_test(tmp_path, test, "pump")


def test_nothing_is_measured_if_the_settings_say_so(tmp_path):
    async def test(found):
        browser = found.browser()
        await browser.log_in("vic")
        found.fleet.connect("pump")
        assert (await browser.get("/api/clients/pump/history")).status == 409
        assert found.gateway.recorder is None and isinstance(found.fleet.timeline(), MemoryTimeline)
        assert await found.fleet.timeline().sizes() == []

    served_test(tmp_path, test, "pump", history=False)
