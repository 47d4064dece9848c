"""A small soak with seeds that nobody has tried: other ones in each run, and printed."""

import json
import secrets
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SEEDS = 10
TIMEOUT_S = 300


def soak(first, *options):
    command = [sys.executable, "-m", "sim", "soak", "--seeds", f"{first}:{first + SEEDS}", "--json", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S)


def test_fresh_seeds_keep_the_promise(report_line):
    first = secrets.randbelow(10**9)
    result = soak(first, "--faults", "all", "--lines", "100")
    said = result.stdout.splitlines() or ["nothing"]
    report_line(f"soak: seeds {first}:{first + SEEDS}: {said[-1]}")
    assert result.returncode == 0, result.stdout + result.stderr
    summary = json.loads(result.stdout.splitlines()[-1])
    assert (summary["seeds"], summary["violations"]) == (SEEDS, 0)
    assert summary["faults_injected"] > 0
