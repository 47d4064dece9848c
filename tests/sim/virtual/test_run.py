"""Counted runs on the virtual link: whole, repeatable, fast."""

import asyncio
import json
import os
import subprocess
import sys
import time

import pytest

from server.core.transport import Transport
from sim import cli
from sim.root import ROOT
from sim.virtual.apps import Client, Pace
from sim.virtual.costs import PLACEHOLDERS, ZERO
from sim.virtual.faults import FAULTS
from sim.virtual.run import VirtualRun


def lines_of(options, seed=1, **arguments):
    counts = dict(part.split("=") for part in options.split(",")) if options else {}
    return VirtualRun(seed=seed, counts={name: int(count) for name, count in counts.items()}, **arguments)


def good(run):
    run.run()
    if not run.good:
        run.explain()
    return run.good


def test_undisturbed_run_delivers_everything():
    run = lines_of("", lines=300)
    assert good(run)
    assert run.result["outages"] == 0 and run.result["resets"] == 0
    assert run.result["client_to_server"]["delivered"] == run.result["server_to_client"]["delivered"] == 300


def test_callback_of_the_server_that_fails_ends_the_run_as_a_failure(monkeypatch):
    class Failing(Transport):
        def heard(self, size):
            raise KeyError("told to")

    monkeypatch.setattr("server.core.listener.Transport", Failing)
    run = lines_of("", lines=20, pace=Pace(1, 1.0, 1.0))
    run.run()
    assert not run.good and "the server: Exception in callback" in run.failure and "told to" in run.failure


@pytest.mark.parametrize("hold_us, server_s, client_s", [(30000, 0.028, 0.2), (20000, 0.018, 0.05)])
def test_busy_application_under_a_steady_stream_has_no_bridge_reset(monkeypatch, hold_us, server_s, client_s):
    """It computes whenever it has its turn, for about as long as the bridge takes to bring the next line."""
    started = Client.start

    def start(app):
        started(app)
        app.create_task(compute())

    async def compute():
        while True:
            run.link.client.charge(hold_us)
            await asyncio.sleep(0)

    monkeypatch.setattr(Client, "start", start)
    pace = Pace(1000, client_s, server_s)
    run = VirtualRun(lines=300, size=30, seed=3, costs=PLACEHOLDERS, pace=pace, durable=False)
    assert good(run) and run.result["resets"] == 0


def test_faults_of_bed_mpy_are_survived():
    run = lines_of("bridge-kill=3,wifi-outage=2,server-restart=1", lines=500)
    assert good(run)
    assert run.result["faults"] == {"bridge-kill": 3, "wifi-outage": 2, "server-restart": 1}
    assert run.result["resets"] >= 3


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_survived(name):
    """With one seed: `make soak` has hundreds of them."""
    assert good(lines_of(f"{name}=4", lines=100))


def test_free_computing_and_long_lines():
    assert good(lines_of("bridge-kill=1", lines=20, size=3000, costs=ZERO))


def test_ticks_wrap_in_every_run():
    run = lines_of("", lines=100)
    run.run()
    assert run.world.begin_s * 1000 < 1 << 30 < run.world.now * 1000


def printed(hash_seed, *arguments):
    command = [sys.executable, "-m", "sim", "run", "--bed", "virtual", "--json", *arguments]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    return {name: value for name, value in result.items() if "real" not in name}


def test_run_is_the_same_whenever_it_is_repeated():
    arguments = ("--lines", "100", "--seed", "5", "--faults", "bridge-kill=2,i2c-bitflip=5,tcp-stall=1,client-kill=1")
    assert printed("1", *arguments) == printed("77", *arguments)


def test_other_seed_is_another_run():
    runs = [lines_of("bridge-kill=2", lines=100, seed=seed) for seed in (1, 2)]
    assert runs[0].run() != runs[1].run()


def measured(run, report_line, what):
    """Reports how many times faster than real time it is, in this process's time. Returns slices a virtual second."""
    begin = time.process_time()
    assert good(run)
    times = run.seconds / (time.process_time() - begin)
    slices = run.world.slices / run.seconds
    report_line(f"bed virtual, {what}: {times:.0f} times real time, {slices:.0f} slices of programs a second")
    return slices


def test_idle_link_costs_few_slices(report_line):
    """About 10 us of this machine each: 1,000 times real time are 100 slices a second."""
    assert measured(lines_of("", lines=2, pace=Pace(client_s=600, server_s=600)), report_line, "idle") < 100


def test_traffic_costs_a_bounded_number_of_slices(report_line):
    run = lines_of("", lines=1000, size=100)
    measured(run, report_line, "full traffic")
    assert run.world.slices < 20 * 2 * run.ledger.lines


def test_unknown_fault_is_named(capsys):
    assert cli.main(["run", "--bed", "virtual", "--lines", "5", "--faults", "flood=1"]) == 2
    assert "flood" in capsys.readouterr().err
