"""A run of pytest of its own, as users of the plugin have it."""

import os
import subprocess
import sys

import pytest

from tests.patience import PATIENCE_S
from tests.sim.conftest import ROOT
from tests.sim.testing.programs import write_client

PLUGIN = ("-p", "sim.testing.plugin", "-p", "no:cacheprovider", "--rootdir", ".", "-c", os.devnull)


@pytest.fixture
def users_pytest(tmp_path):
    """Runs pytest on the text of a test, in a folder with a client. Returns its status and output."""

    def run(text, *words, folder=".", **environment):
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        write_client(place)
        (place / "test_mine.py").write_text(text)
        own = {"PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *PLUGIN, *words], cwd=place, capture_output=True, text=True,
            env={**os.environ, **own}, timeout=4 * PATIENCE_S,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    return run
