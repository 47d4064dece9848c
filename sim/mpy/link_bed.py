"""The link's two boards, wired together: processes that run the client on a Pyboard and the bridge on an ESP8266."""

import asyncio
from pathlib import Path

from pb_link.settings import PINS
from sim.mpy import flash_image, frames, interpreters, sensors
from sim.mpy.bed import Bed
from sim.mpy.esp8266 import Esp8266
from sim.mpy.models import CAUSES
from sim.mpy.peripherals import Peripherals
from sim.mpy.sleep import Sleep
from sim.mpy.watchdog import Watchdog
from sim.root import ON_BOARDS
from sim.wires import wifi
from sim.wires.nets import Net
from sim.wires.sensors.plan import Plan
from sim.wires.wiring import WIRING
from sim.wires.world_file import World

BRIDGE_HEAP = "38k"
# In that case the source is compiled on the board, with 64-bit objects.
BRIDGE_SOURCE_HEAP = "256k"
# The client is compiled on its board, in a 64-bit interpreter: this does not measure the Pyboard's 100 KB.
# 64-bit objects: a counted run with lines of 4,000 bytes needs more than 320 KiB, and room for a heap in pieces.
CLIENT_HEAP = "1024k"


def bridge_of(options, folder):
    """Returns the arguments of LinkBed that say how the bridge runs: from source, from images (of firmware/ or another
    folder), or frozen. An installed wheel has the source alone. Args: folder: where its flash is kept."""
    image = getattr(options, "bridge_image", False)
    if options.bridge_source or not interpreters.has_bridge(interpreters.CHIP if image else interpreters.BRIDGE):
        return {}
    if image:
        chip = interpreters.find(interpreters.CHIP)
        flash = flash_image.write(Path(folder) / "flash.bin", images=Path(options.images or flash_image.FIRMWARE))
        return {"bridge_interpreter": chip, "flash": flash}
    return {"bridge_interpreter": interpreters.find(interpreters.BRIDGE)}


def wiring_of(model):
    """Returns the wiring of docs/hardware.md for a client's board, in the form of WIRING."""
    if model.kind == "pyboard":
        return WIRING
    pins = PINS[model.platform]
    return {name: (client_pin and f"GP{pins[name]}", *ends) for name, (client_pin, *ends) in WIRING.items()}


