"""What the tests of all processes share: the wheel, built and installed once for a run."""

import fcntl
import os
import shutil
import sys

import pytest

from tests.peers.processes import ROOT
from tests.peers.wheel import environment, from_index, run


@pytest.fixture(scope="session")
def installed(tmp_path_factory, missing_tool):
    """A fresh environment with the wheel in it, and the wheel. Tests only read them."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # of all workers of this run
    folder, made = base / "installed", base / "installed.made"
    with open(base / "installed.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            words = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
            from_index(missing_tool, sys.executable, *words)
            run(*environment(folder / "venv"), "--no-index", next(folder.glob("*.whl")))
            made.touch()
    return folder / "venv" / "bin", next(folder.glob("*.whl"))
