"""What the tests of all processes share: the wheel, built and installed once for a run, and the default port."""

import fcntl
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from pb_link.settings import DEFAULTS
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


@pytest.fixture
def default_port(missing_tool):
    """The port of a program whose settings name none. One test of this machine has it at a time."""
    port = DEFAULTS["port"]
    with open(Path(tempfile.gettempdir()) / f"pb_link_port_{port}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                missing_tool(f"port {port}, the default one, is taken by another program")
        yield port
