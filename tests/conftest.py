"""What tests of all levels share: interpreters, the default port, skipping with a reason, lines with a measurement."""

import gc
import os
import signal
import tempfile
import time
from pathlib import Path

import pytest

from build.tools import debian, micropython
from build.tools.shell import MissingTool
from pb_link.settings import DEFAULTS
from server.service.machine import Machine
from tests.patience import PATIENCE_S

pytest_plugins = ["sim.testing.plugin"]  # of an installed wheel it is an entry point


# gRPC's handlers of a fork begin threads in the child, which now and then end it before it becomes another program: 7
# of 1,719 times. Tests only fork to start a program.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"


def pytest_configure():
    """Heed interrupts, and so do the processes that tests start: in the background a shell has them ignored."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGQUIT) == signal.SIG_IGN:
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # nohup: these tests go on
        signal.signal(signal.SIGHUP, lambda *_: None)  # what they start does not inherit a function


def pytest_collection_finish():
    """Have each gc.collect() skip what pytest has made of all tests: the boards' programs call it at each start.

    Once: what tests leave is collected as ever.
    """
    gc.collect()
    gc.freeze()


_MANY_STARTS = ("tests/pb_link/", "tests/link/", "tests/memory/", "tests/sim/virtual/")


@pytest.fixture(scope="module", autouse=True)
def starts_skip_what_other_tests_have_loaded(request):
    """Where hundreds of boards start, each gc.collect() of theirs would look at all that this process has: a library
    that another test has loaded can take a minute so."""
    if request.node.nodeid.startswith(_MANY_STARTS):
        gc.collect()
        gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call):
    """Report a failure without collecting garbage meanwhile.

    Of a task whose exception nobody has taken asyncio prints the traceback when it is collected, for which CPython 3.11
    parses the source. If that happens while pytest parses the source, the outer parser raises SystemError, and the
    process ends without a report.
    """
    if call.excinfo is None:
        return (yield)
    gc.collect()
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.fixture(scope="session")
def missing_tool():
    """A function to call with a reason where an optional tool is missing: skips, but fails if CI is set."""

    def give_up(reason):
        if debian.in_ci():
            pytest.fail(f"{reason} (CI is set: nothing is skipped)", pytrace=False)
        pytest.skip(reason)

    return give_up


@pytest.fixture
def report_line(request):
    """A function to call with a line of text, which is shown under "measured" at the end of the run."""

    def report(text):
        request.node.user_properties.append(("measured", str(text)))

    return report


def _found(find, missing_tool):
    try:
        return str(find())
    except MissingTool as error:
        missing_tool(str(error))


@pytest.fixture(scope="session")
def micropython64(missing_tool):
    """The path of a 64-bit MicroPython."""
    return _found(micropython.find, missing_tool)


@pytest.fixture(scope="session")
def micropython32(missing_tool):
    """The path of a 32-bit MicroPython, whose objects are as big as a microcontroller's."""
    return _found(lambda: micropython.find(32), missing_tool)


@pytest.fixture(scope="session")
def micropython_bridge(missing_tool):
    """The path of the 32-bit MicroPython with the bridge frozen in."""
    return _found(micropython.bridge, missing_tool)


@pytest.fixture(scope="session")
def micropython_chip(missing_tool):
    """The path of the 32-bit MicroPython with the ESP8266's modules and no bridge, as the official firmware."""
    return _found(micropython.chip, missing_tool)


@pytest.fixture(scope="session")
def micropython_failing(missing_tool):
    """The path of the 64-bit MicroPython whose allocations can be made to fail."""
    return _found(micropython.failing, missing_tool)


@pytest.fixture(scope="session")
def micropython_terminal(missing_tool):
    """The path of the 64-bit MicroPython with os.dupterm as boards have it."""
    return _found(micropython.terminal, missing_tool)


@pytest.fixture(scope="session")
def mpy_cross(missing_tool):
    """The path of the compiler to .mpy files."""
    return _found(micropython.mpy_cross, missing_tool)


@pytest.fixture(scope="session")
def micropython_source(missing_tool):
    """The path of MicroPython's source, which is had even where the interpreters are not built here."""
    return _found(micropython.source, missing_tool)


@pytest.fixture(scope="session")
def sigrok(missing_tool):
    """The path of sigrok-cli, which decodes what a logic analyser has seen."""
    return _found(lambda: debian.program("sigrok-cli", "sigrok-cli", "Decoding the wires"), missing_tool)


@pytest.fixture
def default_port(missing_tool):
    """The port of a program whose settings name none: for each test in which one may listen, the simulator's too. One
    test of this machine has it at a time, and waits for a program that ends."""
    fcntl = pytest.importorskip("fcntl")
    port = DEFAULTS["port"]
    with open(Path(tempfile.gettempdir()) / f"pb_link_port_{port}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        deadline = time.monotonic() + PATIENCE_S
        while Machine().bind_fault("0.0.0.0", port):
            if time.monotonic() > deadline:
                missing_tool(f"port {port}, the default one, is taken by {Machine().listener(port) or 'a program'}")
            time.sleep(0.1)
        yield port


def pytest_terminal_summary(terminalreporter):
    lines = []
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "teardown":
                continue  # the same properties come with the call's report
            lines += [text for name, text in getattr(report, "user_properties", ()) if name == "measured"]
    if lines:
        terminalreporter.section("measured")
        for line in dict.fromkeys(lines):
            terminalreporter.write_line(line)
