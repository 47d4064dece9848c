"""Counts of what a client's connections have carried."""

from protocol.lines import NUMBERS
from server.core.traffic import Traffic


class Transport:
    received = 100
    sent = 200


class Flow:
    """The numbers of a ServerSession whose frames carry all lines that wait, and the Traffic that is told of them."""

    def __init__(self, number=0):
        self.base = self.number = self.end_of_lines = number
        self.traffic = Traffic()
        self.traffic.begin()

    def send(self, count, now):
        self.end_of_lines = (self.end_of_lines + count) & NUMBERS
        self.fill(now)

    def fill(self, now):
        before, self.number = self.number, self.end_of_lines
        self.traffic.sent(self, before, now)

    def acknowledge(self, count, now):
        self.base = (self.base + count) & NUMBERS
        self.traffic.acknowledged(self, now)

    def end(self):
        self.traffic.ended(self, Transport())
        self.number = self.base

    def resume(self, accepted):
        self.base = self.number = (self.base + accepted) & NUMBERS
        self.traffic.resumed(self)


def test_one_line_at_a_time_is_timed_from_when_it_is_sent():
    flow = Flow(65535)
    flow.send(1, 1000)
    flow.send(1, 1300)
    flow.acknowledge(1, 1400)
    flow.fill(1500)  # a frame without a line begins no time
    flow.acknowledge(1, 9000)
    assert (flow.traffic.round_trips, flow.traffic.round_trip_ms, flow.traffic.longest_round_trip_ms) == (1, 400, 400)
    flow.send(2, 10000)
    flow.acknowledge(1, 10100)
    flow.acknowledge(1, 10250)
    assert (flow.traffic.round_trips, flow.traffic.round_trip_ms, flow.traffic.longest_round_trip_ms) == (2, 650, 400)


def test_line_that_is_not_read_for_days_is_timed_and_a_wrap_of_the_clock_is_not():
    flow = Flow()
    now = 0
    for days in (7, 13):
        flow.send(1, now)
        now += days * 86400000
        flow.acknowledge(1, now)
    assert (flow.traffic.round_trips, flow.traffic.round_trip_ms) == (2, 20 * 86400000)
    flow.send(1, (1 << 30) - 100)
    flow.acknowledge(1, 100)
    assert (flow.traffic.round_trips, flow.traffic.round_trip_ms) == (2, 20 * 86400000)


def test_line_that_an_outage_has_come_between_is_not_timed():
    flow = Flow()
    flow.send(1, 0)
    flow.end()
    flow.resume(1)
    flow.traffic.acknowledged(flow, 60000)
    assert flow.traffic.round_trips == 0


def test_lines_that_are_sent_again_are_counted_each_time():
    flow = Flow(0x3FFFFFFA)
    flow.send(10, 0)
    flow.end()
    flow.resume(4)
    assert flow.traffic.sent_again == 6
    flow.end()  # before any was sent again
    flow.resume(0)
    assert flow.traffic.sent_again == 12
    flow.fill(1)
    flow.end()
    flow.resume(6)
    assert flow.traffic.sent_again == 12
    assert (flow.traffic.bytes_received, flow.traffic.bytes_sent) == (300, 600)


def test_connection_of_more_lines_than_16_bits_tell_apart_has_sent_none_again():
    flow = Flow()
    flow.send(1, 0)
    flow.end()
    flow.resume(1)
    for _ in range(400):
        flow.send(100, 0)
        flow.acknowledge(100, 0)
    flow.send(3, 0)
    flow.end()
    flow.resume(1)
    assert flow.traffic.sent_again == 2


def test_lines_of_another_session_have_not_been_sent_before():
    flow = Flow()
    flow.send(3, 0)
    flow.end()
    flow.traffic.begin()
    flow.resume(0)
    assert flow.traffic.sent_again == 0


def test_extremes_are_those_since_they_were_asked_for_last():
    flow, found = Flow(), []
    for took_ms in (40, 60, 50, 20, 30):
        flow.send(1, 100)
        flow.acknowledge(1, 100 + took_ms)
        if took_ms in (50, 30):
            found.append(flow.traffic.extremes())
    assert found == [(40, 60), (20, 30)]
    assert flow.traffic.extremes() == (0, 0)
    assert flow.traffic.longest_round_trip_ms == 60
