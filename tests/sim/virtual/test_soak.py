"""A small soak with seeds that nobody has tried: other ones in each run, and printed."""

import json
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from sim import cli
from sim.virtual import soak
from sim.virtual.run import VirtualRun
from tests.sample import all_or

ROOT = Path(__file__).resolve().parents[3]
SEEDS = all_or(2, 6)  # `make soak` has hundreds
TIMEOUT_S = 300


def soak_from(first, *options):
    command = [sys.executable, "-m", "sim", "soak", "--seeds", f"{first}:{first + SEEDS}", "--json", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S)


def test_fresh_seeds_keep_the_promise(report_line):
    first = secrets.randbelow(10**9)
    result = soak_from(first, "--faults", "all", "--lines", "100")
    said = result.stdout.splitlines() or ["nothing"]
    report_line(f"soak: seeds {first}:{first + SEEDS}: {said[-1]}")
    assert result.returncode == 0, result.stdout + result.stderr
    summary = json.loads(result.stdout.splitlines()[-1])
    assert (summary["seeds"], summary["violations"]) == (SEEDS, 0)
    assert summary["faults_injected"] > 0


def test_run_that_spins_is_a_violation(monkeypatch):
    """A program of a board that loops without awaiting anything: no virtual time passes in it."""

    def spin(run):
        while True:
            pass

    monkeypatch.setattr(soak, "SPIN_S", 0.5)
    monkeypatch.setattr(VirtualRun, "_ledger_changed", spin)
    outcome = soak.play(soak.case_of(1, 20, 50, []))
    assert not outcome.good
    assert "Spins: no end after 0.5 s of processor time, in " in outcome.why


def test_half_of_the_seeds_have_channels_half_have_requests_and_the_printed_command_says_so():
    cases = [soak.case_of(seed, 20, 50, ["tcp-reset"]) for seed in range(200)]
    assert {(case.channels, case.requests) for case in cases} == {
        (channels, requests) for channels in ((), soak.CHANNELS) for requests in ((), soak.REQUESTS)
    }
    for name in ("channels", "requests"):
        assert 70 < sum(bool(getattr(case, name)) for case in cases) < 130
    for case in cases[:20]:
        assert ("--channels 20,21 " in soak.replay(case)) == bool(case.channels)
        assert ("--requests 30,31 " in soak.replay(case)) == bool(case.requests)


def test_printed_command_plays_the_same_run(capsys):
    cases = [soak.case_of(seed, 20, 50, ["tcp-reset"]) for seed in range(20)]
    case = next(case for case in cases if case.channels and case.requests)
    run = soak.run_of(case)
    expected = run.run()
    words = soak.replay(case).split()
    assert cli.main([*words[words.index("run") : -1], "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["client_to_server"]["sent"] == 80
    assert {name: said[name] for name in expected} == expected


@pytest.mark.parametrize("option", ["--channels", "--requests"])
@pytest.mark.parametrize("wrong", ["0", "128", "20,20", "x", ""])
def test_channels_that_are_none_are_a_line(capsys, option, wrong):
    with pytest.raises(SystemExit):
        cli.main(["run", "--bed", "virtual", "--lines", "5", option, wrong])
    assert "write numbers of channels, 1 to 127, with commas" in capsys.readouterr().err


def test_channels_of_messages_cannot_carry_requests_as_well(capsys):
    command = ["run", "--bed", "virtual", "--lines", "5", "--channels", "20,21", "--requests"]
    for numbers in ("21,22", "30"):
        assert cli.main([*command, numbers]) == 2
        assert "--requests takes two channels, for each end to ask on" in capsys.readouterr().err


def test_unknown_fault_is_named():
    with pytest.raises(ValueError, match="unknown fault 'rain'; this bed knows bridge-kill, "):
        soak.parse_names("rain")
