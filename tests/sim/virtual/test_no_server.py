"""A server that cannot be reached: the client is told so, and the ESP8266 is not reset over it."""

import pytest

from sim.virtual.apps import PACE, Pace
from sim.virtual.network import ADDRESS
from sim.virtual.run import VirtualRun

TOLD = "! no server yet"
UP = "! server up"


class Run:
    """Lines each way. Args: server: the client's setting; serving: there is one from the start.

    `printed`: (seconds, line) of the client's program.
    """

    def __init__(self, server="server", serving=True, lines=20, pace=PACE):
        self.run = VirtualRun(lines=lines, pace=pace)
        link = self.link = self.run.link
        link.settings["server"] = server
        self.start_server = link.start_server
        if not serving:
            link.start_server = lambda: None
        self.printed = []
        heard = link.client.on_line
        link.client.on_line = lambda board, line: (self.printed.append((self.run.seconds, line)), heard(board, line))

    def times(self, what):
        return [seconds for seconds, line in self.printed if line == what]

    def healthy(self):
        return self.link.esp8266.resets == self.link.esp8266.watchdog_bites == self.link.tcp.overfull == 0


def end_after(one, seconds):
    one.run.world.after(seconds, one.run.world.stop)
    one.run.run()


def test_refused_connection_is_told_and_is_never_up():
    one = Run(serving=False)
    seen = []
    one.run.world.after(30, lambda: seen.append(one.link.tcp.opened))
    one.run.world.after(30, one.start_server)
    one.run.run()
    assert one.run.good, one.run.failure
    assert seen == [0] and one.healthy()
    assert len(one.times(TOLD)) == 1 and one.times(TOLD)[0] < 10
    assert one.times(UP)[0] > 30


@pytest.mark.parametrize("server", ["server.invalid", "no..name", "10.0.0.999", "1", "10.0.0.7"])
def test_server_that_has_no_address_or_does_not_answer_is_told_without_a_reset(server):
    one = Run(server)
    end_after(one, 60)
    assert len(one.times(TOLD)) == 1 and one.times(TOLD)[0] < 20 and not one.times(UP)
    assert one.healthy()


def test_name_server_that_does_not_answer_is_told_without_a_reset():
    one = Run()
    one.link.tcp.answers_names = False
    one.run.world.after(40, setattr, one.link.tcp, "answers_names", True)
    one.run.run()
    assert one.run.good, one.run.failure
    assert len(one.times(TOLD)) == 1 and one.times(TOLD)[0] < 20
    assert one.times(UP)[0] > 40 and one.healthy()


def test_server_given_by_its_address_needs_no_name_server():
    one = Run(ADDRESS)
    one.link.tcp.answers_names = False
    one.run.run()
    assert one.run.good and not one.times(TOLD) and one.healthy()


def test_small_lines_in_an_outage_do_not_stop_the_chip():
    """Each was a segment of its own: with the ninth lwIP had no place, the write stood still, the watchdog bit."""
    one = Run(lines=400, pace=Pace(1000, 0.02, 0.02))
    run = one.run
    for seconds in range(4, 12, 2):
        run.world.after(seconds, stall, one.link)
    run.run()
    assert run.good and one.healthy()


def stall(link):
    for connection in list(link.tcp.connections):
        connection.stall(1.2)
