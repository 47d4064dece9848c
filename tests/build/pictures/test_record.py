"""A record has each line of a run that succeeded, in its order and at its time."""

import sys
import time
from types import SimpleNamespace

import pytest

from build.pictures import record
from build.tools.shell import BuildError

# Its argument is a file, which is there when the first line has been read.
PROGRAM = """
import os, sys, time
print('one', flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
time.sleep(0.05)
print('two <&> \\u00e9')
"""


def test_lines_are_recorded_with_their_times(monkeypatch, tmp_path):
    def monotonic():
        now = time.monotonic()
        (tmp_path / "read").touch()
        return now

    monkeypatch.setattr(record, "time", SimpleNamespace(monotonic=monotonic))
    found = record.record([sys.executable, "-X", "utf8", "-c", PROGRAM, tmp_path / "read"], "make demo")
    assert found["command"] == "make demo" and [line for _, line in found["lines"]] == ["one", "two <&> \u00e9"]
    first, second = (seconds for seconds, _ in found["lines"])
    assert first == 0 and second >= 0.05


def test_failed_run_is_no_record():
    with pytest.raises(BuildError, match="make demo has failed with status 3"):
        record.record([sys.executable, "-c", "print('begun'); raise SystemExit(3)"])


def test_record_is_kept_as_it_is(tmp_path):
    found = {"command": "make demo", "lines": [[0.0, 'a "b"'], [1.25, "\u00e9"]]}
    record.keep(found, tmp_path / "record.json")
    assert record.kept(tmp_path / "record.json") == found
