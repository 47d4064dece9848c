"""The console in a MicroPython with os.dupterm: what boards do with it, in the unix port (build/tools/terminal_c)."""

import ast
import os
import subprocess
from pathlib import Path

import pytest

from tests.micropython.run import run_file
from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[3]
PROMPT = Path(__file__).parent / "programs" / "prompt.py"


@pytest.mark.parametrize("name", ["test_console", "test_console_input", "test_console_print"])
def test_console_works_with_dupterm(micropython_terminal, name):
    good, output = run_file(micropython_terminal, ROOT / "tests" / "pb_link" / f"{name}.py")
    assert good, output


def test_prompt_is_at_the_server_and_the_loop_runs_at_it(micropython_terminal):
    environment = dict(os.environ, MICROPYPATH=f"{ROOT}:{ROOT}/sim/mpy/boards/lib:.frozen")
    done = subprocess.run(
        [micropython_terminal, "-i", PROMPT], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert "dupterm" not in done.stdout, done.stdout
    (line,) = [line for line in done.stdout.splitlines() if "seen: " in line]  # it may follow a prompt
    seen = ast.literal_eval(line.partition("seen: ")[2])
    assert seen.count("KeyboardInterrupt") == 2 and "[0, 111, 222]\n" in seen
    after = seen[seen.index("MicroPython v") :]
    assert "application runs" in after  # its tasks go on at the prompt
