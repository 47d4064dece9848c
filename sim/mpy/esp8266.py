"""The ESP8266 as a part: power, reset pin, boot straps, watchdog, Wi-Fi and TCP around the process that it runs.

The states are those of sim/wires/chip.py.
"""

import asyncio
from errno import ENOENT

from sim.mpy import frames
from sim.mpy.tcp import Proxy
from sim.mpy.watchdog import Watchdog
from sim.wires import wifi
from sim.wires.chip import BOOTING, HELD, OFF, RUNNING, STRAPPED, STRAPS, WATCHDOG_TICK_S

# The answer to a WLAN request for the ssid: ssid, password and a NUL.
CONFIG_BYTES = wifi.SSID_BYTES + wifi.PASSWORD_BYTES + 1

# machine.reset_cause()
POWER_ON, WATCHDOG, SOFT, EXTERNAL = 0, 1, 4, 6


class Esp8266:
    """The chip around a board. Args: bed, board: of kind esp8266; rst: Net; command_for_fd: how to start its program;
    air: wifi.Air; stored: (ssid, password) in its flash; server: (host, port), replaces the address that the program
    connects to; log(text)."""

    def __init__(
        self, bed, board, rst, command_for_fd, *, air, stored=None, boot_s=1.0, server=None, cwd=None, log=None
    ):  # fmt: skip
        self.board = board
        self.rst = rst
        self.command_for_fd = command_for_fd
        self.air = air
        self.boot_s = boot_s
        self.cwd = cwd
        self.state = OFF
        self.resets = 0  # boots after the first, whatever the cause
        self.resets_by_pin = 0
        self.strapped = 0  # releases of reset with a strap low
        self.station = wifi.Station(air, stored)
        self.tcp = Proxy(self.connected, lambda: board.life, server)
        self._cause = POWER_ON
        self._log = log or (lambda text: None)
        self._boots = 0
        self._task = None
        self._tasks = set()  # lives of the program; a cancelled one stays until it has ended
        self._resolving = set()
        self._watchdog = Watchdog(board, self._bitten, WATCHDOG_TICK_S)
        rst.listen(self._rst_changed)
        board.extras[frames.RESET] = self._on_reset
        board.extras[frames.RESET_CAUSE] = lambda frame: board.link.reply(frame, self._cause)
        board.extras[frames.WLAN] = self._on_wlan
        board.extras[frames.TCP_OPEN] = self._on_tcp_open
        board.extras[frames.LWIP] = self._on_lwip

    # Power and reset.

    def power_on(self):
        self._boot(POWER_ON)

    def power_off(self):
        self._stop()
        self.state = OFF
        self.tcp.close()

    async def wait_off(self):
        """Waits, after power_off, until a process that was being started has ended as well."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def crash(self):
        """Stops the chip at any point of its program. It starts again by itself, as after a brown-out."""
        if self.state in (RUNNING, BOOTING):
            self._log("crash")
            self._boot(POWER_ON)

    def _rst_changed(self, net):
        if self.state == OFF:
            return
        if net.level == 0:
            self.resets_by_pin += 1
            self._stop()
            self.state = HELD
            self._log("reset is held low")
        elif self.state == HELD:
            self._boot(EXTERNAL)

    def _stop(self):
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._watchdog.stop()
        self.board.kill()
        self.station.power_off()

    def _boot(self, cause):
        self._stop()
        if self.rst.level == 0:
            self.state = HELD
            return
        low = [gpio for gpio in STRAPS if self.board.pins[gpio].net.level == 0]
        if low:
            self.state = STRAPPED
            self.strapped += 1
            self._log(f"does not boot: GPIO{' and GPIO'.join(low)} low at the release of reset")
            return
        self.resets += self._boots > 0
        self._boots += 1
        self._cause = cause
        self.state = BOOTING
        self._task = asyncio.ensure_future(self._run(list(self._tasks)))
        self._tasks.add(self._task)
        self._task.add_done_callback(self._tasks.discard)

    async def _run(self, earlier):
        await asyncio.sleep(self.boot_s)
        await asyncio.gather(*earlier, return_exceptions=True)  # a process that was just being started
        self.station.power_on(asyncio.get_running_loop().time())
        # Not to be cancelled halfway: the process would have no owner.
        starting = asyncio.ensure_future(self.board.start(self.command_for_fd, self.cwd))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            await starting
            self.board.kill()
            raise
        self.state = RUNNING
        status = await self.board.wait()
        if self.state == RUNNING:
            self._log(f"its program ended with status {status}")
            self._task = None
            self._boot(SOFT)

    def _on_reset(self, frame):
        self._log("machine.reset()")
        self._boot(SOFT)

    def _bitten(self):
        self._log("watchdog reset")
        self._boot(WATCHDOG)

    # Wi-Fi.

    def connected(self):
        """Returns True if the Wi-Fi gives access to the server."""
        return self.board.alive and self.station.reaches_server(asyncio.get_running_loop().time())

    def set_wifi(self, up):
        """Switches all access points off, or on again."""
        self.air.set_up(up)
        if up:
            self.station.outage_ended(asyncio.get_running_loop().time())

    def _on_wlan(self, frame):
        now = asyncio.get_running_loop().time()
        station, reply = self.station, self.board.link.reply
        if frame.a:  # the access-point interface: can be switched, but serves no station
            reply(frame, 0)
        elif frame.b == 0:
            if frame.c:
                station.set_active(frame.c == 2, now)
            reply(frame, int(station.active))
        elif frame.b == 1:
            ssid, _, password = frame.payload.partition(b"\0")
            station.connect(ssid if frame.c else None, password, now)
            reply(frame)
        elif frame.b == 2:
            station.disconnect()
            reply(frame)
        elif frame.b == 3:
            reply(frame, station.status(now))
        else:
            reply(frame, payload=station.config_ssid().ljust(CONFIG_BYTES, b"\0"))

    # TCP.

    def _on_tcp_open(self, frame):
        errno, port = self.tcp.open(frame.payload.decode(), frame.d)
        self.board.link.reply(frame, port, errno & 0xFF)

    def _on_lwip(self, frame):
        if frame.a == frames.NAME_PORT:
            self.board.link.reply(frame, self.tcp.name_port())
        elif frame.a == frames.MEMORY:
            self.board.link.reply(frame, not self.tcp.no_memory)
        else:
            task = asyncio.ensure_future(self._resolve(frame, self.board.life))
            self._resolving.add(task)
            task.add_done_callback(self._resolving.discard)

    async def _resolve(self, frame, life):
        address = await self.tcp.address_of(frame.payload.decode())
        if self.board.life == life:
            self.board.link.reply(frame, 0, 0 if address else ENOENT, address or b"")
