"""The tools, compared with what i2c-tools 4.3 of Debian 12 printed on the same bus, byte by byte.

recorded.txt was made by running them with a library in front of the kernel (LD_PRELOAD) that plays /dev/i2c-1 as
i2c_dev.py does. Of each command it has what was typed ($), what was printed, with a | at the end of each line, the exit
status (=), and what went to stderr (!), without usage and questions, whose words are our own. The bus is named 1.
"""

import re
import shlex
from errno import ETIMEDOUT
from pathlib import Path
from types import SimpleNamespace

import pytest

from remote_i2c.errors import LINK, timed_out
from server.service import i2c_command
from tests.remote_i2c.tools.i2c_dev import FUNCTIONS, RecordedBus

RECORDED = Path(__file__).with_name("recorded.txt").read_text(encoding="utf-8")
CASES = [(block.partition("\n")[0], block.partition("\n")[2]) for block in RECORDED.split("$ ")[1:]]


def run(command, capfd, monkeypatch, bus=None, typed=""):
    """Run a command such as "FUNCS=0x1 i2cget -y 1 0x18". Returns (exit status, stdout, stderr)."""
    functions, words = FUNCTIONS, shlex.split(command)
    if words[0].startswith("FUNCS="):
        functions = int(words.pop(0).partition("=")[2], 0)
    made = bus or RecordedBus(functions)
    monkeypatch.setattr(i2c_command, "open_bus", lambda *given: made)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(readline=lambda: typed))
    options = SimpleNamespace(tool=words[0].removeprefix("i2c"), words=words[1:], json=False)
    status = i2c_command.run(options, None)
    shown = capfd.readouterr()
    return status, shown.out, shown.err


@pytest.mark.parametrize("command, recorded", CASES, ids=[command for command, _ in CASES])
def test_output_and_status_are_those_of_the_i2c_tools(command, recorded, capfd, monkeypatch):
    status, out, err = run(command, capfd, monkeypatch)
    assert [f"{line}|" for line in out.split("\n")[:-1]] == re.findall(r"^(?![=!] ).*\|$", recorded, re.MULTILINE)
    assert status == int(re.search(r"^= (\d+)$", recorded, re.MULTILINE)[1])
    ours = re.split(r"^(?:Usage|WARNING)", err, flags=re.MULTILINE)[0]
    assert ours.split("\n")[:-1] == re.findall(r"^! (.*)$", recorded, re.MULTILINE)


def test_there_are_cases_of_each_tool():
    tools = [re.search(r"i2c(\w+)", command)[1] for command, _ in CASES]
    assert {tool: tools.count(tool) > 15 for tool in tools} == dict.fromkeys(i2c_command.TOOLS, True)


@pytest.mark.parametrize("typed, goes_on", [("y\n", True), ("\n", True), ("Y\n", True), ("n\n", False), ("", False)])
def test_without_y_it_asks(typed, goes_on, capfd, monkeypatch):
    status, out, err = run("i2cget 1 0x18 5", capfd, monkeypatch, typed=typed)
    assert status == 0 and err.startswith("WARNING!") and "chip address 0x18, data address 0x05" in err
    assert (out == "0x05\n") is goes_on and ("Aborting" in err) is not goes_on


def test_a_transfer_is_not_meant_by_an_empty_line(capfd, monkeypatch):
    bus = RecordedBus()
    _, _, err = run("i2ctransfer 1 w2@0x18 5 0x99 r?", capfd, monkeypatch, bus, typed="\n")
    assert "msg 0: addr 0x18, write, len 2, buf 0x05 0x99\nmsg 1: addr 0x18, read, len TBD\n" in err
    assert bus.registers[0x18][5] == 5
    run("i2ctransfer 1 w2@0x18 5 0x99", capfd, monkeypatch, bus, typed="y\n")
    assert bus.registers[0x18][5] == 0x99


class LateBus(RecordedBus):
    """A bus whose way is down."""

    async def transfer(self, transfer, timeout_ms=1000):
        raise timed_out(LINK, "the client pump has not answered within 5000 ms")

    async def quick(self, address, read, timeout_ms=1000):
        raise timed_out(LINK, "the client pump has not answered within 5000 ms")


@pytest.mark.parametrize(
    "command",
    [
        "i2cdetect -y 1", "i2cget -y 1 0x18", "i2cget -y 1 0x18 5 c", "i2cset -y 1 0x18 5 1",
        "i2cset -y -m 1 1 0x18 5 1", "i2cdump -y 1 0x18 b", "i2cdump -y 1 0x18 i", "i2cdump -y 1 0x18 c",
        "i2ctransfer -y 1 r1@0x18",
    ],
)  # fmt: skip
def test_a_way_that_is_down_is_no_absent_device(command, capfd, monkeypatch):
    status, out, err = run(command, capfd, monkeypatch, LateBus())
    assert status == 1 and f"Error: [Errno {ETIMEDOUT}] the client pump has not answered" in err
    assert "--" not in out and "XX" not in out


def test_addresses_that_are_not_allowed_are_left_out(capfd, monkeypatch):
    from remote_i2c.addresses import parse_addresses
    from remote_i2c.shared import SharedBus

    shared = SharedBus(RecordedBus(), parse_addresses("0x18, 0x19"))
    status, out, err = run("i2cdetect -y 1 0x10 0x1f", capfd, monkeypatch, shared)
    assert status == 0 and out.split("\n")[2] == "10: " + " " * 24 + "18 -- " + " " * 18
    assert err == "Warning: addresses that are not allowed were left out\n"


@pytest.mark.parametrize(
    "command, told",
    [
        ("i2cdetect -y 1 x 9", "FIRST argument is not a number!"),
        ("i2cdump -y 1 0x18 b 1", "Banks are not supported"),
        ("i2cset -y -r 1 0x18 5 1 2 i", "Readback not supported"),
        ("i2cdump -y 1 0x18 s", "Invalid mode!"),
        ("i2ctransfer -y 1 " + "r1@0x18 " * 43, "Too many messages (max: 42)"),
    ],
)
def test_what_is_not_done_is_said(command, told, capfd, monkeypatch):
    status, out, err = run(command, capfd, monkeypatch)
    assert (status, out) == (1, "") and told in err
