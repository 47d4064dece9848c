"""The commands that README, CONTRIBUTING and docs/ show are run, in the order in which they show them.

A block of commands is one sequence, that begins in an empty folder. What needs a board gets a simulated one, by the
name of its port. Commands that .ci/run runs are left to it. Of a command within a sentence it is seen that the program,
its target or subcommand, and its options exist.
"""

import contextlib
import functools
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.version import RELEASE, release_text
from sim.mpy.boot_loader import BootLoader, SerialPort
from tests.build.install.made_firmware import micropython
from tests.build.install.test_client_package import board
from tests.peers.documented import DOCUMENTS, ROOT, TEXTS, Shell, blocks, commands, copy_checkout, inline

MIB = 1024 * 1024
BRIDGE_UP = f"esp_link: up, release {release_text(RELEASE)}\r\n"
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
# Commands that .ci/run runs, and those that take hours, whose code other tests run for a shorter time.
STEPS = set(re.findall(r"^step ([a-z-]+)", (ROOT / ".ci" / "run").read_text(), re.MULTILINE))
TOO_LONG = {"make soak-month", "make soak-silence"}
# Needs the wires between two boards: tests/sim/mpy/test_selftest.py runs the self test.
WIRED = '.venv/bin/mpremote connect /dev/ttyACM0 exec "from pb_link import selftest; selftest.run()" reset'
# Programs that run until they are stopped, and what they print when they do their work.
SERVES = {
    "python3 -m pb_link.s_app": "listening on port",
    "python3 -m sim up --client examples/client.py": 'client | [1, "ping"]',
    "python3 -m sim board examples/blink.py": "X1 1 X2 1",
    "pb-link serve --config pb_link.toml": "started",
    "pb-link sim up --client client.py": "client | got line 1",
}
# What is typed at a prompt.
NETWORK = [("Wi-Fi network", "net\n"), ("password", "secret word\n")]
ANSWERS = {
    "python3 build/deploy.py --port /dev/ttyACM0": NETWORK,
    "python3 ../pb_link/build/deploy.py --port /dev/ttyACM0 --app client.py": NETWORK,
}


TUTORIAL = "docs/tutorial.md"  # one sequence from its first block to its last: test_tutorial.py


def sequences():
    for document in DOCUMENTS:
        if document == TUTORIAL:
            continue
        for index, block in enumerate(blocks(document, "sh")):
            yield pytest.param(document, commands(block), id=f"{document}-{index}")


@pytest.fixture
def boards(micropython64, tmp_path):
    """Where a name of the documents has its place on this machine: a serial port, the firmware, the repository."""
    firmware = tmp_path / "firmware.bin"
    firmware.write_bytes(micropython())
    client = tmp_path / "client_board"
    (client / "lib").mkdir(parents=True)
    (client / "lib" / "machine.py").write_text("class I2CTarget: pass\n")
    repository = tmp_path / "repository"
    copy_checkout(repository)
    with (
        SerialPort(BootLoader(2 * MIB), lambda say: say(BRIDGE_UP)) as esp8266,
        board(micropython64, client, release=(1, 26)) as usb,
    ):
        yield {
            "/dev/ttyUSB0": esp8266.path,
            "/dev/ttyACM0": usb,
            "FILE_OR_URL": str(firmware),
            "URL": str(firmware),
            "ADDRESS": str(repository),
        }


def placed(command, places):
    for name, place in places.items():
        command = re.sub(rf"(?<!\S){re.escape(name)}(?!\S)", lambda _, place=place: place, command)
    return command


@pytest.fixture
def shell(tmp_path, boards, micropython64, micropython_bridge, micropython_chip):
    """A shell in a folder that is empty, or that holds a new clone if the first command is not to make one."""
    (tmp_path / "home").mkdir()
    (tmp_path / "state").mkdir()
    return Shell(
        tmp_path / "home", tmp_path / "state",
        MICROPYTHON=micropython64, MICROPYTHON_BRIDGE=micropython_bridge, MICROPYTHON_CHIP=micropython_chip,
    )  # fmt: skip


def left_to_others(command):
    words = command.split()
    return command in TOO_LONG or command == WIRED or words[0] == "make" and words[1] in STEPS


@pytest.mark.parametrize(("document", "sequence"), list(sequences()))
def test_commands_work_in_the_order_in_which_they_are_shown(document, sequence, default_port, shell, boards):
    if all(left_to_others(command) for command in sequence):
        return
    if not sequence[0].startswith("git clone "):
        shell.run(f"git clone --quiet {boards['ADDRESS']} pb_link && cd pb_link")
    with contextlib.ExitStack() as terminals:
        for command in sequence:
            if left_to_others(command):
                continue
            if command == "make tools":  # what it installs is that of this run
                shell.run(f"ln -s {shlex.quote(str(ROOT / '.venv'))} .venv && touch -d @0 requirements-*.txt")
            if command in SERVES:
                program = terminals.enter_context(shell.running(placed(command, boards)))
                program.wait_for(SERVES[command])
            else:
                shell.run(placed(command, boards), ANSWERS.get(command, ()))
            if "build/deploy.py" in command:
                there = json.loads((Path(boards["ADDRESS"]).parent / "client_board" / "pb_settings.json").read_text())
                assert there == json.loads((shell.cwd / "pb_settings.json").read_text()) and there["ssid"] == "net"


def fault_of(command):
    """Returns what of a command within a sentence does not exist, or None."""
    words = shlex.split(command)
    if words[0] == "make":
        return None if words[1] in TARGETS else f"no target {words[1]}"
    if words[0] == "pb-link":
        return _fault_of_options([sys.executable, "-m", "server"], words[1:])
    if words[:2] == ["python3", "-m"]:
        name = words[2].replace("pb_link.sim", "sim")
        if name == "sim":
            return _fault_of_options([sys.executable, "-m", name], words[3:])
        path = ROOT / name.replace(".", "/")
        return None if path.with_suffix(".py").exists() or (path / "__main__.py").exists() else f"no module {name}"
    if words[0] == "python3":
        if not (ROOT / words[1]).exists():
            return f"no file {words[1]}"
        if words[1].startswith("examples/"):
            return None  # a program of the reader's
        return _fault_of_options([sys.executable, words[1]], words[2:])
    return None  # not a program of ours


@functools.cache  # documents name the same commands again and again
def _help_of(*command):
    """Returns what --help prints, or None if there is no such command."""
    done = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True)
    return None if done.returncode else done.stdout


def _fault_of_options(program, words):
    named = [word for word in words[:2] if re.fullmatch(r"[a-z][a-z0-9-]*", word)]
    helped = _help_of(*program, *named)
    while helped is None and len(named) > 1:
        named.pop()
        helped = _help_of(*program, *named)
    if helped is None:
        return f"no subcommand {' '.join(named)}"
    absent = [option for option in re.findall(r"--[a-z-]+", " ".join(words)) if option not in helped]
    return f"no option {', '.join(absent)}" if absent else None


@pytest.mark.parametrize("document", [*DOCUMENTS, *TEXTS])
def test_commands_within_sentences_exist(document):
    faults = {command: fault for command in inline(document) if (fault := fault_of(command))}
    assert not faults


def test_commands_that_do_not_exist_are_found():
    assert fault_of("make breakfast") and fault_of("python3 -m pb_link.nothing") and fault_of("python3 build/gone.py")
    assert fault_of("pb-link nothing") and fault_of("pb-link keys add x --gone")
    assert fault_of("python3 -m sim run --gone")
    assert fault_of("pb-link keys add demo") is None and fault_of("make soak-month") is None
