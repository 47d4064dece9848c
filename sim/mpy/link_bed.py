"""The link's two boards, wired together: processes that run the client on a Pyboard and the bridge on an ESP8266."""

from pathlib import Path

from sim.mpy import flash_image, frames, interpreters, sensors
from sim.mpy.bed import Bed
from sim.mpy.esp8266 import Esp8266
from sim.mpy.watchdog import Watchdog
from sim.root import ROOT
from sim.wires import wifi
from sim.wires.nets import Net
from sim.wires.wiring import WIRING

BRIDGE_HEAP = "38k"
# In that case the source is compiled on the board, with 64-bit objects.
BRIDGE_SOURCE_HEAP = "256k"
# The client is compiled on its board, in a 64-bit interpreter: this does not measure the Pyboard's 100 KB.
# 64-bit objects: a counted run with lines of 4,000 bytes needs more than 320 KiB, and room for a heap in pieces.
CLIENT_HEAP = "1024k"


def bridge_of(options, folder):
    """Returns the arguments of LinkBed that say how the bridge runs: from source, from images (of firmware/ or another
    folder), or frozen. Args: folder: where its flash is kept."""
    if options.bridge_source:
        return {}
    if getattr(options, "bridge_image", False):
        chip = interpreters.find(interpreters.CHIP)
        flash = flash_image.write(Path(folder) / "flash.bin", images=Path(options.images or flash_image.FIRMWARE))
        return {"bridge_interpreter": chip, "flash": flash}
    return {"bridge_interpreter": interpreters.find(interpreters.BRIDGE)}


class LinkBed:
    """Both boards and their wires. Args: client_file: the client's program; client_cwd: its working folder; client_lib:
    where it imports pb_link from; bridge_interpreter: a 32-bit MicroPython with the bridge frozen, or None to run it
    from source; flash: path of a flash that the bridge boots from (flash_image.py); bridge_interpreter is then one
    without the bridge; wiring: in the form of WIRING, in which an end may be None; air, stored: see Esp8266;
    on_line(board name, line); sensor_plan: of sim/wires/sensors/plan.py, or None."""

    def __init__(
        self,
        client_file,
        *,
        client_cwd,
        client_lib=ROOT,
        interpreter,
        bridge_interpreter=None,
        flash=None,
        wiring=WIRING,
        on_line,
        log,
        air=None,
        stored=None,
        server=None,
        boot_s=1.0,
        clock_hz=None,
        arguments=(),
        sensor_plan=None,
    ):
        self.bed = Bed(clock_hz)
        self.client = self.bed.add_board("client", "pyboard")
        self.bridge = self.bed.add_board("bridge", "esp8266")
        self.nets = {}
        for name, (client_pin, gpio, pull_up) in wiring.items():
            ends = [(self.client, client_pin)] if client_pin else []
            ends += [(self.bridge, gpio)] if gpio else []
            self.nets[name] = self.bed.wire(Net(name, pull_up=pull_up), *ends)
        self.sensors = {}
        if sensor_plan is not None:
            taken = [pin for pin, _, _ in wiring.values() if pin]
            self.sensors = sensors.attach(
                self.bed, self.client, sensor_plan, taken=taken, log=lambda text: log("sensors", text)
            )
        self.client.on_line = lambda line: on_line("client", line)
        self.bridge.on_line = lambda line: on_line("bridge", line)
        self._client_file = client_file
        self._client_cwd = client_cwd
        self._client_lib = client_lib
        self._interpreter = interpreter
        self._arguments = arguments
        self.client.extras[frames.RESET_CAUSE] = lambda frame: self.client.link.reply(frame, 1)
        self.client.extras[frames.RESET] = lambda frame: self._reset_client()
        self._client_watchdog = Watchdog(self.client, self._reset_client)
        self.client_resets = 0
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

    def _reset_client(self):
        """Handles machine.reset() or the watchdog: ends the process. Its waiter starts it again."""
        self._client_watchdog.stop()
        self.client_resets += 1
        self.client.kill()

    @property
    def bus(self):
        return self.bed.bus(self.nets["scl"], self.nets["sda"])

    async def power_on(self):
        self.esp8266.power_on()
        await self.start_client()

    async def start_client(self):
        def command(fd):
            folders = (self._client_lib,)
            return interpreters.board_command(
                self._interpreter, "pyboard", fd, self._client_file, self._arguments, CLIENT_HEAP, folders
            )

        await self.client.start(command, self._client_cwd)

    async def close(self):
        self.esp8266.power_off()
        self.bed.close()
        await self.esp8266.wait_off()
        await self.bed.wait_closed()
