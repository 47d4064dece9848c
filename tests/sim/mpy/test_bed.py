"""sim/mpy/bed.py: two boards on one bus, and what a board that dies leaves behind."""

import asyncio
import random

import pytest

from sim.mpy import interpreters
from sim.mpy.bed import Bed, WiringError
from sim.wires.nets import Net
from tests.patience import PATIENCE_S

TARGET = """
import time
from machine import I2CTarget, Pin
mem = bytearray(range(200))
target = I2CTarget("X", addr=0x12, mem=mem)
woken = []
target.irq(lambda t: woken.append(t.memaddr))
print("target")
while not woken:
    time.sleep_ms(5)
print(bytes(mem[:4]), woken)
while True:
    time.sleep_ms(5)
"""

CONTROLLER = """
import time
from machine import Pin, SoftI2C
i2c = SoftI2C(Pin(0), Pin(2), freq=100000)
print("controller")
"""


class TwoBoards:
    def __init__(self, interpreter, folder):
        self.interpreter, self.folder = interpreter, folder
        self.bed = Bed()
        self.lines = []
        self.boards = {name: self.bed.add_board(name, kind) for name, kind in (("t", "pyboard"), ("c", "esp8266"))}
        for board in self.boards.values():
            board.on_line = self.lines.append
        self.scl, self.sda = Net("scl", pull_up=True), Net("sda", pull_up=True)
        self.bed.wire(self.scl, (self.boards["t"], "X9"), (self.boards["c"], "0"))
        self.bed.wire(self.sda, (self.boards["t"], "X10"), (self.boards["c"], "2"))

    async def start(self, name, text):
        program = self.folder / f"{name}.py"
        program.write_text(text)
        board = self.boards[name]
        await board.start(lambda fd: interpreters.board_command(self.interpreter, board.kind, fd, program))

    async def until(self, condition):
        while not condition():
            await asyncio.sleep(0.005)

    async def close(self):
        self.bed.close()
        await self.bed.wait_closed()


@pytest.fixture
def two_boards(micropython64, tmp_path):
    def run(test):
        async def main():
            boards = TwoBoards(micropython64, tmp_path)
            try:
                await asyncio.wait_for(test(boards), PATIENCE_S)
            finally:
                await boards.close()

        asyncio.run(main())

    return run


def test_one_board_writes_the_memory_of_another(two_boards):
    async def test(boards):
        await boards.start("t", TARGET)
        await boards.until(lambda: "target" in boards.lines)
        await boards.start("c", CONTROLLER + "i2c.writeto_mem(0x12, 1, b'ab')\nprint(i2c.readfrom_mem(0x12, 0, 4))\n")
        await boards.until(lambda: len(boards.lines) >= 4)
        assert sum(line.startswith("b'\\x00ab\\x03'") for line in boards.lines) == 2

    two_boards(test)


def test_a_transfer_lasts_as_long_as_its_clocks(two_boards):
    async def test(boards):
        await boards.start("t", TARGET)
        await boards.until(lambda: "target" in boards.lines)
        text = CONTROLLER + "t = time.ticks_ms()\nfor _ in range(4):\n    i2c.readfrom_mem(0x12, 0, 1000)\n"
        await boards.start("c", text + "print(time.ticks_diff(time.ticks_ms(), t))\n")
        await boards.until(lambda: boards.lines and boards.lines[-1].isdigit())
        assert 4 * 90 <= int(boards.lines[-1])

    two_boards(test)


def test_a_controller_killed_in_a_read_leaves_sda_low_until_the_target_lets_go(two_boards):
    async def test(boards):
        await boards.start("t", TARGET.replace("range(200)", "200"))
        await boards.until(lambda: "target" in boards.lines)
        await boards.start("c", CONTROLLER + "while True:\n    i2c.readfrom_mem(0x12, 0, 1000)\n")
        rng = random.Random(1)
        for _ in range(40):  # one kill in nine falls on an acknowledge bit
            await boards.until(lambda: "controller" in boards.lines)
            read = boards.bed.bus(boards.scl, boards.sda).bytes + rng.randrange(100, 900)
            await boards.until(lambda read=read: boards.bed.bus(boards.scl, boards.sda).bytes > read)
            boards.boards["c"].kill()
            for _ in range(3):
                await asyncio.sleep(0)  # what the kill has cancelled ends
            if boards.sda.level == 0:
                break
            boards.lines.remove("controller")
            await boards.boards["c"].wait()
            await boards.start("c", CONTROLLER + "while True:\n    i2c.readfrom_mem(0x12, 0, 1000)\n")
        assert boards.sda.level == 0
        boards.boards["t"].kill()
        assert boards.sda.level == 1

    two_boards(test)


def test_a_program_can_clock_a_stuck_target_free_by_hand(two_boards):
    async def test(boards):
        await boards.start("t", TARGET)
        await boards.until(lambda: "target" in boards.lines)
        port = boards.bed.bus(boards.scl, boards.sda).ports[0]
        port.bits.stick(0x00, 2)
        assert boards.sda.level == 0
        text = """
from machine import Pin, SoftI2C
scl, sda = Pin(0, Pin.OPEN_DRAIN, value=1), Pin(2, Pin.OPEN_DRAIN, value=1)
clocks = 0
while not sda():
    scl(0)
    scl(1)
    clocks += 1
print(clocks)
i2c = SoftI2C(scl, sda)
print(i2c.readfrom_mem(0x12, 5, 3))
"""
        await boards.start("c", text)
        await boards.until(lambda: "b'\\x05\\x06\\x07'" in boards.lines)
        assert int(next(line for line in boards.lines if line.isdigit())) <= 9

    two_boards(test)


def test_wires_must_name_pins(two_boards):
    with pytest.raises(WiringError):
        Bed().add_board("b", "rp2", [("X1", "X2")])


def test_nets_that_share_a_pin_are_one():
    board = Bed().add_board("b", "pyboard", [("X1", "X2"), ("X3", "X4"), ("X2", "X3")])
    assert len({board.pins[pin].net for pin in ("X1", "X2", "X3", "X4")}) == 1
