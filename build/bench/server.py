"""The cost of a line for the server: lines per second of one core, from clients of another process by TCP.

The load is that of `make bench-server`. Only these figures depend on the machine. They have no bar, and only their
ratios can be compared.
"""

import json
import subprocess
import sys

from build.bench.figures import Figure
from build.tools.cache import ROOT
from build.tools.shell import BuildError

_LINES = 20000  # in each round, of all clients together
_ROUNDS = 3
_TIMEOUT_S = 300


def measure():
    command = [sys.executable, "-m", "tests.server.bench", "--core", str(_ROUNDS), "--lines", str(_LINES)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise BuildError(f"The server's load took more than {_TIMEOUT_S} s: is this machine busy?") from None
    if done.returncode:
        raise BuildError(f"The server's load ended with status {done.returncode}: {done.stderr[-1000:].strip()}")
    return figures(json.loads(done.stdout))


def figures(lines):
    """Yields the figures of {"store, clients": lines a second of a core}. Of each store the one with 1 client comes
    first: others are related to it."""
    for name, rate in lines.items():
        store, clients = name.split(", ")
        yield Figure("server", f"server, {store}, clients: {clients}", round(rate), "lines/s of a core")
        if clients != "1":
            ratio = rate / lines[f"{store}, 1"]
            yield Figure("server", f"server, {store}, {clients} clients to 1", ratio, "ratio")
