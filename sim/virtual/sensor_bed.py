"""One board and the sensors on its I2C bus, in virtual time: for programs that are a bus's only controller."""

import contextlib

from primitives import platform
from sim.virtual import chips
from sim.virtual.board import ASYNCIO, Board
from sim.virtual.costs import ZERO
from sim.virtual.link import BEFORE_WRAP_S, CHUNK_BYTES, TICKS_BITS, _replace
from sim.virtual.sensor_i2c import SensorI2C
from sim.virtual.world import ROUNDING_S, World
from sim.wires.nets import Net
from sim.wires.sensors.bus import SensorBus
from sim.wires.sensors.world import SensorWorld


class SensorBed:
    """A board `controller` with pins `scl`, `sda` and `rst` (the reset of all multiplexers), and `sensors`, a
    SensorWorld. Its times are seconds since the bed was made, as `now()`.

    Args: seed: of the board's random numbers; costs: what computing costs; clock_hz: of the bus.
    """

    def __init__(self, *, seed=1, costs=ZERO, clock_hz=400000):
        self.costs = costs
        self._clock_hz = clock_hz
        self.world = World((1 << TICKS_BITS) / 1000 - BEFORE_WRAP_S)
        self.scl, self.sda = Net("scl", pull_up=True), Net("sda", pull_up=True)
        self.rst = Net("rst", pull_up=True)
        pins = {"scl": self.scl, "sda": self.sda, "rst": self.rst}
        us = {"switch_us": costs.switch_us, "sha256_us": costs.sha256_us, "irq_us": costs.irq_us}
        self.controller = Board(self.world, "controller", pins, seed=seed, **us)
        self.bus = SensorBus(self.scl, self.sda, CHUNK_BYTES)
        self.sensors = SensorWorld(self.bus, self.now, self.at)
        self.rst.listen(lambda net: self.sensors.hold_reset(net.level == 0))
        self.failure = None
        self.result = None
        self._life = None

    def now(self):
        return self.world.now - self.world.begin_s

    def at(self, when, callback, *args):
        """Calls `callback(*args)` at this time, also within a transfer."""
        self.world.at(self.world.begin_s + when, callback, *args)

    # What the board's program gets.

    def life(self):
        if self._life is None or not self._life.alive:
            self._life = chips.Life(self.controller)
        return self._life

    @property
    def pin_class(self):
        """`machine.Pin`. Its pins are "scl", "sda" and "rst"."""
        return chips.pin_class(self.life())

    def i2c(self, *, hardware=False, timeout_us=50000):
        """Returns a machine.SoftI2C, or a machine.I2C, of the board."""
        pin = self.pin_class
        i2c = SensorI2C(self.life(), self.bus, self.costs.i2c_setup_us, self._clock_hz, hardware=hardware)
        return i2c(pin("scl"), pin("sda"), timeout=timeout_us)

    # Running.

    def run(self, main, seconds=None):
        """Gives the board power, and runs the coroutine that main() returns. Returns its result.

        Args: seconds: to be cut off after so long; then the result is None.
        Raises: what main raised; Deadlock if it would wait for ever.
        """
        self.failure = self.result = None

        async def guarded():
            try:
                self.result = await main()
            except Exception as error:
                self.failure = error
            self.world.stop()

        with self.boundary():
            self.controller.power_on(lambda _: ASYNCIO.run(guarded()))
            if seconds is None:
                self.world.run()
            else:
                self.world.run_for(seconds)
        if self.failure is not None:
            raise self.failure
        return self.result

    @contextlib.contextmanager
    def boundary(self):
        """Replaces the ticks of the project's modules by the board's while it is entered."""
        wrap = 1 << TICKS_BITS

        def ticks_ms():
            return int((self.world.now + ROUNDING_S) * 1000) & (wrap - 1)

        def ticks_us():
            return int((self.world.now + ROUNDING_S) * 1000000) & (wrap - 1)

        replaced = [_replace("ticks_ms", platform.ticks_ms, ticks_ms)]
        if hasattr(platform, "ticks_us"):
            replaced.append(_replace("ticks_us", platform.ticks_us, ticks_us))
        try:
            yield self
        finally:
            self.controller.kill()
            for name, original, substitute in replaced:
                _replace(name, substitute, original)
