"""Two boards on one I2C bus, in virtual time: a controller and a target, for devices that are not the link's."""

import contextlib
from hashlib import sha256

from primitives import platform
from sim.virtual import chips
from sim.virtual.board import ASYNCIO, Board
from sim.virtual.costs import ZERO
from sim.virtual.link import BEFORE_WRAP_S, CHUNK_BYTES, TICKS_BITS, CostlyHash, _replace
from sim.virtual.world import ROUNDING_S, World
from sim.wires.nets import Net
from sim.wires.wire import Bus


class Pair:
    """Boards `controller` and `target`. Their programs call `i2c()` and `i2c_target(addr, ..)`."""

    def __init__(self, *, seed=1, costs=ZERO, clock_hz=400000):
        self.costs = costs
        self._clock_hz = clock_hz
        self.world = world = World((1 << TICKS_BITS) / 1000 - BEFORE_WRAP_S)
        self.scl, self.sda = Net("scl", pull_up=True), Net("sda", pull_up=True)
        pins = {"scl": self.scl, "sda": self.sda}
        us = {"switch_us": costs.switch_us, "sha256_us": costs.sha256_us, "irq_us": costs.irq_us}
        self.controller = Board(world, "controller", pins, seed=seed, **us)
        self.target = Board(world, "target", pins, seed=seed, **us)
        self.bus = Bus(self.scl, self.sda, CHUNK_BYTES)
        self.failure = None
        self._lives = {}

    def life(self, board):
        """Returns the present life of a board that has power."""
        life = self._lives.get(board)
        if life is None or not life.alive:
            life = self._lives[board] = chips.Life(board)
        return life

    def i2c(self):
        """Returns a machine.SoftI2C of the controller's board."""
        i2c = chips.SoftI2C(self.life(self.controller), self.bus, self.costs.i2c_setup_us, self._clock_hz, None)
        pin = chips.pin_class(self.life(self.controller))
        return i2c(pin("scl"), pin("sda"))

    def i2c_target(self, addr, mem=None, mem_addrsize=8):
        """Returns a machine.I2CTarget of the target's board."""
        return chips.I2CTarget(self.life(self.target), self.bus, ("scl", "sda"), addr, mem, mem_addrsize)

    def start(self, board, main):
        """Gives a board power, and runs the coroutine that main() returns. If that fails, the run ends."""

        async def guarded():
            try:
                await main()
            except Exception as error:
                self.failure = error
                self.world.stop()

        board.power_on(lambda _: ASYNCIO.run(guarded()))

    def run(self):
        """Runs until `world.stop()`. Raises an exception that a program raised."""
        with self.boundary():
            self.world.run()
        if self.failure is not None:
            raise self.failure

    @contextlib.contextmanager
    def boundary(self):
        """Replaces ticks_ms and SHA-256 by the boards' while it is entered."""
        wrap = 1 << TICKS_BITS

        def ticks_ms():
            return int((self.world.now + ROUNDING_S) * 1000) & (wrap - 1)

        def costly_sha256(data=b""):
            return CostlyHash(self.world.current, data)

        replaced = [_replace("ticks_ms", platform.ticks_ms, ticks_ms)]
        if self.costs.sha256_us:
            replaced.append(_replace("sha256", sha256, costly_sha256))
        try:
            yield self
        finally:
            for board in (self.controller, self.target):
                board.kill()
            for name, original, substitute in replaced:
                _replace(name, substitute, original)
