"""`sim sensors-demo`: a sensor is plugged in, its values are at the server; it is pulled, and plugged in elsewhere.

All are real processes: examples/sensor_client.py in MicroPython on a Pyboard with virtual sensors, the bridge, `pb-link
serve`, and `pb-link sensors`, whose lines are shown. It ends by itself.
"""

import asyncio
import json
import re
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from sensor_bus import loader
from server.core.sensors import COMMANDS
from server.service.admin import ANSWER_S, ask
from server.service.key_file import KeyFile
from sim.mpy import interpreters, link_bed
from sim.mpy.demo import APPLICATION_FAILED, TRACEBACK_S, DemoFailed
from sim.mpy.link_bed import LinkBed
from sim.mpy.server_process import ServerProcess, free_port
from sim.root import ROOT
from sim.wires import wifi
from sim.wires.sensors.plan import FIRST_BUS, plan_of

CLIENT = ROOT / "examples" / "sensor_client.py"
TYPES = ROOT / "sensor_bus" / "types.json"
ID = "mast"
LIMIT_S = 120
LOOK_S = 0.1
FIRST_SLOT, OTHER_SLOT = 1, 4
GONE = "gone"  # in place of values: the device was pulled
READINGS = 3  # of a device that are waited for
STAYS = "1_38"  # the AHT20: it is there all the time
PLAN = [
    {"type": "PCA9548A"},
    {"type": "AHT20", "values": {"temperature": [[0, 20.0], [120, 30.0]], "humidity": 40}},
    {"type": "TMP117", "name": "TMP117", "slot": FIRST_SLOT, "values": {"temperature": 21.5}},
]
# A line of `pb-link sensors`: date, time, device, type, values.
_LINE = re.compile(r"\d{4}-\d\d-\d\d [\d:.]+  (\S+) +(\S+) +(.*)")


