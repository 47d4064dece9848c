"""What `pip install .` makes of the checkout: these packages, and the command."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.peers.processes import ROOT

PACKAGES = {"pb_link", "protocol", "primitives", "i2c_devices", "server"}


def run(*words, **how):
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=240,
        env={**os.environ, "PYTHONPATH": ""}, **how,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory, missing_tool):
    """A fresh environment with the wheel in it, and the wheel."""
    folder = tmp_path_factory.mktemp("installed")
    try:
        run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    except AssertionError as error:
        if "hatchling" not in str(error):
            raise
        missing_tool(f"the build backend cannot be had: {str(error)[-200:]}")
    wheel = next(folder.glob("*.whl"))
    run(sys.executable, "-m", "venv", folder / "venv")
    run(folder / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-index", wheel)
    return folder / "venv" / "bin", wheel


def test_wheel_holds_the_packages_and_nothing_else(installed):
    names = {Path(name).parts[0] for name in zipfile.ZipFile(installed[1]).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == PACKAGES


def test_command_works_where_it_is_installed(installed, tmp_path):
    command = installed[0] / "pb-link"
    key = json.loads(run(command, "keys", "add", "pump", "--json", cwd=tmp_path))["key"]
    assert len(key) == 64 and "pump" in run(command, "keys", "list", cwd=tmp_path)
    assert "pb-link serve" in run(installed[0] / "python", "-m", "server", "--help", cwd=tmp_path)


def test_build_leaves_nothing_in_the_checkout(installed):
    left = subprocess.run(["git", "status", "--porcelain", "--ignored", "build", "dist"], cwd=ROOT, capture_output=True)
    found = [line for line in left.stdout.decode().splitlines() if "__pycache__" not in line and line.startswith("!!")]
    assert not found
