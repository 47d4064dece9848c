"""The Python of .venv, which has what flashing a board needs (`make tools`), for programs that start with another."""

import importlib
import os
import sys
from pathlib import Path

from build.tools.cache import ROOT

VENV = ROOT / ".venv"


def start_where(module):
    """Start this program again with the Python of .venv, if that has been made and this one has no such module.
    Without .venv it returns: the program itself names what is missing."""
    try:
        importlib.import_module(module)
    except ImportError:
        python = VENV / "bin" / "python"
        if python.exists() and Path(sys.prefix) != VENV:
            os.execv(python, [str(python), *sys.argv])
