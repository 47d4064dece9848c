"""The record of a run of the demo: each line that it printed, and when. The animation is drawn from it."""

import json
import subprocess
import time
from pathlib import Path

from build.tools.cache import ROOT
from build.tools.shell import BuildError

FILE = Path(__file__).with_name("demo_record.json")
COMMAND = ("make", "--no-print-directory", "demo")
SHOWN_AS = "make demo"


def record(command=COMMAND, shown_as=SHOWN_AS):
    """Runs the command to its end. Returns the record: {"command": str, "lines": [[seconds, text], ..]}.

    Seconds count from the command's first line: what is before it is the start of interpreters, or their build.
    Raises: BuildError if the command fails.
    """
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    lines = []
    begin = None
    with process.stdout:
        for line in process.stdout:
            now = time.monotonic()
            begin = now if begin is None else begin
            lines.append([round(now - begin, 2), line.rstrip("\n")])
    if process.wait():
        raise BuildError(f"{shown_as} has failed with status {process.returncode}: nothing is recorded")
    return {"command": shown_as, "lines": lines}


def keep(found, path=FILE):
    """Writes a record, one line of the run a line."""
    lines = ",\n".join("  " + json.dumps(line, ensure_ascii=False) for line in found["lines"])
    path.write_text(f'{{"command": {json.dumps(found["command"])},\n "lines": [\n{lines}\n]}}\n', encoding="utf-8")


def kept(path=FILE):
    """Returns the record that was kept."""
    return json.loads(path.read_text(encoding="utf-8"))
