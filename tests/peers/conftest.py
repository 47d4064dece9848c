"""The wheel, built and installed once for all tests of a run."""

import sys

import pytest

from tests.peers.processes import ROOT
from tests.peers.wheel import from_index, run


@pytest.fixture(scope="session")
def installed(tmp_path_factory, missing_tool):
    """A fresh environment with the wheel in it, and the wheel."""
    folder = tmp_path_factory.mktemp("installed")
    from_index(missing_tool, sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    wheel = next(folder.glob("*.whl"))
    run(sys.executable, "-m", "venv", folder / "venv")
    run(folder / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-index", wheel)
    return folder / "venv" / "bin", wheel
