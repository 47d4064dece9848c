"""No test depends on the speed of the machine: what has to come is waited for with the bound of tests/patience.py."""

import ast
import re
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S, until
from tests.server.peer import PORTS, free_port

TESTS = Path(__file__).resolve().parent
# The clock of these is virtual, or is stopped and moved by the test.
VIRTUAL = (
    "tests.link.virtual", "tests.pb_link.board", "tests.esp_link.bench", "sim.virtual.", "tests.sensor_bus.bus_rig",
    "tests.sim.wires.sensors.rig",
)
BOUNDED = {"wait_for": 1, "timeout": 0, "wait": 0, "within": 1, "until": 2}  # name of the call: place of its seconds
TIMEOUT_IS_WANTED = ("TimeoutError", "TimeoutExpired")


def seconds_of(call):
    """Returns the bound in seconds that this call has as a literal, or None."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    place = BOUNDED.get(name) if name != "wait_for" or ast.unparse(call.func) == "asyncio.wait_for" else None
    given = [word.value for word in call.keywords if word.arg == "timeout" and name != "connect"]
    given += call.args[place : place + 1] if place is not None else []
    for value in given:
        if isinstance(value, ast.Constant) and type(value.value) in (int, float):
            return value.value
    return None


def looks_for_s(loop):
    """Returns the seconds after which this loop gives up what it polls for, or None if it polls for nothing."""
    ends = any(isinstance(part, (ast.Break, ast.Return)) for part in ast.walk(loop))
    count = re.fullmatch(r"range\(([0-9]+)\)", ast.unparse(loop.iter))
    pauses = [
        call.args[0].value for call in ast.walk(loop)
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("time.sleep", "asyncio.sleep")
        and call.args and isinstance(call.args[0], ast.Constant)
    ]  # fmt: skip
    return int(count[1]) * sum(pauses) if ends and count and sum(pauses) else None


def impatient(source):
    """Returns (line, what is wrong) of waits that a slow machine breaks. Where the time-out is what the test wants, as
    the code around it says by naming its exception, it may be short."""
    found = []

    def visit(node, wanted):
        if isinstance(node, (ast.Try, ast.With, ast.AsyncWith)):
            about = node.handlers if isinstance(node, ast.Try) else [item.context_expr for item in node.items]
            wanted = wanted or any(name in ast.unparse(each) for each in about for name in TIMEOUT_IS_WANTED)
        if isinstance(node, ast.Call) and not wanted:
            seconds = seconds_of(node)
            if seconds is not None and 0 < seconds < PATIENCE_S:
                found.append((node.lineno, f"waits for {seconds} s at most"))
        seconds = looks_for_s(node) if isinstance(node, ast.For) else None
        if seconds is not None and seconds < PATIENCE_S:
            found.append((node.lineno, f"polls for {seconds:.3g} s at most"))
        for child in ast.iter_child_nodes(node):
            visit(child, wanted)

    visit(ast.parse(source), False)
    return found


def test_what_has_to_come_is_waited_for_with_patience():
    found = []
    for path in sorted(TESTS.rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        if not any(name in source for name in VIRTUAL):
            found += [f"{path.relative_to(TESTS.parent)}:{line}: {what}" for line, what in impatient(source)]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("asyncio.wait_for(x, 5)", 1),
        ("process.communicate(timeout=20)", 1),
        ("process.wait(20)", 1),
        ("within(x, 1), until(x, 'what', 20)", 2),
        ("async def f():\n async with asyncio.timeout(1):\n  await x", 1),
        ("for _ in range(100):\n if x: break\n time.sleep(0.01)", 1),
        ("asyncio.wait_for(x, PATIENCE_S), process.wait(), process.wait(60)", 0),
        ("with pytest.raises(asyncio.TimeoutError):\n asyncio.wait_for(x, 0.2)", 0),
        ("for _ in range(6000):\n if x: break\n time.sleep(0.01)", 0),
        ("for _ in range(100):\n time.sleep(0.01)", 0),
    ],
)
def test_impatient_waits_are_found(source, count):
    assert len(impatient(source)) == count


def test_no_port_is_given_twice():
    ports = [free_port() for _ in range(min(500, len(PORTS) // 2))]
    assert len(set(ports)) == len(ports)


def test_until_fails_with_what_did_not_come():
    until(lambda: True, "nothing")
    with pytest.raises(AssertionError, match="the end did not come within 0.01 s"):
        until(lambda: False, "the end", 0.01)
