"""The link without data, and its recovery times: on the virtual bed."""

import asyncio

from build.bench.bed import COSTS, Bed
from build.bench.figures import Figure
from sim.wires.chip import BOOTING, HELD

_IDLE_S = 60.0
_LINE = "x" * 49
_LIMIT_S = 60.0  # for a recovery
_PHASES = 8  # phases of periodic events, at which each fault comes
_PHASE_S = 0.137
_GRAIN_S = 0.002
_AWAY_S = 2.0  # Wi-Fi or server
_POLL_S = 1.0  # a quiet bridge uses the mailbox this often: a beat


class Quiet:
    """A link on which a line may be sent from time to time, and is seen to arrive."""

    def __init__(self, costs=COSTS["model"]):
        self._to_send = asyncio.Event()
        self.read = 0
        self.bed = Bed(self._client, self._serve, costs)

    async def _client(self, app):
        while True:
            await self._to_send.wait()
            self._to_send.clear()
            await app.write(_LINE, wait=False)

    async def _serve(self, conn):
        while True:
            await conn.readline()
            self.read += 1

    def say(self):
        """Has the client's application write a line."""
        self._to_send.set()


def idle(name, before):
    """Returns transactions and bytes a second. Args: before(link): makes the state that is measured."""
    bed = Quiet().bed
    with bed.running(settle_s=5.0):
        before(bed.link)
        bed.run_for(20.0)
        began, clocked, transactions = bed.counts
        bed.run_for(_IDLE_S)
        now, now_clocked, now_transactions = bed.counts
    took = now - began
    return (
        Figure("idle", f"idle transactions, {name}", (now_transactions - transactions) / took, "per second", 1.0),
        Figure("idle", f"idle bytes, {name}", (now_clocked - clocked) / took, "per second"),
    )


class Recovery:
    """One fault, and the times of the events until the next line has arrived."""

    def __init__(self, fault, phase, costs=COSTS["model"]):
        self._quiet = Quiet(costs)
        self._bed = self._quiet.bed
        self._fault = fault
        self._settle_s = 12.0 + phase * _PHASE_S  # healthy for more than HEALTHY_MS
        self._pulses = 0
        self._marks = []  # (part, when it began)
        self.beats_missed = None  # when the chip was reset by its pin

    def play(self, pending):
        """Returns {part: seconds}. Args: pending: a line waits from the fault on; else it is written as soon as the
        link is up again."""
        bed, quiet, link, marks = self._bed, self._quiet, self._bed.link, self._marks
        link.nets["syn"].listen(lambda net: self._syn(net.level))
        with bed.running(self._settle_s):
            last_use = self._last_use()
            conn, connections, resets = bed.conn, bed.conn.nconns, link.esp8266.resets_by_pin
            began = bed.world.now
            self._pulses = 0
            self._begin("detection")
            if pending:
                quiet.say()
            self._fault(self)
            while bed.conn is conn and conn.nconns == connections or not bed.conn.status():
                bed.run_for(_GRAIN_S)
                self._begin(self._part(marks[-1][0]))
                if self.beats_missed is None and link.esp8266.resets_by_pin > resets:
                    self.beats_missed = self._pulses if pending else int((bed.world.now - last_use) / _POLL_S)
                if bed.world.now > began + _LIMIT_S:
                    raise RuntimeError("the link does not come back")
            if not pending:
                quiet.say()
            bed.until(lambda: quiet.read, _LIMIT_S, _GRAIN_S)
            self._begin("end")
        parts = {}
        for (part, at), (_, ended) in zip(marks, marks[1:]):
            if ended > at:
                parts[part] = parts.get(part, 0.0) + ended - at
        return parts

    def _begin(self, part):
        if not self._marks or self._marks[-1][0] != part:
            self._marks.append((part, self._bed.world.now))

    def _part(self, before):
        """Returns the part of the recovery that is running now."""
        esp8266 = self._bed.link.esp8266
        if esp8266.state == HELD:
            return "reset"
        if esp8266.state == BOOTING:
            return "boot"
        if not esp8266.connected():
            return "association" if before in ("boot", "association", "outage") else before
        return "resume" if before in ("boot", "association", "outage") else before

    def _syn(self, level):
        self._pulses += level == 0

    def _last_use(self):
        """Runs a little longer than the interval of beats. Returns when the bridge last used the bus."""
        bed, used = self._bed, self._bed.world.now
        end = used + _POLL_S * 1.3
        while bed.world.now < end:
            _, _, transactions = bed.counts
            bed.run_for(_GRAIN_S)
            if bed.counts[2] != transactions:
                used = bed.world.now
        return used

    # Faults.

    def crash(self):
        """Stops the chip; only its reset pin helps."""
        self._bed.link.bridge.kill()

    def hang(self):
        """Makes its program compute endlessly: the chip's watchdog may come first."""
        self._bed.link.bridge.busy_until = self._bed.world.now + 3600

    def wifi_outage(self):
        self._away(lambda: self._bed.link.esp8266.set_wifi(False), lambda: self._bed.link.esp8266.set_wifi(True))

    def server_restart(self):
        self._away(self._bed.link.kill_server, self._bed.link.start_server)

    def _away(self, go, come):
        self._begin("outage")
        go()
        self._bed.run_for(_AWAY_S)
        come()


_RESET = ("outage", "reset", "boot", "association")  # parts that do not depend on our code


def recovery(name, fault, pending, costs=COSTS["model"]):
    """Returns the slowest of some phases, and its parts."""
    slowest, least_missed = None, None
    for phase in range(_PHASES):
        one = Recovery(fault, phase, costs)
        parts = one.play(pending)
        ours = sum(seconds for part, seconds in parts.items() if part not in _RESET)
        if slowest is None or ours > slowest[0]:
            slowest = ours, parts
        if one.beats_missed is not None:
            least_missed = min(one.beats_missed, one.beats_missed if least_missed is None else least_missed)
    ours, parts = slowest
    name = f"{name}, {'a line pending' if pending else 'idle'}"
    yield Figure("recovery", name, sum(parts.values()), "s")
    yield Figure("recovery", name + ", ours", ours, "s")
    for part, seconds in parts.items():
        yield Figure("recovery", f"{name}, {part}", seconds, "s")
    if least_missed is not None:
        yield Figure("recovery", name + ", beats missed before the reset", least_missed, "beats")


def measure():
    figures = []
    figures += idle("connected", lambda link: None)
    figures += idle("server down", lambda link: link.kill_server())
    for pending in (True, False):
        figures += recovery("crash", Recovery.crash, pending)
        figures += recovery("hang", Recovery.hang, pending)
        figures += recovery("server restart", Recovery.server_restart, pending)
        figures += recovery("Wi-Fi outage", Recovery.wifi_outage, pending)
    return figures
