"""Commands in the environments in which tests install the wheel."""

import os
import subprocess
import sys


def run(*words, **how):
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=240,
        env={**os.environ, "PYTHONPATH": ""}, **how,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(folder):
    """Makes a fresh virtual environment. Returns the words of a command that installs into it."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)  # a pip of its own takes longer than all else
    return sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet"


def from_index(missing_tool, *words):
    """Run a command that needs what PyPI has, a second time if the first one fails: networks have bad moments."""
    try:
        run(*words)
        return
    except (AssertionError, subprocess.TimeoutExpired):
        pass
    try:
        run(*words)
    except subprocess.TimeoutExpired as error:
        missing_tool(f"a package cannot be had: {error}")
    except AssertionError as error:
        if not any(text in str(error) for text in ("No matching distribution", "Could not find a version")):
            raise
        missing_tool(f"a package cannot be had: {str(error)[-200:]}")
