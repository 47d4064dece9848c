"""One board and the sensors on its I2C bus, in virtual time: for programs that are a bus's only controller."""

import contextlib
import heapq
import math

from primitives import platform
from sensor_bus import ticks
from sim.virtual import chips
from sim.virtual.board import ASYNCIO, Board
from sim.virtual.costs import ZERO
from sim.virtual.link import BEFORE_WRAP_S, CHUNK_BYTES, TICKS_BITS, _replace
from sim.virtual.sensor_i2c import SensorI2C
from sim.virtual.world import ROUNDING_S, World
from sim.wires.nets import Net
from sim.wires.sensors.bus import SensorBus
from sim.wires.sensors.world import SensorWorld


class BoardSensors:
    """A bus with sensors on three pins of a board, which it adds: scl, sda, and the reset of all multiplexers.

    `sensors` is its SensorWorld. Times are seconds since the world began, as `now()`.
    Args: clock_hz: of the bus; pins: names of the pins; owes: see SensorI2C.
    """

    def __init__(self, board, costs, *, clock_hz=400000, pins=("scl", "sda", "rst"), owes=False):
        self.board = board
        self.world = board.world
        self._costs = costs
        self._clock_hz = clock_hz
        self._pins = pins
        self._owes = owes
        self._events = []  # times
        self._life = None
        self.scl, self.sda, self.rst = nets = [Net(pin, pull_up=True) for pin in pins]
        for pin, net in zip(pins, nets, strict=True):
            board.add_pin(pin, net)
        self.bus = SensorBus(self.scl, self.sda, CHUNK_BYTES)
        self.sensors = SensorWorld(self.bus, self.now, self.at)
        self.rst.listen(lambda net: self.sensors.hold_reset(net.level == 0))

    def now(self):
        return self.world.now - self.world.begin_s

    def at(self, when, callback, *args):
        """Calls `callback(*args)` at this time, also within a transfer: what happens to sensors goes through here."""
        heapq.heappush(self._events, self.world.begin_s + when)
        self.world.at(self.world.begin_s + when, self._happen, callback, args)

    def _happen(self, callback, args):
        heapq.heappop(self._events)
        callback(*args)

    def next_event(self):
        """Returns the time of the world at which something happens to the sensors next."""
        return self._events[0] if self._events else math.inf

    # What the board's program gets.

    def life(self):
        if self._life is None or not self._life.alive:
            self._life = chips.Life(self.board)
        return self._life

    @property
    def pin_class(self):
        """`machine.Pin` of the board."""
        return chips.pin_class(self.life())

    def i2c(self, *, hardware=False, timeout_us=50000):
        """Returns a machine.SoftI2C, or a machine.I2C, of the board."""
        setup_us = self._costs.i2c_setup_us
        i2c = SensorI2C(
            self.life(), self.bus, setup_us, self._clock_hz,
            next_event=self.next_event, hardware=hardware, owes=self._owes,
        )  # fmt: skip
        pin = self.pin_class
        return i2c(pin(self._pins[0]), pin(self._pins[1]), timeout=timeout_us)


class SensorBed(BoardSensors):
    """A world with one board, `controller`, and its sensors, on the pins "scl", "sda" and "rst".

    Args: seed: of the board's random numbers; costs: what computing costs; clock_hz: of the bus.
    """

    def __init__(self, *, seed=1, costs=ZERO, clock_hz=400000):
        world = World((1 << TICKS_BITS) / 1000 - BEFORE_WRAP_S)
        us = {"switch_us": costs.switch_us, "sha256_us": costs.sha256_us, "irq_us": costs.irq_us}
        self.controller = Board(world, "controller", {}, seed=seed, **us)
        super().__init__(self.controller, costs, clock_hz=clock_hz)
        self.failure = None
        self.result = None

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
            except GeneratorExit:  # the run is over
                raise
            except BaseException as error:  # what pytest raises for a test that fails is no Exception
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
        replaced.append(_replace("ticks_us", ticks.ticks_us, ticks_us))
        try:
            yield self
        finally:
            self.controller.kill()
            for name, original, substitute in replaced:
                _replace(name, substitute, original)
