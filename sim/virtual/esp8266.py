"""The ESP8266 as a part, in virtual time: power, reset pin, boot straps, watchdog and Wi-Fi around its program.

The states are those of sim/wires/chip.py.
"""

import esp_link.bridge
from primitives import platform
from sim.virtual import chips, lwip
from sim.virtual.board import ASYNCIO
from sim.wires import wifi
from sim.wires.chip import BOOTING, HELD, OFF, RUNNING, STRAPPED, STRAPS, WATCHDOG_TICK_S


class Esp8266:
    """The chip around a board. Args: board: its Board; rst: Net; bus: Bus; air: wifi.Air; costs: Costs; clock_hz:
    of the bus, in place of what the program asks for."""

    def __init__(self, board, rst, bus, air, costs, clock_hz=None):
        self.board = board
        self.world = board.world
        self.rst = rst
        self.bus = bus
        self.air = air
        self.tcp = None
        self.costs = costs
        self.clock_hz = clock_hz
        self.rst_broken = False  # the wire is broken before the chip, whose own pull-up keeps the pin high
        self.faults = None  # object with before_transfer and after_transfer
        self.station = wifi.Station(air)
        self.state = OFF
        self.resets = 0  # boots after the first, whatever the cause
        self.resets_by_pin = 0
        self.strapped = 0  # releases of reset with a strap low
        self.watchdog_bites = 0
        self.programs_ended = 0
        self._bridge = None  # the Bridge of the newest life that had one
        self._fallbacks = 0  # of the earlier ones
        self._boots = 0
        self._booting = None
        board.on_end = self._program_ended
        rst.listen(self._rst_changed)

    @property
    def fallbacks(self):
        """Returns how many checks by the clock found something that syn had not signalled, in all lives."""
        return self._fallbacks + (self._bridge.fallbacks if self._bridge else 0)

    def _make_bridge(self, *arguments):
        self._fallbacks = self.fallbacks
        self._bridge = esp_link.bridge.Bridge(*arguments)
        return self._bridge

    # Power and reset.

    def power_on(self):
        self._boot("power on")

    def power_off(self):
        self._stop()
        self.state = OFF

    def crash(self):
        """Stops the chip at any point of its program. It starts again by itself, as after a brown-out."""
        if self.state in (RUNNING, BOOTING):
            self._boot("crash")

    @property
    def _rst_low(self):
        return self.rst.level == 0 and not self.rst_broken

    def break_rst(self, broken):
        """Breaks the reset wire, or repairs it, possibly during a pulse."""
        self.rst_broken = broken
        self._rst_changed(self.rst)

    def _rst_changed(self, net):
        if self.state == OFF or self._rst_low == (self.state == HELD):
            return
        if self._rst_low:
            self.resets_by_pin += 1
            self._stop()
            self.state = HELD
            self.world.trace("bridge", "reset is held low")
        else:
            self._boot("reset pin")

    def _stop(self):
        if self._booting is not None:
            self.world.cancel(self._booting)
            self._booting = None
        self.board.kill()
        self.station.power_off()

    def _boot(self, cause):
        self.world.trace("bridge", f"boots: {cause}")
        self._stop()
        if self._rst_low:
            self.state = HELD
            return
        if any(self.board.pins[gpio].net.level == 0 for gpio in STRAPS):
            self.state = STRAPPED
            self.strapped += 1
            self.world.trace("bridge", "does not boot: a strap is low")
            return
        self.resets += self._boots > 0
        self._boots += 1
        self.state = BOOTING
        self._booting = self.world.after(self.costs.boot_s, self._run)

    def _run(self):
        self._booting = None
        self.station.power_on(self.world.now)
        self.state = RUNNING
        self.board.power_on(self._program)

    def _program(self, board):
        life = chips.Life(board)
        modules = chips.bridge_modules(
            life,
            chips.SoftI2C(life, self.bus, self.costs.i2c_setup_us, self.clock_hz, self.faults),
            chips.Watchdog(life, WATCHDOG_TICK_S, self._bitten),
            self.station,
            self._reset,
            self.tcp.name_server,
        )
        modules["primitives.platform"] = chips.module("primitives.platform", **{**vars(platform), "core": ASYNCIO})
        modules["esp_link.bridge"] = chips.module("esp_link.bridge", Bridge=self._make_bridge)
        modules["socket"] = lwip.socket_module(life, self.tcp, self._null_pointer)
        # Those that name the chip or `socket` are run for each life; the others are this process's own.
        for name in ("esp_link.names", "esp_link.tcp", "esp_link.start", "esp_link.program"):
            modules[name] = chips.module(name, **board.execute(name, modules, name))
        board.execute("esp_link.main", modules)

    def _reset(self):
        """Does machine.reset()."""
        self._boot("machine.reset()")

    def _program_ended(self, board, fault):
        # As esp_link/program.py does where asyncio.run returns or raises: machine.reset().
        self.programs_ended += 1
        self.world.trace("bridge", f"its program ended: {fault!r}")
        self._boot("machine.reset()")

    def _null_pointer(self):
        self._boot("null pointer")

    def _bitten(self):
        self.watchdog_bites += 1
        self._boot("watchdog")

    # Wi-Fi.

    def connected(self):
        """Returns True if the Wi-Fi gives access to the server."""
        return self.state == RUNNING and self.station.reaches_server(self.world.now)

    def set_wifi(self, up):
        """Switches all access points off, or on again."""
        self.world.trace("wifi", "up" if up else "down")
        self.air.set_up(up)
        if up:
            self.station.outage_ended(self.world.now)
            self.world.after(self.air.assoc_s, self.tcp.came_back)
