"""`AppBase.run` on virtual boards: a start long before Wi-Fi and server, and an application that fails in traffic."""

import random

import pytest

from pb_link import runner
from pb_link.app_base import AppBase
from sim.virtual.apps import Client, Pace
from sim.virtual.run import VirtualRun

HOUR_S = 3600
LONGEST_S = 2.0  # between two feeds of the watchdog


@pytest.fixture(autouse=True)
def no_board(monkeypatch):
    monkeypatch.setattr(runner, "reset", None)


class Application(Client):
    """With the hooks of AppBase and supervised tasks."""

    starts = 0
    bad_wifi = AppBase.bad_wifi
    bad_server = AppBase.bad_server

    def start(self):
        self.starts += 1
        self.create_task(self._write_lines())
        self.create_task(self._read_lines())


class Watchdog:
    """`longest_s`: the longest time without a feed."""

    def __init__(self, world):
        self._world = world
        self._fed = None
        self.longest_s = 0.0

    def feed(self):
        now = self._world.now
        if self._fed is not None:
            self.longest_s = max(self.longest_s, now - self._fed)
        self._fed = now


class Run:
    """A run whose client's program is `run`. Args: those of VirtualRun; of: the class of its application."""

    def __init__(self, of=Application, **how):
        self.run = VirtualRun(**how)
        self.watchdog = Watchdog(self.run.world)
        self.run.job.client_main = self._client_main
        self._of = of
        self.app = None
        self.printed = []
        link = self.run.link
        heard = link.client.on_line
        link.client.on_line = lambda board, line: (self.printed.append((self.run.seconds, line)), heard(board, line))

    async def _client_main(self, config):
        self.app = self._of(self.run.job, config)
        await self.app.run(self.watchdog)

    def said(self, what):
        return [line for _, line in self.printed if what in line]


def test_client_that_starts_hours_before_wifi_and_server_gets_through():
    one = Run(lines=20, timeout_s=3 * HOUR_S)
    link, world = one.run.link, one.run.world
    start_server = link.start_server
    link.start_server = lambda: None
    link.air.set_up(False)
    world.after(HOUR_S, link.air.set_up, True)
    world.after(2 * HOUR_S, start_server)
    one.run.run()
    assert one.run.good, one.run.failure
    assert one.app.starts == 1 and one.run.seconds > 2 * HOUR_S
    assert len(one.said("No initial WiFi")) == len(one.said("No initial server")) == 1
    assert not one.said("has failed")
    assert 0 < one.watchdog.longest_s < LONGEST_S


class Failing(Application):
    """Its third task raises an exception after a random time, ten times."""

    FAILURES = 10

    def __init__(self, *args):
        super().__init__(*args)
        self.epochs = set()

    def start(self):
        super().start()
        if self.starts <= self.FAILURES:
            self.create_task(self._fail(random.Random(self.starts)))

    async def _fail(self, chance):
        await runner.sleep_ms(chance.randrange(2000, 4000))
        self.epochs.add(self._link._epoch)  # None before the first connection
        raise ValueError("of the application")


def test_session_stays_and_no_line_is_lost_when_the_application_fails_in_traffic(capfd):
    one = Run(Failing, lines=400, pace=Pace(10, 0.05, 0.05), timeout_s=HOUR_S)
    one.run.run()
    assert one.run.good, one.run.failure
    failures = len(one.said("the application has failed"))
    assert failures > 5 and one.app.starts in (failures, failures + 1)
    assert len(one.app.epochs - {None}) == 1 and one.run.result["outages"] == one.run.result["resets"] == 0
    assert one.watchdog.longest_s < LONGEST_S
    assert capfd.readouterr().err.count("ValueError: of the application") == failures


def test_session_stays_when_the_esp8266_is_killed_meanwhile():
    one = Run(Failing, lines=200, pace=Pace(10, 0.05, 0.05), timeout_s=HOUR_S, counts={"bridge-kill": 3})
    one.run.run()
    assert one.run.good, one.run.failure
    assert one.app.starts > 3 and one.run.result["resets"] >= 1
    assert one.watchdog.longest_s < LONGEST_S
