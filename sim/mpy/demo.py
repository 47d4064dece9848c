"""`sim demo`: the client and server demos of pb_link, under faults. It ends by itself.

The bridge is killed, Wi-Fi goes away and the server restarts. The demo shows that nothing was lost.
"""

import asyncio
import json
import os
import secrets
import sys
import tempfile
from pathlib import Path

from sim import checker
from sim.mpy import interpreters, link_bed
from sim.mpy.link_bed import LinkBed
from sim.mpy.server_process import ServerProcess, free_port
from sim.root import ROOT
from sim.table import print_table
from sim.wires import wifi

CLIENT = ROOT / "pb_link" / "pb_client.py"
# The demo has 60 s; the rest is for ending the processes.
LIMIT_S = 55
TRAFFIC_S = 2.0  # of undisturbed traffic before each fault
WIFI_AWAY_S = 3.0
FLOWING_LINES = 3  # each way after a fault: the link has recovered
SHOW_EVERY_S = 1.0
# What AppBase.run prints before the traceback of its application, and the time for the traceback to come.
APPLICATION_FAILED = "pb_link: the application has failed"
TRACEBACK_S = 0.5


class DemoFailed(Exception):
    """The link did not do in time what the demo waits for."""


class Demo:
    """The demo. `written` and `read`: the lines that client and server report as sent and received."""

    def __init__(self, options):
        self._options = options
        self.written = {"client": [], "server": []}
        self.read = {"client": [], "server": []}
        self._tail = []
        self._application_failed = False
        self._now_doing = "starting"

    async def run(self):
        """Returns the result as a dict; its "ok" says whether everything succeeded."""
        with tempfile.TemporaryDirectory(prefix="pb_link_demo_") as folder:
            return await self._run_in(folder)

    async def _run_in(self, folder):
        interpreter = interpreters.find()
        bridge = link_bed.bridge_of(self._options, folder)
        loop = asyncio.get_running_loop()
        self._begin = loop.time()
        self._write_settings(Path(folder) / "pb_settings.json")
        self._server = ServerProcess(
            "pb_link.s_app", (), cwd=folder, on_line=lambda line: self._line("server", line)
        )
        self._bed = LinkBed(
            CLIENT,
            client_cwd=folder,
            interpreter=interpreter,
            **bridge,
            on_line=self._line,
            log=lambda who, text: self._say(f"{who}: {text}"),
            air=wifi.Air(assoc_s=self._options.assoc_ms / 1000),
            boot_s=self._options.boot_ms / 1000,
            clock_hz=self._options.clock,
        )
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
        return self._conclude(failure, loop.time() - self._begin)

    async def _close(self):
        await self._bed.close()
        await self._server.close()

    def _write_settings(self, path):
        settings = {
            "port": free_port(), "server": "127.0.0.1", "timeout_ms": 1500, "report_s": 5, "ssid": "demo",
            "password": "demo password", "id": "demo", "key": secrets.token_hex(32),
        }  # fmt: skip
        path.write_text(json.dumps(settings))
        os.chmod(path, 0o600)

    # The sequence of faults.

    async def _story(self):
        self._doing("the server, the client (Pyboard) and the bridge (ESP8266) start, each a process of its own")
        await self._server.start()
        await self._bed.power_on()
        await self._flow(FLOWING_LINES)
        self._doing("JSON lines travel both ways")
        await self._traffic(TRAFFIC_S)
        self._doing("the ESP8266 is killed in mid-traffic; it boots, joins the Wi-Fi and the link resumes")
        self._bed.esp8266.crash()
        await self._flow(FLOWING_LINES)
        await self._traffic(TRAFFIC_S)
        self._doing(f"the Wi-Fi goes away for {WIFI_AWAY_S:.0f} s")
        self._bed.esp8266.set_wifi(False)
        await self._traffic(WIFI_AWAY_S)
        self._doing("the Wi-Fi is back")
        self._bed.esp8266.set_wifi(True)
        await self._flow(FLOWING_LINES)
        await self._traffic(TRAFFIC_S)
        self._doing("the server closes its listener and its connections, and listens again 2 s later")
        self._server.restart_listener()
        await self._traffic(TRAFFIC_S)
        await self._flow(FLOWING_LINES)
        await self._traffic(TRAFFIC_S)
        self._doing("the last lines arrive")
        self._sent = {end: len(lines) for end, lines in self.written.items()}
        await self._until(lambda: all(self._delivered(*ends) for ends in checker_ends()))

    def _delivered(self, writer, reader):
        return set(self.written[writer][: self._sent[writer]]) <= set(self.read[reader])

    async def _flow(self, lines):
        """Waits until this many more lines have arrived at both ends."""
        goal = {end: len(read) + lines for end, read in self.read.items()}
        await self._until(lambda: all(len(self.read[end]) >= goal[end] for end in goal))

    async def _traffic(self, seconds):
        end = asyncio.get_running_loop().time() + seconds
        await self._until(lambda: asyncio.get_running_loop().time() >= end)

    async def _until(self, done):
        shown = asyncio.get_running_loop().time()
        while not done():
            await asyncio.sleep(0.05)
            if self._application_failed:
                await asyncio.sleep(TRACEBACK_S)
                raise DemoFailed("the client's application has failed")
            if not self._bed.client.alive:
                raise DemoFailed("the client's program ended")
            if self._server.status is not None:
                raise DemoFailed("the server's program ended")
            now = asyncio.get_running_loop().time()
            if now - shown >= SHOW_EVERY_S:
                shown = now
                self._counters()

    # Output.

    def _line(self, who, line):
        word, _, rest = line.partition(" ")
        if word == "sent" and who != "bridge":
            self.written[who].append(rest)
        elif word == "received" and who != "bridge":
            self.read[who].append(rest)
        elif self._options.verbose:
            self._say(f"{who} | {line}")
        if who == "client" and line == APPLICATION_FAILED:
            self._application_failed = True  # `run` would start it again
        if not (word == "sent" or word == "received"):
            self._tail = self._tail[-29:] + [f"{who} | {line}"]

    def _say(self, text):
        print(f"{asyncio.get_running_loop().time() - self._begin:6.1f} s  {text}", flush=True)

    def _doing(self, text):
        self._now_doing = text
        self._say(f"== {text}")

    def _counters(self):
        self._say(
            f"   client -> server {len(self.read['server'])}/{len(self.written['client'])} {self._last('server'):12}  "
            f"server -> client {len(self.read['client'])}/{len(self.written['server'])} {self._last('client')}"
        )

    def _last(self, reader):
        return self.read[reader][-1] if self.read[reader] else ""

    def _conclude(self, failure, seconds):
        sent = getattr(self, "_sent", None) or {end: len(lines) for end, lines in self.written.items()}
        result = {}
        for direction, (writer, reader) in zip(("client_to_server", "server_to_client"), checker_ends(), strict=True):
            # What was written after the end of the sequence may still be on its way.
            later = set(self.written[writer][sent[writer] :])
            read = [line for line in self.read[reader] if line not in later]
            result[direction] = checker.compare(self.written[writer][: sent[writer]], read)
        bus = self._bed.bus
        result.update(
            seconds=round(seconds, 3),
            i2c_bytes=bus.bytes,
            i2c_transactions=bus.transactions,
            resets=self._bed.esp8266.resets,
            outages=max(0, self._bed.esp8266.tcp.opened - 1),
        )
        exchanged = all(result[direction]["sent"] for direction in ("client_to_server", "server_to_client"))
        kept = all(checker.kept(result[direction]) for direction in ("client_to_server", "server_to_client"))
        if failure is None and not (exchanged and kept):
            failure = "the promise was broken"
        if failure is not None:
            print(f"FAILED: {failure}", file=sys.stderr)
            for line in self._tail:
                print(f"  {line}", file=sys.stderr)
        result["ok"] = failure is None
        return result


def checker_ends():
    """Returns (writer, reader) of both directions."""
    return ("client", "server"), ("server", "client")


async def demo(options):
    result = await Demo(options).run()
    print_table(result)
    print("nothing was lost, duplicated, reordered or corrupted" if result["ok"] else "FAILED, see above")
    print(json.dumps(result), flush=True)
    return 0 if result["ok"] else 1
