"""`sim board`: programs on one virtual board."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sim.mpy import one_board
from tests.patience import PATIENCE_S

PROGRAMS = Path(__file__).parent / "programs"
PINS = {"pyboard": "X1=X2,X3=X4", "rp2": "GP0=GP1,GP2=GP3", "esp8266": "4=5,12=13"}


@pytest.mark.parametrize("wires", [(), ("--board", "rp2", "--wires", "GP5=GP7,GP4=GP6")])
def test_i2c_targets(sim, wires):
    result = sim("board", PROGRAMS / "target_device.py", *wires)
    assert result.returncode == 0, result.stdout + result.stderr
    assert " 0 failed" in result.stdout


@pytest.mark.parametrize("kind", PINS)
def test_pins_and_interrupts(sim, kind):
    result = sim("board", PROGRAMS / "pins.py", "--board", kind, "--wires", PINS[kind])
    assert result.returncode == 0, result.stdout + result.stderr
    assert " 0 failed" in result.stdout


# MicroPython's own test of I2C targets (tests/ of its source, 1.26 or newer) is not part of this project.
if "MICROPYTHON_TESTS" in os.environ:

    @pytest.mark.parametrize("wires", [("--wires", "X1=X9,X2=X10"), ("--board", "rp2", "--wires", "GP5=GP7,GP4=GP6")])
    def test_micropythons_own_test_of_i2c_targets(sim, wires):
        tests = Path(os.environ["MICROPYTHON_TESTS"])
        result = sim("board", tests / "extmod_hardware" / "machine_i2c_target.py", *wires)
        assert result.returncode == 0, result.stdout + result.stderr
        assert " 0 failed" in result.stdout


def test_the_exit_status_is_the_programs(board):
    board("import sys; sys.exit(7)", status=7)
    board("1 / 0", status=1)


def test_mistake_in_the_syntax_is_the_boards_to_say(sim, tmp_path):
    (tmp_path / "program.py").write_text("print('begins')\ndef f(:\n    pass\n")
    done = sim("board", tmp_path / "program.py")
    said = done.stdout + done.stderr
    assert done.returncode == 1 and 'program.py", line 2\nSyntaxError' in said and "one_board.py" not in said


def test_arguments_and_name(board):
    assert board("import sys; print(__name__, sys.argv[1:])", "--", "-x", "y").strip() == "__main__ ['-x', 'y']"


@pytest.mark.parametrize("kind", ["pyboard", "rp2", "esp8266"])
def test_the_board_says_what_it_is(board, kind):
    assert board("import sys; print(sys.platform)", "--board", kind).strip() == kind


def test_the_file_names_its_board_and_wires(board):
    text = 'BOARD = "rp2"\nWIRES = [(0, 1, 2)]\nfrom machine import Pin\nPin(0, Pin.OUT, value=1)\nprint(Pin(2)())'
    assert board(text).strip() == "1"


@pytest.mark.parametrize("text", ['WIRES = [("X1", "X99")]', "WIRES = [3]", "WIRES = f()", 'BOARD = "other"'])
def test_bad_wires_and_boards_are_refused(board, text):
    board(text, status=2)


def test_wires_on_the_command_line():
    assert one_board.parse_wires("X1=X9, X2=X10=Y1") == [("X1", "X9"), ("X2", "X10", "Y1")]
    for text in ("X1", "X1=", "=X1"):
        with pytest.raises(ValueError):
            one_board.parse_wires(text)


def test_reset_starts_the_program_again(board):
    text = "import machine\nprint(machine.reset_cause())\nif machine.reset_cause() != 5:\n    machine.reset()"
    assert board(text).split() == ["1", "5"]


def test_a_watchdog_that_is_not_fed_resets(board):
    text = "import machine\nprint(machine.reset_cause())\nif machine.reset_cause() == 1:\n"
    text += "    w = machine.WDT(timeout=200)\n    w.feed()\n    while True:\n        pass"
    assert board(text).split() == ["1", "3"]


def test_the_esp8266_has_no_crc32_and_no_target(board):
    text = (
        "import binascii, machine\n"
        "print(hasattr(binascii, 'crc32'), hasattr(machine, 'I2CTarget'), binascii.hexlify(b'a'))"
    )
    assert board(text, "--board", "esp8266").strip() == "False False b'61'"


def test_the_scheduler_loses_what_does_not_fit(board):
    # All the edges come while the handler of the first runs.
    text = """
WIRES = [("X1", "X2")]
from machine import Pin
out, into, seen = Pin("X1", Pin.OUT, value=1), Pin("X2", Pin.IN), []
def handler(pin):
    if not seen:
        for _ in range(20):
            out(1)
            out(0)
    seen.append(1)
into.irq(handler, Pin.IRQ_FALLING)
out(0)
print(len(seen))
"""
    assert 2 <= int(board(text)) <= 10


def test_ctrl_c_ends_the_board_as_well(sim, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import time\nprint('up')\nwhile True:\n    time.sleep(1)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "sim", "board", str(program)], env=sim.environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) == 130
    assert process.stdout.read() == ""  # nobody holds the pipe any more


def test_a_board_ends_when_the_wire_process_is_killed(sim, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import time\nprint('up')\nwhile True:\n    time.sleep(1)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "sim", "board", str(program)], env=sim.environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "up\n"
    process.kill()
    assert process.communicate(timeout=PATIENCE_S)[0] == ""  # it held the pipe
