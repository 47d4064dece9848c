"""A bus with one target and one controller, both in this process; and a controller that vanishes."""

from sim.wires import wire
from sim.wires.nets import Net
from sim.wires.on_board import i2c_target
from sim.wires.on_board.i2c_target import TargetModel
from sim.wires.pieces import Cut, Pause, answer_from, run_whole

ADDRESS = 0x12
ALL = 63


class Bench:
    """One bus, one target, one controller."""

    def __init__(self, mem=None, depth=i2c_target.STM32_DEPTH, addrsize=8, trigger=ALL, serve=True, **controller):
        self.scl, self.sda = Net("scl", pull_up=True), Net("sda", pull_up=True)
        self.bus = wire.Bus(self.scl, self.sda)
        self.events, self.trigger, self.serve = [], trigger, serve
        self.model = TargetModel(self.fire, depth, mem, addrsize)
        self.model.per_byte = bool(trigger & i2c_target.IRQ_HARD_ONLY)
        self.next_byte = 0
        self.port = wire.Port("target", ADDRESS)
        self.bus.attach(self.port)
        self.controller = wire.Controller(self.bus, "controller", **controller)
        self.answer = answer_from({"target": self.model})

    def fire(self, event):
        if not event & self.trigger:
            return False
        self.events.append(event)
        if self.serve and self.model._mem is None:
            if event == i2c_target.IRQ_READ_REQ:
                self.model.write(bytes((self.next_byte,)))
                self.next_byte = (self.next_byte + 37) & 0xFF
            if event == i2c_target.IRQ_WRITE_REQ:
                buf = bytearray(1)
                self.model.readinto(buf)
                self.events.append(("got", buf[0]))
        return True

    def run(self, transfer):
        return run_whole(transfer, self.answer)

    def write(self, data, stop=True, address=ADDRESS):
        return self.run(self.controller.write(address, data, stop))[0]

    def read(self, size, stop=True):
        return self.run(self.controller.read(ADDRESS, size, stop))[0]


def cut_after(bench, transfer, us):
    """The controller vanishes `us` after the start."""
    reply = None
    while True:
        try:
            step = transfer.send(reply)
            while isinstance(step, Pause) and step.us >= us:
                step, us = transfer.throw(Cut(us)), 1e9
        except StopIteration:
            return
        if isinstance(step, Pause):
            us -= step.us
            reply = None
        else:
            reply = bench.answer(step)
