"""The bridge's heap, measured in the frozen 32-bit interpreter with 38 KiB, with traffic in both directions."""

import json
import re
import subprocess
import sys

from tests.peers.processes import ROOT

LEAST_FREE = 27000  # bytes, after a collection; the bar of `make bench` is higher: on a busy machine more is in flight
LINES = 400


def test_bridge_keeps_enough_heap_free(micropython64, micropython_bridge, report_line, monkeypatch):
    monkeypatch.setenv("MICROPYTHON", str(micropython64))
    monkeypatch.setenv("MICROPYTHON_BRIDGE", str(micropython_bridge))
    command = [sys.executable, "-m", "sim", "run", "--lines", str(LINES), "--line-bytes", "180", "--json"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert result.returncode == 0, result.stdout + result.stderr
    summary = json.loads(result.stdout.splitlines()[-1])
    free = int(re.search(r"least free heap (\d+) bytes", result.stdout + result.stderr)[1])
    report_line(f"bridge: least free heap {free} bytes of a 38 KiB heap, {LINES} lines of 180 bytes each way")
    assert summary["client_to_server"]["delivered"] == summary["server_to_client"]["delivered"] == LINES
    assert free >= LEAST_FREE
