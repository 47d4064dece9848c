"""Bed *mpy*: nets and buses in this process, each board a MicroPython process of its own."""

import asyncio
from collections import defaultdict

from sim.mpy import models
from sim.mpy.board import Board
from sim.mpy.i2c_drive import BusClock
from sim.wires.nets import BoardPin, Net
from sim.wires.wire import Bus

# About 1.5 ms at 400 kHz. The target's program runs in between. A controller that is killed leaves a partial transfer.
CHUNK_BYTES = 64


class WiringError(ValueError):
    """A wire names a pin that the board does not have."""


class Bed:
    """Boards joined by wires. Add the wires first, then switch power on."""

    def __init__(self, clock_hz=None):
        self.clock_hz = clock_hz  # None: what each program asks for
        self.boards = {}
        self.buses = {}
        self.on_death = []
        self._locks = defaultdict(asyncio.Lock)
        self._clocks = defaultdict(BusClock)

    def add_board(self, name, board, joined=()):
        """Adds a board without power. Args: board: a name of models.py; joined: lists of pins of this board that form
        one net."""
        model = models.find(board)
        joined = [[model.other_names.get(pin, pin) for pin in pins] for pins in joined]
        nets = {}
        for pins in joined:
            for pin in pins:
                if pin not in model.pins:
                    raise WiringError(f"a {model.name} has no pin {pin!r}")
            old = [nets[pin] for pin in pins if pin in nets]
            net = old[0] if old else Net(f"{name}.{pins[0]}")
            nets = {pin: net if wired in old else wired for pin, wired in nets.items()}
            nets.update({pin: net for pin in pins})
        pins = {pin: BoardPin((name, pin), nets.get(pin) or Net(f"{name}.{pin}")) for pin in model.pins}
        board = Board(self, name, model, pins)
        self.boards[name] = board
        return board

    def wire(self, net, *ends):
        """Puts pins on a net. To be called before power on. Args: ends: (board, pin name)."""
        for board, pin in ends:
            board.pins[pin] = BoardPin((board.name, pin), net)
        return net

    def bus(self, scl, sda):
        key = (scl, sda)
        if key not in self.buses:
            self.buses[key] = Bus(scl, sda, chunk_bytes=CHUNK_BYTES)
        return self.buses[key]

    def lock(self, bus):
        return self._locks[bus]

    def clock(self, bus):
        return self._clocks[bus]

    def board_died(self, board):
        for on_death in self.on_death:
            on_death(board)

    def _moved_by_hand(self):
        """Returns the buses on which no controller is in a transfer: it asks the targets itself."""
        return [bus for bus in self.buses.values() if not self._locks[bus].locked()]

    def has_wants(self):
        """Returns whether `serve_wants` would ask a target."""
        return any(port.bits.wants for bus in self._moved_by_hand() for port in bus.ports)

    async def serve_wants(self):
        """Asks the targets whose bus is clocked by a program that moves the pins itself."""
        for bus in self._moved_by_hand():
            for port in list(bus.ports):
                while (wanted := port.bits.wanted(50000)) is not None:
                    port.bits.give(await port.owner.ask(wanted))

    def close(self):
        for board in self.boards.values():
            board.kill()

    async def wait_closed(self):
        for board in self.boards.values():
            if board.process is not None:
                await board.wait()
