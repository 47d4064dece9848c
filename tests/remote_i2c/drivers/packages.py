"""The folder with the drivers of others, and the programs that use them."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.patience import PATIENCE_S
from tests.peers.wheel import from_index

ROOT = Path(__file__).resolve().parents[3]
REQUIREMENTS = Path(__file__).resolve().with_name("requirements.txt")


def packages_folder(missing_tool):
    """Returns the folder. It is kept, under the name of what is in it."""
    name = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = ROOT / ".cache" / f"drivers-{name}"
    if not folder.exists():
        made = ROOT / ".cache" / f"drivers-{name}-{os.getpid()}"
        words = ("-m", "pip", "install", "--quiet", "--no-deps", "--target", made, "-r", REQUIREMENTS)
        from_index(missing_tool, sys.executable, *words)
        try:
            made.rename(folder)
        except OSError:  # another run was faster
            shutil.rmtree(made)
    return folder


def run_program(folder, program, server):
    """Run a program of programs.py. server: "grpc://HOST:PORT". Returns what it has read."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join((str(ROOT), str(folder))), PB_LINK_SMBUS=server)
    done = subprocess.run(
        [sys.executable, "-m", "tests.remote_i2c.drivers.programs", program],
        env=environment, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
