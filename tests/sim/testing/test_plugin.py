"""The plugin in a run of pytest of its own, as users have it."""

import re
import shlex
import subprocess
import sys

from sim.testing.plugin import MAX_SEED, OPTION
from tests.sim.conftest import ROOT

DOCUMENT = ROOT / "docs" / "testing.md"
TEST = """
from pathlib import Path

CLIENT = Path(__file__).with_name("client.py")

def test_of_mine(virtual_link):
    link = virtual_link(CLIENT)
    print("seed", link.seed)
    link.wait_for("Server is up")
    link.run(1)
    assert %s
"""
LATE = """
from pathlib import Path

async def handler(conn):
    await conn.readline()
    raise KeyError("seen by nobody")

def test_of_mine(virtual_link):
    link = virtual_link(Path(__file__).with_name("client.py"), handler)
    link.run_until(lambda: link.connection().nconns)
    link.printed("demo", "server", "the last thing that the test looks at")
    link._pass(None, 30)
"""
TWO_LINKS = """
from pathlib import Path

def test_of_mine(virtual_link):
    client = Path(__file__).with_name("client.py")
    print("seeds", virtual_link(client).seed, virtual_link(client, seed=5).seed, virtual_link(client).seed)
    assert False
"""
GIVEN = """
from pathlib import Path
import pytest

@pytest.mark.parametrize("name", ["it's"])
def test_of_mine(virtual_link, name):
    virtual_link(Path(__file__).with_name("client.py"), seed=5)
    assert False
"""
UNITTEST = """
from pathlib import Path
import unittest
import pytest

class TestOfMine(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _link(self, virtual_link):
        self.link = virtual_link(Path(__file__).with_name("client.py"))

    def test_it(self):
        self.link.wait_for("Server is up")
        self.fail("it is down")

    @unittest.skip("not now")
    def test_later(self):
        pass
"""
SPINS = """
from pathlib import Path

async def handler(conn):
    while True:
        pass

def test_of_mine(virtual_link):
    virtual_link(Path(__file__).with_name("client.py"), handler, handler_may_fail=True).run(60)
"""


def test_failure_shows_what_the_boards_did_and_how_to_repeat_it(users_pytest):
    status, output = users_pytest(TEST % "False")
    assert status == 1 and "| Server is up" in output
    seed = re.search(rf"again: pytest 'test_mine.py::test_of_mine' {OPTION}=(\d+)$", output, re.MULTILINE)[1]
    times = re.findall(r"^ +([0-9.]+ s .*\|.*)$", output, re.MULTILINE)
    status, again = users_pytest(TEST % "False", f"{OPTION}={seed}")
    assert f"seed {seed}\n" in again and re.findall(r"^ +([0-9.]+ s .*\|.*)$", again, re.MULTILINE) == times
    assert len(times) >= 2


def test_links_of_a_test_have_seeds_that_follow_from_one(users_pytest):
    status, output = users_pytest(TWO_LINKS)
    (seed,) = re.findall(rf"^again: .* {OPTION}=(\d+)$", output, re.MULTILINE)
    first, given, last = re.search(r"^seeds (\d+) (\d+) (\d+)$", output, re.MULTILINE).groups()
    assert (first, given) == (seed, "5") and last != seed
    told = re.findall(r"^link (\d) of this test, seed (\d+):$", output, re.MULTILINE)
    assert told == [("1", first), ("2", given), ("3", last)]
    assert f"seeds {first} {given} {last}\n" in users_pytest(TWO_LINKS, f"{OPTION}={seed}")[1]


def test_line_that_repeats_a_test_names_it_from_the_current_folder(users_pytest):
    _, output = users_pytest(TEST % "False", "--rootdir", "..", folder="below")
    assert re.search(r"^again: pytest 'test_mine\.py::test_of_mine' ", output, re.MULTILINE)


def test_line_that_repeats_a_test_has_no_seed_where_the_test_gives_it(users_pytest):
    _, output = users_pytest(GIVEN)
    line = re.search("^again: pytest (.*)$", output, re.MULTILINE)[1]
    assert shlex.split(line) == ["test_mine.py::test_of_mine[it's]"]


def test_failure_in_a_class_of_unittest_shows_it_as_well(users_pytest):
    status, output = users_pytest(UNITTEST)
    assert status == 1 and "1 failed, 1 skipped" in output and "| Server is up" in output
    assert len(re.findall(rf"again: pytest 'test_mine.py::TestOfMine::test_it' {OPTION}=\d+\n", output)) == 1


def test_good_test_says_nothing_and_each_run_has_a_seed_of_its_own(users_pytest):
    seeds = set()
    for _ in range(2):
        status, output = users_pytest(TEST % "True", "-s")
        assert status == 0 and "again:" not in output
        seeds.add(re.search(r"seed (\d+)", output)[1])
    assert len(seeds) == 2


def test_failure_that_nobody_has_looked_for_is_an_error_at_the_end(users_pytest):
    status, output = users_pytest(LATE)
    assert status == 1 and "1 passed, 1 error" in output and "KeyError: 'seen by nobody'" in output


def test_time_limit_ends_a_test_whose_handler_spins(users_pytest):
    # The limit is on a real clock: a shorter one may strike before the handler is called, and ends the test as well.
    status, output = users_pytest(SPINS, "-p", "pytest_timeout", "--timeout=3", "--timeout-method=signal")
    assert status == 1 and "Failed: Timeout" in output and "1 failed" in output


def test_seed_that_is_none_is_refused(users_pytest):
    status, output = users_pytest(TEST % "True", f"{OPTION}={MAX_SEED + 1}")
    assert status == 4 and f"is not a whole number of 0 to {MAX_SEED}" in output


def test_programs_of_the_document_are_a_test_that_passes(users_pytest, tmp_path):
    client, application, test = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "thermometer.py").write_text(client)
    (tmp_path / "application.py").write_text(application)
    status, output = users_pytest(test, "--import-mode=prepend")
    assert status == 0 and "1 passed" in output, output


def test_plugin_loads_nothing_of_the_project_before_a_fixture_is_used():
    code = (
        "import sys; before = {*sys.modules}; import pytest, argparse, contextlib, random; between = {*sys.modules}; "
        "import sim.testing.plugin; print(*sorted({*sys.modules} - between))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["sim", "sim.testing", "sim.testing.plugin"]
