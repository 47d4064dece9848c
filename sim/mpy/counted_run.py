"""`sim run`: N lines each way between a client application on a virtual Pyboard and a server application, under faults.

The applications log what they wrote and read; sim/checker.py compares it. The link's own reports are not used to judge
it.
"""

import asyncio
import json
import os
import secrets
import sys
import tempfile
from pathlib import Path

from sim import checker, faults
from sim.apps.counted_lines import shortest
from sim.mpy import interpreters, link_bed
from sim.mpy.fault_actions import FaultActions
from sim.mpy.link_bed import LinkBed
from sim.mpy.server_process import ServerProcess, free_port
from sim.root import SIM
from sim.table import print_table
from sim.wires import wifi

APPS = SIM / "apps"
TICK_S = 0.02
SHOW_EVERY_S = 1.0
MEASURE_EVERY_S = 0.5
# After the last line: time for a surplus line to arrive.
SETTLE_S = 0.5
# The bridge reports every REPORT_S. A report that is due just after a bridge was killed comes when it is up again.
REPORT_S = 1
LAST_REPORT_S = 10
# Time limits of a run: to come up, for each line each way, and to recover from a fault.
TIMEOUT_BASE_S, TIMEOUT_LINE_S, TIMEOUT_FAULT_S = 60, 0.1, 30


