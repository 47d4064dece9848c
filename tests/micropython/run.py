"""Runs unittest-style test files under a MicroPython interpreter, one process a file.

    python3 tests/micropython/run.py [--bits 64|32] [FILE ..]

The files are SHARED_FILES and those of SHARED_FOLDERS, the same that pytest runs under CPython. A file that
cannot run under MicroPython says so, and why, in two literals at module level:

    MICROPYTHON = False
    MICROPYTHON_REASON = "needs hypothesis"
"""

import argparse
import ast
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SHARED_FOLDERS = ("tests/protocol", "tests/primitives", "tests/i2c_devices", "tests/pb_link", "tests/sensor_bus")
SHARED_FILES = ("tests/server/stores/test_memory.py",)
BOARD_LIBRARY = "sim/mpy/boards/lib"  # holds the `unittest` of the boards
TIMEOUT_S = 240  # for one file, on a slow machine

_CLOSING_LINE = re.compile(r"(\d+) passed, (\d+) failed, (\d+) skipped")


def shared_files(root=ROOT):
    """Returns the test files that both interpreters run."""
    files = [path for folder in SHARED_FOLDERS for path in (root / folder).glob("test_*.py")]
    return sorted([*files, *(root / name for name in SHARED_FILES)])


def why_left_out(path):
    """Returns the file's reason for not running under MicroPython, or None if it does.

    Raises: ValueError if it gives no reason.
    """
    literals = {}
    for node in ast.parse(path.read_text(encoding="utf-8"), str(path)).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if isinstance(node.value, ast.Constant):
                literals[node.targets[0].id] = node.value.value
    if literals.get("MICROPYTHON", True):
        return None
    reason = literals.get("MICROPYTHON_REASON")
    if not reason:
        raise ValueError(f"{path}: MICROPYTHON = False wants a MICROPYTHON_REASON = \"..\" beside it")
    return reason


def run_file(interpreter, path, root=ROOT):
    """Run one test file.

    Returns: (whether at least one test ran and none failed, what to show)
    """
    module = ".".join(path.relative_to(root).with_suffix("").parts)
    environment = dict(os.environ, MICROPYPATH=f"{root}:{root / BOARD_LIBRARY}:.frozen")
    command = [str(interpreter), "-c", f"import unittest; unittest.main({module!r})"]
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        return False, f"{(error.stdout or b'').decode(errors='replace')}\nStopped after {TIMEOUT_S} s."
    output = done.stdout.decode(errors="replace").rstrip()
    closing = _CLOSING_LINE.fullmatch(output.rpartition("\n")[2])
    if closing is None:
        return False, f"{output}\nEnded with status {done.returncode} and without a closing line."
    if int(closing[1]) + int(closing[3]) == 0:
        return False, f"{output}\nThe file has no tests."
    return done.returncode == 0 and closing[2] == "0", output


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Run shared test files under MicroPython.")
    parser.add_argument("--bits", type=int, choices=(64, 32), default=64, help="word size of the interpreter")
    parser.add_argument("files", nargs="*", type=Path, help="default: all that are shared")
    options = parser.parse_args(arguments)
    found = subprocess.run(
        [sys.executable, str(ROOT / "build" / "micropython.py"), "--bits", str(options.bits)], stdout=subprocess.PIPE
    )
    if found.returncode:
        return 1
    interpreter = found.stdout.decode().splitlines()[-1]
    failed, ran = [], 0
    for path in [path.resolve() for path in options.files] or shared_files():
        name = path.relative_to(ROOT)
        reason = why_left_out(path)
        if reason:
            print(f"{name}: left out: {reason}")
            continue
        ran += 1
        good, output = run_file(interpreter, path)
        print(f"{name}: {output.rpartition(chr(10))[2] if good else 'FAILED' + chr(10) + output}", flush=True)
        if not good:
            failed.append(str(name))
    print(f"{ran} files under {options.bits}-bit MicroPython, {len(failed)} failed {' '.join(failed)}".rstrip())
    return 1 if failed or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