class SensorsDemo:
    """Args: options: of the command line. `lines`: [(device, type, values)] that `pb-link sensors` has shown."""

    def __init__(self, options):
        self._options = options
        self.lines = []
        self._events = []
        self._failed = False  # the client's application
        self._serving = False  # the client has a SensorService
        self._last = ""  # line of `pb-link sensors` that is no reading
        self._now_doing = "starting"

    async def run(self):
        """Returns the result, a dict: "ok", the "events" in their order, "seconds"."""
        self._begin = asyncio.get_running_loop().time()
        with tempfile.TemporaryDirectory(prefix="pb_link_demo_") as folder:
            self._prepare(Path(folder))
            failure = None
            try:
                async with asyncio.timeout(LIMIT_S):
                    await self._story()
            except TimeoutError:
                failure = f"not finished after {LIMIT_S} s, while: {self._now_doing}"
            except DemoFailed as error:
                failure = str(error)
            finally:
                await asyncio.shield(self._close())
        if failure is not None:
            print(f"FAILED: {failure}", file=sys.stderr)
        return {"ok": failure is None, "events": self._events, "seconds": round(self._seconds(), 1)}

    def _prepare(self, folder):
        port, key = free_port(), secrets.token_hex(32)
        settings = {
            "port": port, "server": "127.0.0.1", "timeout_ms": 1500, "report_s": 0, "ssid": "demo",
            "password": "demo password", "id": ID, "key": key,
        }  # fmt: skip
        (folder / "pb_settings.json").write_text(json.dumps(settings))
        KeyFile(str(folder / "keys.json")).add(ID, key)
        records = loader.types(TYPES.read_bytes())
        table = loader.table([records[name] for name in ("AHT20", "TMP117")])
        (folder / "sensor_types.py").write_text(f"TYPES = {table!r}\n")
        client = folder / CLIENT.name
        shutil.copyfile(CLIENT, client)
        self._socket = str(folder / "pb_link.sock")
        self._server = ServerProcess("server", ("serve", "--port", port), cwd=folder, on_line=self._server_line)
        self._viewer = ServerProcess("server", ("sensors", ID), cwd=folder, on_line=self._viewer_line)
        self._bed = LinkBed(
            client,
            client_cwd=folder,
            interpreter=interpreters.find(),
            **link_bed.bridge_of(self._options, folder),
            on_line=self._board_line,
            log=lambda who, text: self._say(f"{who}: {text}") if self._options.verbose else None,
            air=wifi.Air(assoc_s=self._options.assoc_ms / 1000),
            boot_s=self._options.boot_ms / 1000,
            clock_hz=self._options.clock,
            sensor_plan=plan_of(PLAN),
        )
        self._sensors = self._bed.sensors[FIRST_BUS]
        self._moved = self._sensors["TMP117"]
        self._moved.unplug()

    async def _close(self):
        await self._bed.close()
        await self._viewer.close()
        await self._server.close()

    # What happens.

    async def _story(self):
        self._doing("the server, the client (Pyboard) and the bridge (ESP8266) start, each a process of its own")
        await self._server.start()
        await self._bed.power_on()
        await self._until(lambda: self._serving)
        self._doing(f"pb-link sensors {ID}")
        await self._viewer.start()
        await self._readings(STAYS, "AHT20")
        first = await self._plug(FIRST_SLOT)
        self._doing("it is pulled")
        seen = len(self.lines)
        self._moved.unplug()
        await self._gone(first)
        await self._until(lambda: (first, "TMP117", GONE) in self.lines[seen:])
        seen = len(self.lines)
        await self._plug(OTHER_SLOT)
        if any(device == first for device, _, _ in self.lines[seen:]):
            raise DemoFailed(f"{first} has values although it is gone")

    async def _plug(self, slot):
        """Plugs the TMP117 into a slot. Returns its device id there when its values are at the server."""
        self._doing(f"a TMP117 is plugged into slot {slot} of the multiplexer")
        self._sensors.plug(self._moved, slot)
        device = f"1_{slot << 8 | self._moved.address:x}"
        await self._readings(device, "TMP117")
        return device

    async def _readings(self, device, kind):
        """Waits for some readings of this device that come from now on."""
        began, seen = self._seconds(), len(self.lines)

        def count():
            return sum(line[:2] == (device, kind) for line in self.lines[seen:])

        await self._until(count)
        self._happened("values", device, kind)
        self._say(f"   {device} ({kind}): values are at the server after {self._seconds() - began:.1f} s")
        await self._until(lambda: count() >= READINGS)

    async def _gone(self, device):
        """Waits until the list of the client's bus, as its server gets it, is without this device."""
        began = self._seconds()
        while device in (listed := await self._listed()):
            await self._pause()
        self._happened("gone", device)
        self._say(f"   {device} is gone after {self._seconds() - began:.1f} s: the bus has {', '.join(listed)}")

    async def _listed(self):
        request = {"do": "devman", "id": ID, "path": "listdevs", "arguments": {}}
        (answer,) = await asyncio.to_thread(lambda: list(ask(self._socket, request, ANSWER_S)))
        if answer.get("rslt") != "ok":
            raise DemoFailed(f"the client does not list its devices: {answer}")
        return {one["deviceid"]: one["type"] for one in answer["devices"]}

    async def _until(self, done):
        while not done():
            await self._pause()

    async def _pause(self):
        await asyncio.sleep(LOOK_S)
        if self._failed:
            await asyncio.sleep(TRACEBACK_S)
            raise DemoFailed("the client's application has failed")
        if self._viewer.status is not None:
            raise DemoFailed(f"pb-link sensors ended: {self._last}")
        if not self._bed.client.alive:
            raise DemoFailed("the client's program ended")
        if self._server.status is not None:
            raise DemoFailed("the server's program ended")

    # Output.

    def _server_line(self, line):
        self._serving = self._serving or f" channel_used client={ID} channel={COMMANDS}" in line
        if self._options.verbose:
            self._say(f"server | {line}")

    def _viewer_line(self, line):
        found = _LINE.fullmatch(line)
        if found is None:
            self._last = line  # a note, such as that nothing is plugged in yet, or why it ends
        else:
            self.lines.append(found.groups())
        print(line, flush=True)

    def _board_line(self, who, line):
        if self._failed or self._options.verbose:
            self._say(f"{who} | {line}")
        self._failed = self._failed or who == "client" and line == APPLICATION_FAILED  # `run` would start it again

    def _seconds(self):
        return asyncio.get_running_loop().time() - self._begin

    def _happened(self, *event):
        self._events.append(list(event))

    def _say(self, text):
        print(f"{self._seconds():6.1f} s  {text}", flush=True)

    def _doing(self, text):
        self._now_doing = text
        self._say(f"== {text}")


async def demo(options):
    """Returns the exit status. Raises: ValueError: an installation has no examples."""
    if not CLIENT.exists():
        raise ValueError("it shows examples/sensor_client.py: run it in the checkout of pb_link, make demo-sensors")
    result = await SensorsDemo(options).run()
    print("all that was plugged in was at the server by itself" if result["ok"] else "FAILED, see above")
    print(json.dumps(result), flush=True)
    return 0 if result["ok"] else 1
