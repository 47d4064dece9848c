"""What is measured of clients, second by second, and in which rows it is written."""

import asyncio
from types import SimpleNamespace

import pytest

from protocol.errors import StoreError
from server.gateways.web import recorder
from server.gateways.web.measured import (
    BRIDGE_STARTS,
    BYTES_IN,
    CONNECTED,
    HOURS,
    LEVELS,
    LINES_IN,
    LINES_OUT,
    MINUTES,
    OUTAGES,
    RECONNECTS,
    ROUND_TRIPS,
    SECONDS,
    STARTS,
    UNREAD,
    WAITING,
    WHOLE_MINUTE,
    Row,
)
from server.gateways.web.recorder import Recorder, cuts
from server.stores.timeline import MemoryTimeline
from tests.server.gateways.web.bed import Fleet
from tests.server.peer import until

HOUR_S = 3600
BEGAN_S = 480_000 * HOUR_S  # the begin of an hour, and of a day: 1 October 2024


class Bed:
    """A Recorder on a clock that a test moves, and a Fleet that talks to it."""

    def __init__(self, *names, max_bytes=1 << 30, at_s=BEGAN_S):
        self.now = float(at_s)
        self.faults = []
        self.fleet = Fleet(*names)
        self.recorder = self.made(max_bytes)

    def made(self, max_bytes=1 << 30):
        one = Recorder(self.fleet, self.fleet, max_bytes, self.faults.append, lambda: self.now)
        self.fleet.subscribers[:] = [one.note]
        return one

    def pass_s(self, seconds):
        """Let whole seconds pass, with a look at each."""
        for _ in range(int(seconds)):
            self.now = float(int(self.now) + 1)
            for client in self.recorder.look():
                self.recorder._end_minute(client, self.recorder._now // 60_000)

    def rows(self, client_id, level, begin_s=BEGAN_S, count=1):
        """Returns the Rows that have been written."""
        first = int(begin_s) // level.row_s
        found = asyncio.run(self.fleet.timeline().read(client_id, level.number, list(range(first, first + count))))
        return [Row(data) for _, _, data in sorted(found)]


def trip(client, *took_ms):
    for ms in took_ms:
        client.traffic._timed = (0, 0)
        client.traffic.acknowledged(SimpleNamespace(base=0), ms)


def test_seconds_have_what_was_in_them():
    bed = Bed("pump")
    bed.pass_s(5)
    bed.now += 0.25
    bed.fleet.connect("pump")
    bed.fleet.receive("pump", b"one", b"two")
    bed.fleet.clients["pump"].wire_bytes = (100, 20)
    trip(bed.fleet.clients["pump"], 40, 60, 50)
    bed.pass_s(2)
    bed.fleet.tell("acknowledged", "pump", count=4)
    bed.fleet.clients["pump"].waiting_lines = 3
    bed.pass_s(55)
    (row,) = bed.rows("pump", SECONDS)
    assert row.spans == [(5250, 60_000)]
    (first, one), (second, two) = row.intervals[:2]
    assert (first, second) == (5, 7)
    assert (one[LINES_IN], one[BYTES_IN], one[ROUND_TRIPS]) == (2, 100, 3)
    assert one[9:11] == [40, 60]  # the least and the most
    assert (two[LINES_OUT], two[WAITING], two[LINES_IN]) == (4, 3, 0)


def test_idle_client_costs_a_few_bytes_and_one_that_is_away_none():
    bed = Bed("pump", "valve")
    bed.fleet.connect("pump")
    bed.fleet.connect("valve")
    bed.fleet.leave("valve")
    bed.pass_s(180)
    found = asyncio.run(bed.fleet.timeline().read("pump", 0, [BEGAN_S // 60 + 1, BEGAN_S // 60 + 2]))
    assert {data for _, _, data in found} == {WHOLE_MINUTE}
    assert bed.rows("valve", SECONDS, BEGAN_S + 60, 2) == []


def test_outage_has_its_time_and_its_reason_in_each_level():
    bed = Bed("pump")
    bed.fleet.connect("pump")
    bed.pass_s(30)
    bed.fleet.leave("pump")
    bed.pass_s(60)
    bed.fleet.connect("pump")
    bed.pass_s(30)
    first, second = bed.rows("pump", SECONDS, count=2)
    assert first.spans == [(0, 30_000)] and second.spans == [(30_000, 60_000)]
    assert first.reasons == [(30_000, "silent")] and first.intervals[0][1][OUTAGES] == 1
    bed.pass_s(2 * HOUR_S - 120)
    for level in (MINUTES, HOURS):
        (row,) = bed.rows("pump", level)
        assert row.reasons == [(30_000, "silent")]
        assert row.intervals[0][1][OUTAGES] == 1
    assert [values[CONNECTED] for _, values in bed.rows("pump", MINUTES)[0].intervals[:3]] == [30_000, 30_000, 60_000]
    assert bed.rows("pump", HOURS)[0].intervals[0][1][CONNECTED] == (HOUR_S - 60) * 1000
    assert bed.rows(None, HOURS)[0].intervals[0][1][CONNECTED] == HOUR_S * 1000


def test_late_end_of_a_replaced_connection_is_no_outage():
    bed = Bed("pump")
    bed.fleet.tell("connected", "pump", peer="1")
    bed.pass_s(1)
    bed.fleet.tell("connected", "pump", peer="2")
    bed.fleet.tell("disconnected", "pump", peer="1", reason="replaced")
    bed.pass_s(60)
    (row,) = bed.rows("pump", SECONDS)
    assert row.spans == [(0, 60_000)] and row.reasons == []
    assert [(at, values[RECONNECTS], values[OUTAGES]) for at, values in row.intervals] == [(1, 1, 0)]


def test_levels_agree_over_a_day():
    bed = Bed("pump")
    bed.fleet.connect("pump")
    for number in range(24 * 6):
        bed.fleet.receive("pump", *[b"x"] * (number % 7))
        if number % 50 == 20:
            bed.fleet.tell("new_life", "pump", lives=number)
        bed.pass_s(600)
    sent = sum(number % 7 for number in range(24 * 6))
    rows = bed.rows("pump", HOURS), bed.rows("pump", MINUTES, count=24)
    for found in rows:
        total = [sum(values) for values in zip(*(values for row in found for _, values in row.intervals))]
        assert (total[LINES_IN], total[STARTS]) == (sent, 3)
        assert total[CONNECTED] == 24 * HOUR_S * 1000
    assert len(rows[0][0].intervals) == 24


def test_starts_of_the_bridge_follow_from_the_numbers_of_its_reports():
    bed = Bed("pump")
    for number in (4, 5, 0, 1, 0, 0):
        bed.fleet.tell("bridge_report", "pump", number=number)
        bed.pass_s(1)
    bed.pass_s(60)
    (row,) = bed.rows("pump", SECONDS)
    assert sum(values[BRIDGE_STARTS] for _, values in row.intervals) == 3


def test_waiting_lines_of_a_client_that_is_away_are_measured():
    bed = Bed("pump")
    bed.fleet.connect("pump")
    bed.fleet.leave("pump")
    bed.fleet.clients["pump"].waiting_lines = 12
    bed.pass_s(120)
    (row,) = bed.rows("pump", SECONDS, BEGAN_S + 60)
    assert row.intervals[-1][0] == 59 and row.intervals[-1][1][WAITING] == 12 and row.spans == []


def test_server_that_is_killed_loses_no_more_than_it_says():
    bed = Bed("pump")
    bed.fleet.connect("pump")
    for _ in range(59):
        bed.fleet.receive("pump", b"x")
        bed.pass_s(60)
    (row,) = bed.rows("pump", MINUTES)
    assert sum(values[LINES_IN] for _, values in row.intervals) >= 59 - recorder.REWRITE_MINUTES


def test_all_is_written_when_it_is_closed_and_another_run_adds_to_it():
    bed = Bed("pump")
    bed.fleet.connect("pump")
    bed.fleet.receive("pump", b"one")
    bed.pass_s(30)
    bed.now += 0.5
    bed.recorder.close()
    for level in LEVELS:
        (row,) = bed.rows("pump", level)
        assert sum(values[LINES_IN] for _, values in row.intervals) == 1
    bed.recorder = bed.made()
    bed.fleet.connect("pump")
    bed.fleet.receive("pump", b"two", b"three")
    bed.pass_s(30)
    both = bed.rows("pump", SECONDS)
    assert sorted(span for row in both for span in row.spans) == [(0, 30_500), (30_500, 60_000)]
    assert sum(values[LINES_IN] for row in both for _, values in row.intervals) == 3


def test_clock_that_jumps_leaves_a_gap_in_which_nothing_is_known():
    bed = Bed("pump")
    bed.fleet.connect("pump")
    bed.pass_s(10)
    bed.now += 300
    bed.pass_s(50)
    begins = list(range(BEGAN_S // 60, BEGAN_S // 60 + 9))
    for client in (None, "pump"):
        found = asyncio.run(bed.fleet.timeline().read(client, 0, begins))
        spans = {begin: Row(data).spans for begin, _, data in found}
        assert spans == {BEGAN_S // 60: [(0, 10_000)], BEGAN_S // 60 + 5: [(11_000, 60_000)]}
    bed.now -= 120
    bed.pass_s(120)
    assert bed.faults == []


@pytest.mark.parametrize("jump_s", [300, -120])
def test_clock_that_jumps_leaves_the_minute_before_as_it_was(jump_s):
    bed = Bed("pump", at_s=BEGAN_S + 600)
    bed.fleet.connect("pump")
    for _ in range(10):
        bed.fleet.receive("pump", b"x")
        bed.pass_s(1)
    bed.fleet.receive("pump", b"x")
    bed.now += jump_s
    bed.pass_s(1)
    (row,) = bed.rows("pump", SECONDS, BEGAN_S + 600)
    assert row.spans == [(0, 10_000)]
    assert [values[LINES_IN] for _, values in row.intervals] == [1] * 11


def test_event_between_the_end_of_a_minute_and_the_look_ends_it_once():
    bed = Bed("pump")
    bed.fleet.connect("pump")
    for _ in range(59):
        bed.fleet.receive("pump", b"x")
        bed.pass_s(1)
    bed.now += 1.001
    bed.fleet.leave("pump")
    bed.pass_s(61)
    first, second = bed.rows("pump", SECONDS, count=2)
    assert len(first.intervals) == 59 and first.spans == [(0, 60_000)]
    assert [values[OUTAGES] for _, values in second.intervals] == [1] and second.spans == [(0, 1)]


def test_old_rows_go_and_all_levels_are_shortened_alike_when_there_are_too_many():
    bed = Bed("pump")
    bed.fleet.connect("pump")
    bed.pass_s(2 * HOUR_S + 600)
    begins = [begin for level, begin, _ in asyncio.run(bed.fleet.timeline().sizes()) if level == 0]
    assert min(begins) == (BEGAN_S + HOUR_S + 600) // 60
    now, sizes = BEGAN_S, []
    for level in LEVELS:
        count = level.keep_s // level.row_s
        sizes += [(level.number, now // level.row_s - at, 100) for at in range(count)]
    found = cuts(sizes, now, len(sizes) * 100 // 2)
    assert sum(size for level, begin, size in sizes if begin >= found.get(level, 0)) <= len(sizes) * 50
    for level in LEVELS:
        kept_s = now - found[level.number] * level.row_s
        assert 0.4 <= kept_s / level.keep_s <= 0.6, level
    assert cuts(sizes, now, len(sizes) * 100) == {}


def test_rows_go_by_a_clock_that_the_store_is_told():
    """Of several servers one may have a clock that is ahead: it deletes only what is old for all of them."""
    bed, told = Bed("pump"), []
    bed.recorder.timeline = SimpleNamespace(keep=lambda *row: None, drop=lambda *cut: told.append(cut))
    bed.pass_s(60)
    now = BEGAN_S + 60
    assert told == [(one.number, (now - one.keep_s) // one.row_s, now, one.row_s) for one in LEVELS]


def test_fault_ends_the_measuring_and_is_told():
    async def test():
        bed = Bed("pump")
        bed.recorder._clock = lambda: 1 / 0
        await bed.recorder.run()
        assert isinstance(bed.faults[0], ZeroDivisionError)

    asyncio.run(test())


def test_work_that_takes_long_holds_no_look_up_and_ends_with_the_measuring(monkeypatch):
    monkeypatch.setattr(recorder, "PAUSE_S", 1000.0)

    class Slow(MemoryTimeline):
        async def sizes(self):
            await asyncio.Event().wait()

    bed = Bed("pump", at_s=BEGAN_S + 0.999)
    bed.recorder.timeline = bed.fleet._timeline = Slow()
    bed.fleet.connect("pump")
    look = bed.recorder.look

    def look_a_second_later():
        bed.now += 1
        return look()

    async def test():
        bed.recorder.look = look_a_second_later
        running = asyncio.create_task(bed.recorder.run())
        await until(lambda: running.done() or bed.now > BEGAN_S + 182, "three minutes of looks")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(test())
    assert bed.faults == []
    assert [row.spans for row in bed.rows("pump", SECONDS, count=3)] == [[(999, 60_000)], [(0, 60_000)], [(0, 60_000)]]


def test_backlog_that_is_read_without_an_event_is_seen_to_end():
    bed = Bed("pump")
    bed.fleet.clients["pump"].unread = 20
    bed.fleet.receive("pump", b"x")
    bed.pass_s(30)
    bed.fleet.clients["pump"].unread = 0  # the application reads
    bed.pass_s(300)
    rows = bed.rows("pump", SECONDS, count=5)
    assert [[values[UNREAD] for _, values in row.intervals] for row in rows] == [[20, 0]]
    bed.recorder.close()
    assert [values[UNREAD] for _, values in bed.rows("pump", MINUTES, count=1)[0].intervals] == [20, 0]


def test_lines_that_wait_for_a_client_that_another_server_has_are_not_measured():
    bed = Bed("pump")
    pump = bed.fleet.clients["pump"]
    bed.fleet.receive("pump", b"x")
    pump.waiting_lines = 5
    bed.pass_s(60)
    pump.is_here = False
    bed.pass_s(600)
    rows = bed.rows("pump", SECONDS, count=11)
    assert [[values[WAITING] for _, values in row.intervals] for row in rows] == [[5, 5], [0]]


def test_lines_that_wait_since_a_former_run_are_measured_until_the_client_comes():
    bed = Bed("pump", "valve")
    pump = bed.fleet.clients["pump"]
    pump.lines, pump.is_here = [b"1", b"2", b"3"], False
    asyncio.run(bed.recorder._find_stored())
    bed.pass_s(180)
    assert [row.intervals[-1][1][WAITING] for row in bed.rows("pump", SECONDS, count=3)] == [3, 3, 3]
    pump.is_here, pump.waiting_lines = True, 1
    bed.pass_s(60)
    pump.is_here, pump.waiting_lines = False, 0
    bed.pass_s(120)
    rows = bed.rows("pump", SECONDS, BEGAN_S + 180, count=3)
    assert [row.intervals[-1][1][WAITING] for row in rows] == [1, 0]
    assert bed.rows("valve", SECONDS, count=6) == []


def test_client_that_comes_in_the_second_in_which_the_clock_is_set_back_keeps_its_hour():
    bed = Bed("pump", at_s=BEGAN_S + HOUR_S)
    bed.fleet.connect("pump")
    for _ in range(30):
        bed.fleet.receive("pump", b"x")
        bed.pass_s(60)
    bed.pass_s(20)
    bed.now -= HOUR_S / 2 + 60 + 20
    bed.fleet.tell("connected", "pump", peer="10.0.0.7:4712")  # before the former connection has ended
    bed.fleet.receive("pump", b"x")
    bed.pass_s(1)
    bed.recorder.close()
    before, row = bed.rows("pump", MINUTES), bed.rows("pump", MINUTES, BEGAN_S + HOUR_S)
    assert [sum(values[LINES_IN] for _, values in one.intervals) for one in row] == [30]
    assert [(index, values[LINES_IN]) for index, values in before[0].intervals] == [(59, 1)]


def test_store_that_cannot_be_read_is_looked_at_again():
    class Away(MemoryTimeline):
        async def sizes(self):
            raise StoreError("away")

    bed = Bed("pump")
    bed.recorder.timeline = Away()
    asyncio.run(bed.recorder._look_at_sizes())
    assert bed.recorder._limits == {}
