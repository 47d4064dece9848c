"""The playground: clients on virtual boards, each with a bridge, and a server, that run until somebody ends them.

It knows nothing of how it is shown: a view (`plain_view.py`, `screen.py`) is told what happens, and asks for `state`.
"""

import asyncio

from sim import checker
from sim.mpy.fault_actions import FaultActions
from sim.mpy.lines_seen import TO_CLIENT, TO_SERVER, WAYS, LinesSeen
from sim.wires import wifi
from sim.wires.chip import BOOTING, HELD, RUNNING, STRAPPED

TICK_S = 0.05  # between looks at whether a fault is due
# What bridges are doing, in words of at most eleven characters.
BRIDGE_WORDS = {RUNNING: "running", BOOTING: "boots", HELD: "in reset", STRAPPED: "boot strap"}
WIFI_WORDS = {
    wifi.IDLE: "not asked", wifi.CONNECTING: "joins", wifi.WRONG_PASSWORD: "refused", wifi.NO_AP_FOUND: "no network",
    wifi.CONNECT_FAIL: "cannot join", wifi.GOT_IP: "joined",
}  # fmt: skip
# Lines of each way, and of what the demo server has read, that are kept for the comparison of both.
MAX_COMPARED = 100_000
GOOD, BUSY, BAD = "good", "busy", "bad"


class FirstLines:
    """The first MAX_COMPARED lines of many. `kept`: those; `count`: of all."""

    def __init__(self):
        self.kept = []
        self.count = 0

    def append(self, line):
        self.count += 1
        if len(self.kept) < MAX_COMPARED:
            self.kept.append(line)


class Client:
    """One client of a playground, with its bridge. Args: restart_server: see FaultActions. `seen`: its LinesSeen."""

    def __init__(self, name, bed, restart_server, view, seed):
        self.name = name
        self.bed = bed
        self.view = view
        self.seen = LinesSeen(on_line=self._moved)
        self.lines = {way: FirstLines() for way in WAYS}  # that have crossed
        bed.esp8266.tcp.seen = self.seen
        self.faults = FaultActions(bed, restart_server, self._log, seed)
        self.status = None  # exit status of its program

    def _moved(self, way, line):
        self.lines[way].append(line)
        self.view.moved(self.name, way, line)

    def _log(self, who, text):
        self.view.event(self.name, who, text)

    async def run(self):
        """Returns the exit status of its program."""
        await self.bed.power_on()
        self.status = await self.bed.run_client(lambda: self._log("client", "starts again"))
        self._log("client", f"its program ended with status {self.status}")
        return self.status

    def state(self):
        """Returns [(part, GOOD | BUSY | BAD, words)] for board, bridge, Wi-Fi and server, in their order."""
        chip = self.bed.esp8266
        ended = (BUSY, "off") if self.status is None else (BAD, "ended")
        board = (GOOD, "running") if self.bed.client.alive else ended
        if self.bed.client_sleeps:
            board = (GOOD, "asleep")
        bridge = BRIDGE_WORDS.get(chip.state, "off")
        joined = chip.station.status(asyncio.get_running_loop().time()) if chip.board.alive else wifi.IDLE
        radio = "away" if not any(network.up for network in chip.air.networks) else WIFI_WORDS.get(joined, str(joined))
        server = "connected" if chip.tcp.open_now else "unreachable" if chip.tcp.server_listens else "refuses"
        return [
            ("board", *board),
            ("bridge", GOOD if chip.state == RUNNING else BUSY if chip.state == BOOTING else BAD, bridge),
            ("Wi-Fi", GOOD if joined == wifi.GOT_IP and radio != "away" else BAD if radio == "away" else BUSY, radio),
            ("server", GOOD if chip.tcp.open_now and chip.connected() else BAD, server),
        ]

    def counts(self):
        """Returns what was delivered, as a dict: both ways, and what has happened to the link."""
        chip, bus = self.bed.esp8266, self.bed.bus
        result = {}
        for way, key in ((TO_SERVER, "client_to_server"), (TO_CLIENT, "server_to_client")):
            one = self.seen.ways[way]
            result[key] = {
                "lines": one.lines, "acknowledged": one.acknowledged, "waiting": one.waiting, "sent_again": one.again,
                "without_qos": one.unnumbered,
            }  # fmt: skip
        return {
            **result,
            "outages": max(0, chip.tcp.opened - 1),
            "bridge_resets": chip.resets,
            "client_resets": self.bed.client_resets,
            "i2c_bytes": bus.bytes,
            "i2c_transactions": bus.transactions,
        }


class Playground:
    """Args: clients: list of Client; server: a ServerProcess of ours, or None; schedule: `due(seconds, delivered)`
    gives the faults that are to begin, or None; view: is told; seconds: after which it ends, or None."""

    def __init__(self, clients, server, schedule, view, seconds=None):
        self.clients = clients
        self.server = server
        self.schedule = schedule
        self.view = view
        self.seconds = seconds
        self.began = asyncio.get_running_loop().time()
        self._quit = asyncio.Event()

    @property
    def elapsed_s(self):
        return asyncio.get_running_loop().time() - self.began

    @property
    def delivered(self):
        """Returns how many lines were acknowledged, of all clients and both ways."""
        return sum(client.seen.delivered for client in self.clients)

    def quit(self):
        """Ends it as if its time were over."""
        self._quit.set()

    async def run(self):
        """Runs until the time is over, `quit` is called or all programs have ended. Returns the exit status: that of
        the first program that failed."""
        if self.server is not None:
            await self.server.start()
        ends = [asyncio.ensure_future(client.run()) for client in self.clients]
        begin_faults = asyncio.ensure_future(self._begin_faults())
        over = asyncio.ensure_future(self._quit.wait())
        together = asyncio.gather(*ends)
        try:
            done, _ = await asyncio.wait(
                (together, over, begin_faults), timeout=self.seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if begin_faults in done:
                begin_faults.result()
            return next((status for status in together.result() if status), 0) if together in done else 0
        finally:
            for task in (begin_faults, over, together):
                task.cancel()
            await asyncio.gather(together, begin_faults, over, return_exceptions=True)

    async def _begin_faults(self):
        while True:
            await asyncio.sleep(TICK_S)
            if self.server is not None and self.server.status is not None:
                await self.server.wait()
                ended = f"the server's program ended with status {self.server.status}"
                raise ValueError("\n".join([ended, *self.server.last_lines]))
            if self.schedule is not None:
                for name in self.schedule.due(self.elapsed_s, self.delivered):
                    for client in self.clients:
                        self.fault(client, name)

    def fault(self, client, name):
        """Begins a fault of this client's link, now."""
        self.view.event(client.name, "fault", name)
        client.faults.begin(name)

    async def close(self):
        """Ends all boards and the server. Raises what the end of one has raised, after the others have ended too."""
        for client in self.clients:
            client.faults.close()
        parts = [client.bed for client in self.clients] + ([] if self.server is None else [self.server])
        results = await asyncio.gather(*(part.close() for part in parts), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result


def compared(crossed, read):
    """Compares the lines that have crossed with those that an application has read, in the order of both: FirstLines.

    Returns a dict: `read`, a count; `compared`: how many of these were compared, the first ones; `in_order`: they are
    the first of those that crossed; and counts of sim/checker.py if the lines can be told apart.
    """
    kept = read.kept
    result = {"read": read.count, "compared": len(kept), "in_order": kept == crossed.kept[: len(kept)]}
    if len(set(crossed.kept)) == len(crossed.kept):
        counts = checker.compare(crossed.kept, kept)
        result |= {name: counts[name] for name in ("duplicated", "reordered", "corrupted")}
    return result
