"""The description in the metadata of the wheel: README as it is read where no files are beside it."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def description():
    command = [sys.executable, "-m", "hatchling", "metadata", "readme"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def tools(missing_tool):
    for name in ("hatchling", "hatch_fancy_pypi_readme"):
        if find_spec(name) is None:
            missing_tool(f"{name} is not installed: make .venv anew with  make tools")


def test_nothing_in_it_needs_a_file_beside_it(description):
    links = re.findall(r"\]\(([^)]*)\)", description)
    assert links and all(link.startswith("https://") for link in links)
    assert not re.search(r"<img|<picture|<source|srcset|src=", description)


def test_files_that_it_names_are_there(description):
    named = set(re.findall(r"`((?:docs|examples)/[^`]*|[A-Z]+\.md)`", description))
    assert len(named) > 15 and all((ROOT / name).exists() for name in named)
    linked = set(re.findall(r"\]\((?!https:)([^)]+)\)", README))
    assert linked <= named


def test_sentences_and_tables_are_readmes(description):
    assert [line for line in README.splitlines() if line.startswith("#")] == [
        line for line in description.splitlines() if line.startswith("#")
    ]
    assert "`make demo` runs client and bridge in two real MicroPython interpreters" in description
    assert "on the server's web\npage.\n" in description and "in the source distribution" in description
    for block in re.findall(r"(?s)```.*?```", README):
        assert block in description

