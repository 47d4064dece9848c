"""Every allocation of a client, and of a device, fails once, in real MicroPython: see the programs beside this file.

In `make test` it is every few of them, and every one in `make test-cases`.
"""

import os
import re
import subprocess

import pytest

from build.bench import boards
from build.install import sensor_package
from tests.micropython.run import ROOT
from tests.sample import all_or

LIMIT_S = 240
STEP = all_or(11, 1)  # from one failing allocation of the link to the next
DEVICE_STEP = all_or(7, 1)  # of devices
STEP_IN_A_ROW = all_or(91, 13)  # where several fail, one behind the other
FEW = all_or(49, 7)  # the same, of a console and of devices
OF_IMPORTS = all_or(13, 1)  # times the steps that failing_imports.py has


def run(interpreter, program, *words, path=""):
    """The last line of what the program prints. path: where it finds modules first."""
    command = [interpreter, "-X", "heapsize=4m", "-c", f"import tests.memory.{program}", *map(str, words)]
    environment = {**os.environ, "MICROPYPATH": f"{path}{ROOT}:.frozen"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0 and not done.stderr, done.stdout[-2000:] + done.stderr
    return done.stdout.splitlines()[-1]


def failures(said):
    """(clients, failed allocations, expired messages) of what failing_link has printed."""
    return map(int, re.fullmatch(r"(\d+) clients, (\d+) allocations failed, (\d+) expired", said).groups())


@pytest.mark.parametrize("words", [(), ("channel",)], ids=["lines", "channel"])
def test_link_survives_any_failed_allocation(micropython_failing, report_line, words):
    said = run(micropython_failing, "failing_link", 0, 1, 1, 1, *words)
    allocations, expired = map(int, re.fullmatch(
        r"(\d+) allocations, 2 connections, 1 resets, (\d) expired", said).groups())
    assert expired == (3 if words else 0)
    said = run(micropython_failing, "failing_link", 1, 0, STEP, 1, *words)
    clients, failed, expired = failures(said)
    assert clients == failed and 0.9 * allocations < clients * STEP  # a failure may save later ones
    assert not words or expired > 2 * clients
    report_line(f"link: {clients} of {allocations} allocations failed once each {' '.join(words)}")


def test_import_that_found_no_memory_can_be_repeated(micropython_failing, tmp_path, report_line):
    """Of compiled modules, each allocation, or each few; also one of a module that the imported one imports."""
    boards.compiled(tmp_path)
    failed = int(run(micropython_failing, "failing_imports", OF_IMPORTS, path=f"{tmp_path}:"))
    report_line(f"imports of compiled modules: {failed} failed")
    assert failed > 3000 // OF_IMPORTS


def test_sensor_bus_survives_any_failed_allocation_of_what_it_loads(micropython_failing, tmp_path, report_line):
    sensor_package.tree(tmp_path)
    failed = int(run(micropython_failing, "failing_sensors", OF_IMPORTS, path=f"{tmp_path}:"))
    report_line(f"sensor bus: {failed} calls failed")
    assert failed > 2000 // OF_IMPORTS


def test_run_survives_any_failed_allocation_after_the_start(micropython_failing):
    said = run(micropython_failing, "failing_link", 1, 0, STEP, 1, "run")
    clients, failed, _ = failures(said)
    assert clients == failed and clients * STEP > 1000


@pytest.mark.parametrize("count", [1, 10])
def test_console_and_its_application_survive_any_failed_allocation(micropython_failing, count):
    said = run(micropython_failing, "failing_link", 1, 0, STEP if count == 1 else FEW, count, "console")
    clients, failed, _ = failures(said)
    assert failed >= clients > 2300 // (STEP if count == 1 else FEW)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(
    ("kind", "side"),
    [("stream", "target"), ("stream", "controller"), ("packet", "target"), ("packet", "controller"), ("tasks", "both")],
)
def test_device_and_its_controller_survive_any_failed_allocation(micropython_failing, kind, side, count):
    step = DEVICE_STEP if count == 1 else FEW
    said = run(micropython_failing, "failing_devices", kind, side, step, count)
    allocations, failed = map(int, re.fullmatch(r"(\d+) allocations, (\d+) failed", said).groups())
    assert allocations > 300 and (failed == (allocations - 1) // step or count > 1)


@pytest.mark.parametrize("words", [(), ("channel",)], ids=["lines", "channel"])
@pytest.mark.parametrize("count", [2, 5, 50])
def test_link_survives_some_failed_allocations_in_a_row(micropython_failing, count, words):
    clients, failed, _ = failures(run(micropython_failing, "failing_link", 1, 2000, STEP_IN_A_ROW, count, *words))
    assert clients == -(-2000 // STEP_IN_A_ROW) and failed > clients


@pytest.mark.parametrize("count", [1, 3])
def test_requests_survive_any_failed_allocation(micropython_failing, count):
    said = run(micropython_failing, "failing_requests", STEP, count)
    clients, failed = map(int, re.fullmatch(r"(\d+) clients, (\d+) allocations failed", said).groups())
    assert clients * STEP > 100 and failed >= clients
