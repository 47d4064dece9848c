"""Virtual boards for tests: programs run on them with the interpreters that tests/conftest.py finds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parent.parent.parent


class Sim:
    """`python3 -m sim` as a user calls it."""

    def __init__(self, environment):
        self.interpreters = environment  # the variables that name them
        self.environment = {**os.environ, **environment}

    def __call__(self, *arguments, timeout=4 * PATIENCE_S, cwd=ROOT):
        return subprocess.run(
            [sys.executable, "-m", "sim", *map(str, arguments)],
            cwd=cwd,
            env={**self.environment, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@pytest.fixture
def sim(micropython64):
    return Sim({"MICROPYTHON": micropython64})


@pytest.fixture
def sim_with_bridge(micropython64, micropython_bridge):
    return Sim({"MICROPYTHON": micropython64, "MICROPYTHON_BRIDGE": micropython_bridge})


@pytest.fixture
def board(sim, tmp_path):
    """Runs a program's text on a board: board(text, *options) -> stdout; the program must end with `status`."""

    def run(text, *options, status=0):
        program = tmp_path / "program.py"
        program.write_text(text)
        result = sim("board", program, *options)
        assert result.returncode == status, result.stdout + result.stderr
        return result.stdout

    return run
