"""Programs of two instances, a controller and a target on two boards, in the form of MicroPython's multi-board tests:
`instance0` and `instance1`, which meet at `multitest.next`, `broadcast` and `wait`.
"""

import asyncio
import os
from pathlib import Path

import pytest

from sim.mpy import interpreters
from sim.mpy.bed import Bed
from sim.wires.nets import Net
from tests.patience import PATIENCE_S

MEET = 20  # a request that only this bench knows: a 0: next, 1: broadcast, 2: wait

PRELUDE = """
import simlink
class multitest:
    next = staticmethod(lambda: simlink.call(20, 0))
    broadcast = staticmethod(lambda text: simlink.call(20, 1, data=text.encode()))
    wait = staticmethod(lambda text: simlink.call(20, 2, data=text.encode()))
"""

OWN = """
import sys, time
from machine import I2C, I2CTarget, Pin
ARGS = ("Y",) if sys.platform == "pyboard" else (0,)
def instance0():
    i2c = I2C(*ARGS, freq=100000)
    multitest.next()
    multitest.wait("ready")
    print(i2c.scan())
    print(i2c.writeto(0x20, b"abc"), i2c.readfrom(0x20, 3))
    multitest.broadcast("done")
def instance1():
    buf = bytearray(1)
    got = []
    def on_event(target):
        flags = target.irq().flags()
        if flags & target.IRQ_WRITE_REQ:
            target.readinto(buf)
            got.append(buf[0])
        if flags & target.IRQ_READ_REQ:
            buf[0] = got.pop(0) if got else 0
            target.write(buf)
    target = I2CTarget(*ARGS, addr=0x20)
    target.irq(on_event, target.IRQ_WRITE_REQ | target.IRQ_READ_REQ, hard=True)
    multitest.next()
    multitest.broadcast("ready")
    multitest.wait("done")
    target.deinit()
    print("released")
"""


class Bench:
    """Boards on one bus; `outputs` is what each printed."""

    def __init__(self, kinds, rp2_pins=("GP5", "GP4")):
        self.bed = Bed()
        self.said = set()
        self.waiting = []
        self.boards = [self.bed.add_board(f"instance{i}", kind) for i, kind in enumerate(kinds)]
        self.outputs = [[] for _ in kinds]
        pins = {"pyboard": ("Y9", "Y10"), "rp2": rp2_pins}
        scl, sda = Net("scl", pull_up=True), Net("sda", pull_up=True)
        for i, board in enumerate(self.boards):
            self.bed.wire(scl, (board, pins[kinds[i]][0]))
            self.bed.wire(sda, (board, pins[kinds[i]][1]))
            board.on_line = self.outputs[i].append
            board.extras[MEET] = lambda frame, board=board: self.meet(board, frame)

    def meet(self, board, frame):
        if frame.a == 2 and frame.payload not in self.said:
            self.waiting.append((board, frame))
            return
        if frame.a == 2:
            self.said.discard(frame.payload)
        if frame.a == 1:
            self.say(frame.payload)
        board.link.reply(frame)

    def say(self, text):
        for board, waiting in self.waiting:
            if waiting.payload == text:
                self.waiting.remove((board, waiting))
                board.link.reply(waiting)
                return
        self.said.add(text)

    async def run(self, interpreter, folder, text):
        for i, board in enumerate(self.boards):
            program = folder / f"instance{i}.py"
            program.write_text(f"{PRELUDE}\n{text}\ninstance{i}()\n")
            await board.start(
                lambda fd, board=board, program=program: interpreters.board_command(
                    interpreter, board.kind, fd, program
                )
            )
        try:
            await asyncio.wait_for(asyncio.gather(*(board.wait() for board in self.boards)), PATIENCE_S)
        finally:
            self.bed.close()
            await self.bed.wait_closed()
        return self.outputs


@pytest.mark.parametrize("kinds", [("pyboard", "pyboard"), ("pyboard", "rp2"), ("rp2", "pyboard"), ("rp2", "rp2")])
def test_a_hardware_controller_and_a_target_on_two_boards(micropython64, tmp_path, kinds):
    outputs = asyncio.run(Bench(kinds).run(micropython64, tmp_path, OWN))
    assert outputs == [["[32]", "3 b'abc'"], ["released"]]


# MicroPython's own tests of this form, with what they expect, are not part of this project.
if "MICROPYTHON_TESTS" in os.environ:

    @pytest.mark.parametrize("kinds", [("pyboard", "pyboard"), ("rp2", "rp2"), ("pyboard", "rp2")])
    @pytest.mark.parametrize("name", ["machine_i2c_target_memory", "machine_i2c_target_irq"])
    def test_micropythons_own_tests_of_two_boards(micropython64, tmp_path, name, kinds):
        folder = Path(os.environ["MICROPYTHON_TESTS"]) / "multi_extmod"
        outputs = asyncio.run(
            Bench(kinds, ("GP9", "GP8")).run(micropython64, tmp_path, (folder / f"{name}.py").read_text())
        )
        printed = "".join(
            f"--- instance{i} ---\n" + "".join(line + "\n" for line in lines) for i, lines in enumerate(outputs)
        )
        assert printed.split() == (folder / f"{name}.py.exp").read_text().split()