class CountedRun:
    """One run. Afterwards `result` is the dict that is printed. `good` says whether the promise was kept and the run
    came to its end, `failure` why not. `least_free_bytes` is the bridge's least free heap, or None."""

    def __init__(self, options):
        self.options = options
        counts, rates = faults.parse(options.faults, options.lines)
        self.plan = faults.Plan(counts, rates, options.seed)
        fault_count = sum(counts.values())
        self.timeout_s = options.timeout or (
            TIMEOUT_BASE_S + TIMEOUT_LINE_S * options.lines + TIMEOUT_FAULT_S * fault_count
        )
        if options.line_bytes < shortest(options.lines):
            raise ValueError(f"--line-bytes must be at least {shortest(options.lines)} for {options.lines} lines")
        self.written = {"client": [], "server": []}
        self.read = {"client": [], "server": []}
        self.tail = {"client": [], "server": [], "bridge": []}
        self.connections = 0
        self.failure = None
        self.fallbacks = {"client": 0, "bridge": 0}  # in all lives, at least, as of the last report
        self.least_free_bytes = None
        self.result = None
        self.good = False
        self._server_listens = asyncio.Event()
        self._reported = asyncio.Event()
        self._fallbacks = [0, 0]  # in the present lives

    async def run(self):
        with tempfile.TemporaryDirectory(prefix="pb_link_sim_") as folder:
            await self._run_in(folder)
        return self.result

    async def _run_in(self, folder):
        options = self.options
        port = free_port()
        self._write_settings(Path(folder) / "pb_settings.json", port)
        arguments = [str(number) for number in (options.lines, options.line_bytes, options.seed)]
        self.server = ServerProcess(
            "sim.apps.counted_server", arguments, cwd=folder, on_line=lambda line: self._line("server", line)
        )
        interpreter = interpreters.find()
        bridge = link_bed.bridge_of(options, folder)
        self.bed = LinkBed(
            APPS / "counted_client.py",
            client_cwd=folder,
            interpreter=interpreter,
            **bridge,
            on_line=self._line,
            log=self._event,
            air=wifi.Air(assoc_s=options.assoc_ms / 1000),
            boot_s=options.boot_ms / 1000,
            clock_hz=options.clock,
            arguments=arguments,
        )
        self._faults = FaultActions(self.bed, self.server.restart_listener, self._event, options.seed)
        loop = asyncio.get_running_loop()
        self._begin = loop.time()
        try:
            await self.server.start()
            await self._or_end(self._server_listens.wait(), TIMEOUT_BASE_S)
            if self.failure is None:
                await self.bed.power_on()
                await self._exchange()
            seconds = loop.time() - self._begin
            if self.failure is None:
                await self._last_report()
            self._conclude(seconds)
        finally:
            self._faults.close()
            await asyncio.shield(self._close())

    async def _close(self):
        await self.bed.close()
        await self.server.close()

    def _write_settings(self, path, port):
        settings = {
            "port": port, "server": "127.0.0.1", "timeout_ms": 1500, "report_s": REPORT_S, "ssid": "sim",
            "password": "simulated", "id": "counted", "key": secrets.token_hex(32),
        }  # fmt: skip
        path.write_text(json.dumps(settings))
        os.chmod(path, 0o600)

    async def _or_end(self, awaitable, seconds):
        try:
            async with asyncio.timeout(seconds):
                await awaitable
        except TimeoutError:
            self.failure = "the server application did not start"

    # Output of the processes.

    def _line(self, who, line):
        if line.startswith("> ") and who != "bridge":
            self.written[who].append(line[2:])
        elif line.startswith("< ") and who != "bridge":
            self.read[who].append(line[2:])
        else:
            self._note(who, line)

    def _note(self, who, line):
        if line.startswith("! connections "):
            self.connections = int(line.split()[2])
        elif line.startswith("! fallbacks "):
            self._count_fallbacks([int(word) for word in line.split()[2:]])
        elif line == "! listening":
            self._server_listens.set()
        self.tail[who] = self.tail[who][-19:] + [line]
        if self.options.verbose:
            print(f"{who:>6} | {line}", file=sys.stderr)

    def _count_fallbacks(self, present):
        for i, who in enumerate(self.fallbacks):
            began_anew = present[i] < self._fallbacks[i]
            self.fallbacks[who] += present[i] - (0 if began_anew else self._fallbacks[i])
        self._fallbacks = present
        self._reported.set()

    def _event(self, who, text):
        if not self.options.quiet:
            print(f"{self._now():7.2f} s  {who}: {text}", file=sys.stderr)

    def _now(self):
        return asyncio.get_running_loop().time() - self._begin

    # The exchange.

    @property
    def progress(self):
        return (len(self.read["client"]) + len(self.read["server"])) / (2 * self.options.lines)

    def _complete(self):
        lines = self.options.lines
        return all(len(self.read[end]) >= lines for end in self.read) and not self.plan.left

    async def _exchange(self):
        loop = asyncio.get_running_loop()
        first = None
        shown = measured = loop.time()
        while not self._complete() and self.failure is None:
            await asyncio.sleep(TICK_S)
            now = loop.time()
            if first is None and self.progress:
                first = now
            for name in self.plan.due(self.progress, None if first is None else now - first):
                self._inject(name)
            if now - shown >= SHOW_EVERY_S:
                shown = now
                self._show()
            if now - measured >= MEASURE_EVERY_S:
                measured = now
                await self._measure()
            self._find_failure()
        if self.failure is None:
            await asyncio.sleep(SETTLE_S)
        self._show()

    async def _last_report(self):
        """Waits for one more report, with the bridge's counts until now."""
        self._reported.clear()
        try:
            async with asyncio.timeout(LAST_REPORT_S):
                await self._reported.wait()
        except TimeoutError:
            self._event("sim", "no report at the end: the bridge's fallbacks are those of an earlier one")

    def _find_failure(self):
        if self._now() > self.timeout_s:
            self.failure = f"not finished after {self.timeout_s:.0f} s"
        elif not self.bed.client.alive:
            self.failure = "the client's program ended"
        elif self.server.status is not None:
            self.failure = f"the server application ended with status {self.server.status}"

    async def _measure(self):
        free = await self.bed.bridge.measure()
        if free is not None:
            self.least_free_bytes = free if self.least_free_bytes is None else min(free, self.least_free_bytes)

    def _inject(self, name):
        self._event("fault", name)
        self._faults.begin(name)

    # The end.

    def _show(self):
        if not self.options.quiet:
            there, back = len(self.read["server"]), len(self.read["client"])
            lines = self.options.lines
            print(
                f"{self._now():7.2f} s  client -> server {there}/{lines}   server -> client {back}/{lines}   "
                f"resets {self.bed.esp8266.resets}",
                file=sys.stderr,
            )

    def _conclude(self, seconds):
        there = checker.compare(self.written["client"], self.read["server"])
        back = checker.compare(self.written["server"], self.read["client"])
        bus = self.bed.bus
        self.result = {
            "client_to_server": there,
            "server_to_client": back,
            "seconds": round(seconds, 3),
            "i2c_bytes": bus.bytes,
            "i2c_transactions": bus.transactions,
            "resets": self.bed.esp8266.resets,
            "outages": max(0, self.connections - 1),
            "fallbacks": self.fallbacks,
        }
        all_sent = there["sent"] == back["sent"] == self.options.lines
        self.good = self.failure is None and all_sent and checker.kept(there) and checker.kept(back)

    def explain(self):
        """Prints why the run failed, with the last output of each program."""
        print(f"FAILED: {self.failure or 'the promise was broken'}", file=sys.stderr)
        for who, lines in self.tail.items():
            for line in lines:
                print(f"{who:>6} | {line}", file=sys.stderr)


async def run(options):
    counted = CountedRun(options)
    result = await counted.run()
    if not options.quiet and counted.least_free_bytes is not None:
        print(f"bridge: least free heap {counted.least_free_bytes} bytes", file=sys.stderr)
    if not counted.good:
        counted.explain()
    if options.json:
        print(json.dumps(result), flush=True)
    else:
        print_table(result)
        print(json.dumps(result), flush=True)
    return 0 if counted.good else 1
