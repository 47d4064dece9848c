"""What tests/conftest.py gives to tests: lines under "measured", and skipping that becomes failing in CI."""

import os
import re
import subprocess
import sys

import pytest

from build.tools.cache import ROOT

SAMPLE = """
def test_measures(report_line):
    report_line("bridge: 24,100 bytes free")

def test_measures_before_it_fails(report_line):
    report_line("latency: 17 ms")
    assert False

def test_needs_a_tool(missing_tool):
    missing_tool("no such tool here")
"""


@pytest.fixture
def run_sample(tmp_path):
    def run(ci, *options):
        path = tmp_path / "test_sample.py"
        path.write_text(SAMPLE)
        settings = ["-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider", "-p", "tests.conftest"]
        command = [sys.executable, "-m", "pytest", *settings, *options, str(path)]
        environment = dict(os.environ, CI=ci)
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        return done.stdout

    return run


@pytest.mark.parametrize("options", [(), ("-n", "2", "--dist", "loadfile")], ids=["one process", "as make test"])
def test_measured_lines_are_shown_once_each_at_the_end(run_sample, options):
    shown = run_sample("", *options)
    measured = shown.partition(" measured =")[2]
    assert measured.count("bridge: 24,100 bytes free") == 1
    assert measured.count("latency: 17 ms") == 1
    assert re.fullmatch(r"=+ 1 failed, 1 passed, 1 skipped in .* =+", shown.splitlines()[-1])  # .ci/run looks for it


def test_missing_tool_skips_with_its_reason(run_sample):
    shown = run_sample(ci="")
    assert "1 failed, 1 passed, 1 skipped" in shown
    assert "no such tool here" in shown


def test_missing_tool_fails_in_ci(run_sample):
    shown = run_sample(ci="true")
    assert "2 failed, 1 passed" in shown
    assert "no such tool here (CI is set: nothing is skipped)" in shown