class LinkBed:
    """Both boards and their wires.

    Args: client_file: the client's program; client_cwd: its working folder; client_lib: where it imports pb_link from,
    or None: the source; board: of the client, a name of models.py; bridge_interpreter: a 32-bit MicroPython with the
    bridge frozen, or None to run it from source; flash: path of a flash that the bridge boots from (flash_image.py);
    bridge_interpreter is then one without the bridge; wiring: in the form of WIRING, in which an end may be None, or
    None for that of the board; air, stored: see Esp8266; on_line(board name, line); sensor_plan: of
    sim/wires/sensors/plan.py, or world: of sim/wires/world_file.py, or None.
    """

    def __init__(
        self,
        client_file,
        *,
        client_cwd,
        client_lib=None,
        board="pyboard",
        interpreter,
        bridge_interpreter=None,
        flash=None,
        wiring=None,
        on_line,
        log,
        air=None,
        stored=None,
        server=None,
        boot_s=1.0,
        clock_hz=None,
        arguments=(),
        sensor_plan=None,
        world=None,
    ):
        self.bed = Bed(clock_hz)
        self.client = self.bed.add_board("client", board)
        self.bridge = self.bed.add_board("bridge", "esp8266")
        self.nets = {}
        wiring = wiring or wiring_of(self.client.model)
        for name, (client_pin, gpio, pull_up) in wiring.items():
            ends = [(self.client, client_pin)] if client_pin else []
            ends += [(self.bridge, gpio)] if gpio else []
            self.nets[name] = self.bed.wire(Net(name, pull_up=pull_up), *ends)
        world = world or World(sensor_plan or Plan({}, {}), {}, {}, {}, [])
        taken = [pin for pin, _, _ in wiring.values() if pin]
        self.sensors = sensors.attach(
            self.bed, self.client, world.plan, taken=taken, log=lambda text: log("sensors", text), types=world.types
        )
        self._peripherals = Peripherals(self.client, world, lambda text: log("client", text))
        self.client.on_line = lambda line: on_line("client", line)
        self.bridge.on_line = lambda line: on_line("bridge", line)
        self._client_file = client_file
        self._client_cwd = client_cwd
        self._client_folders = ON_BOARDS if client_lib is None else (client_lib,)
        self._interpreter = interpreter
        self._arguments = arguments
        self.client.extras[frames.RESET_CAUSE] = lambda frame: self.client.link.reply(frame, self._client_cause)
        self._causes = CAUSES[self.client.kind]
        self.client.extras[frames.RESET] = lambda frame: self._stop_client(self._causes.reset)
        self._client_watchdog = Watchdog(self.client, lambda: self._stop_client(self._causes.watchdog))
        Sleep(self.client, self._put_to_sleep, lambda text: log("client", text))
        self._client_awake = asyncio.Event()
        self._client_awake.set()
        self._client_alarm = None  # the timer that ends its deep sleep
        self._client_cause = self._causes.power_on
        self._client_has_power = asyncio.Event()
        self._resets_at_start = 0
        self._client_ended = False  # its program, by itself: nothing starts it again
        self.client_resets = 0  # its watchdog, button, power, machine.reset() and machine.deepsleep()
        frozen = bridge_interpreter is not None

        def bridge_command(fd):
            if flash is not None:
                return interpreters.flash_command(bridge_interpreter, fd, flash, BRIDGE_HEAP)
            heap = BRIDGE_HEAP if frozen else BRIDGE_SOURCE_HEAP
            return interpreters.bridge_command(bridge_interpreter or interpreter, fd, frozen=frozen, heap=heap)

        self.esp8266 = Esp8266(
            self.bed,
            self.bridge,
            self.nets["rst"],
            bridge_command,
            air=air or wifi.Air(),
            stored=stored,
            boot_s=boot_s,
            server=server,
            log=lambda text: log("bridge", text),
        )

    def _stop_client(self, cause):
        """Ends the client's process for a reset. `run_client` starts it again, if the board has power."""
        self._client_watchdog.stop()
        self._wake_client()
        self._client_cause = cause
        if not self._client_ended:
            self.client_resets += 1
        self.client.kill()

    def _put_to_sleep(self, seconds):
        """Deep sleep. Args: seconds, or None: until it is reset."""
        self._stop_client(self._causes.deepsleep)
        self._client_awake.clear()
        if seconds is not None:
            self._client_alarm = asyncio.get_running_loop().call_later(seconds, self._wake_client)

    def _wake_client(self):
        if self._client_alarm is not None:
            self._client_alarm.cancel()
            self._client_alarm = None
        self._client_awake.set()

    def reset_client(self):
        """Presses its reset button. Nothing happens while it has no power."""
        if self._client_has_power.is_set():
            self._stop_client(self._causes.button)

    def power_off_client(self):
        self._client_has_power.clear()
        self._peripherals.power_off()
        self._stop_client(self._causes.power_on)

    def power_on_client(self):
        self._client_has_power.set()

    @property
    def client_sleeps(self):
        """Returns whether the client's board is in light or deep sleep."""
        has_power = self._client_has_power.is_set()
        return has_power and (self.client.sleep.light or not self._client_awake.is_set())

    @property
    def bus(self):
        return self.bed.bus(self.nets["scl"], self.nets["sda"])

    async def power_on(self):
        self.esp8266.power_on()
        self._client_has_power.set()
        await self.start_client()

    async def start_client(self):
        def command(fd):
            board, folders = self.client.model.name, self._client_folders
            return interpreters.board_command(
                self._interpreter, board, fd, self._client_file, self._arguments, CLIENT_HEAP, folders
            )

        self._resets_at_start = self.client_resets
        await self.client.start(command, self._client_cwd)
        if self._resets_at_start != self.client_resets:  # reset while its process was being started
            self.client.kill()

    async def run_client(self, on_start):
        """Waits until the client's program ends by itself, and starts it again after each reset. Call it after
        `power_on`. Args: on_start(): it is started again. Returns its exit status."""
        while True:
            status = await self.client.wait()
            if self.client_resets == self._resets_at_start:
                self._client_ended = True
                return status
            while not (self._client_awake.is_set() and self._client_has_power.is_set()):
                await self._client_awake.wait()
                await self._client_has_power.wait()
            on_start()
            await self.start_client()

    async def close(self):
        self.esp8266.power_off()
        self.bed.close()
        await self.esp8266.wait_off()
        await self.bed.wait_closed()
