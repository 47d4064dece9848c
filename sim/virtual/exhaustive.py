"""`sim exhaustive`: one short exchange, with a crash or a cut at every numbered event of it, one run each.

The exchange is played once to number its events: each byte on the I2C bus, each step of a task of each board, each
TCP segment that arrives. The events run from power on until the last acknowledgement has arrived. Then the exchange is
played again for each event and each kind of crash, which comes just before the event. Long afterwards a last line is
written each way, and must arrive as well. So a run detects late duplicates, and shows that the link still works.

Memory that runs out (memory.py) has its own numbers: of the lines of one board that allocate, in the same time. Each
fails once. At every third the following one fails as well.

There are two exchanges: one of lines and messages, and one of requests. Without choosing, all points of the first are
tried, and every SHARE-th of the second.
"""

import asyncio
import json
import multiprocessing
import random
import sys
from collections import Counter, namedtuple
from functools import partial

from sim import trace
from sim.root import COMMAND
from sim.virtual.costs import PLACEHOLDERS
from sim.virtual.request_ledger import LONG_MS
from sim.virtual.request_work import BYTES, RAISES
from sim.virtual.request_work import Plan as RequestPlan
from sim.virtual.run import VirtualRun
from sim.wires.wire import BYTE_CLOCKS, CUT

BYTE, STEP, SEGMENT = "byte", "await", "segment"  # kinds of events, as World.number names them

# Lines each way, and messages each way on one channel, or requests. Of either the last one is written much later.
LINE_BYTES = 12
CHANNEL = 20
MESSAGES = 3
REQUESTS = (30, 31)
TRAFFIC = {
    "messages": {"lines": 2, "channels": (CHANNEL,), "messages": MESSAGES},
    "requests": {"lines": 1, "requests": REQUESTS, "messages": MESSAGES},
}
SHARE = {"messages": 1, "requests": 7}
# The second one has a limit: most crashes let it arrive in time, the longer ones do not.
LIMITED = 1
LIMIT_MS = 2000
REQUEST_LIMIT_MS = 4000
# The handler of the first request waits so long, and that of the second raises.
HANDLER_S = 0.02
# A fast start, because every point is a whole run.
COSTS = PLACEHOLDERS._replace(boot_s=0.1, client_boot_s=0.05, assoc_s=0.2)
# Time from the last delivery to the last acknowledgement.
AFTERMATH_S = 0.1
# Time from the start to the last line: a bridge that hung is back by then, with Wi-Fi and connection.
LAST_LINE_S = 15.0
BROWN_OUT_S = 0.3
AWAY_S = 0.5
HANG_US = 3600e6
CLOCK_US = 2.5
SHOW_EVERY = 100
NEVER = 1 << 40

Event = namedtuple("Event", "number kind name connected client_on bridge_on")
Point = namedtuple("Point", "crash number seed traffic", defaults=("messages",))


class Exchange(VirtualRun):
    """One run of an exchange. Args: on_event(Exchange, Event): called before each numbered event; traffic: a key."""

    def __init__(self, seed, on_event, tracer=None, traffic="messages"):
        super().__init__(size=LINE_BYTES, seed=seed, costs=COSTS, tracer=tracer, **TRAFFIC[traffic])
        self.cut = False  # the transfer ends at this byte
        self._on_event = on_event
        self.world.numbering = self._number
        self.link.esp8266.faults = self
        self.job.pause = self._pause
        work = self.job.works[0]
        if traffic == "requests":
            work.plan = _request_plan
            work.at_once = MESSAGES
        else:
            work.plan = partial(_plan, work.plan)
        for ledger in self.ledgers:
            ledger.on_change = self._changed

    def no_more(self):
        """Stops the numbering of events."""
        self.world.numbering = self.link.bus.tap = None
        self.faults.end_shortage()

    async def _pause(self, end, last):
        """Waits before the last line and the last message."""
        if last:
            await asyncio.sleep(max(0, LAST_LINE_S - self.seconds))

    def _changed(self):
        self._ledger_changed()
        if all(ledger.delivered == 2 * (ledger.lines - 1) for ledger in self.ledgers):
            self.world.after(AFTERMATH_S, self.no_more)

    def _number(self, number, kind, name):
        link = self.link
        on = (link.client.loop is not None, link.bridge.loop is not None)
        self._on_event(self, Event(number, kind, name, bool(link.tcp.connections), *on))

    def run_short(self, crash, n):
        """Makes the n-th allocation of a board fail, as the module's docstring says. Returns the Shortage."""
        name = MEMORY[crash]
        return self.faults.run_short(getattr(self.link, name), name, n, 2 if n % 3 == 0 else 1)

    def strike(self, crash, event):
        """Crashes before the event. Does so only once in a run."""
        self.no_more()
        self._last_fault = self.world.now
        self.world.trace("fault", f"{crash} before event {event.number}, {event.kind} of {event.name}")
        CRASHES[crash](self, event)

    # As faults of the bus (chips.SoftI2C): every byte passes the tap.

    def before_transfer(self, bus, read, size):
        bus.tap = self._tap if self.world.numbering is not None else None

    def after_transfer(self, bus):
        bus.tap = None

    def _tap(self, address, read, index, value):
        loop = self.link.bridge.loop
        if self.world.numbering is not None:
            self.world.number(BYTE, "a read" if read else "a write")
        if self.cut or self.link.bridge.loop is not loop:
            self.cut = False
            return CUT
        return value


def _plan(plan, end, number):
    """The Plan of a message of the exchange. plan: ChannelWork's."""
    limited = number == LIMITED
    return plan(end, number)._replace(ttl_ms=LIMIT_MS if limited else None, waits=limited)


def _request_plan(end, number):
    """The Plan of a request of the exchange."""
    limited = number == LIMITED
    way, timeout_ms = (RAISES, REQUEST_LIMIT_MS) if limited else (BYTES, LONG_MS)
    return RequestPlan(LINE_BYTES, timeout_ms, True, None, way, None if number else HANDLER_S)


# The kinds of crash.


def bridge_crash(run, event):
    """Stops the ESP8266, which boots at once."""
    run.link.esp8266.crash()


def bridge_hang(run, event):
    """Stops the bridge's program until the watchdog resets the chip."""
    run.world.block(run.link.bridge, HANG_US)


def bridge_exception(run, event):
    """Raises in the await of one of the bridge's tasks, another one at each event."""
    run.link.bridge.raise_in_a_task(random.Random(event.number), MemoryError("a fault"))


def brown_out(run, event):
    """Takes the bridge's power away in the middle of a byte on the bus, which leaves sda as it is, and restores it."""
    esp8266, world = run.link.esp8266, run.world
    if event.kind == BYTE:
        world.after((event.number % BYTE_CLOCKS + 0.5) * CLOCK_US / 1e6, esp8266.power_off)
    else:
        esp8266.power_off()
    world.after(BROWN_OUT_S, esp8266.power_on)


def client_power(run, event):
    run.link.kill_client()
    run.world.after(AWAY_S, run.faults.back, run.link.client, run.link.start_client)


def i2c_cut(run, event):
    """Ends the transfer at this byte."""
    run.cut = True


def tcp_reset(run, event):
    run.world.after(0, run.link.tcp.reset_all)


def half_open_bridge(run, event):
    """Leaves the bridge's end open: the server has lost the connection."""
    run.world.after(0, run.link.tcp.reset_all, ("bridge",))


def half_open_server(run, event):
    """Leaves the server's end open: the bridge has lost the connection."""
    run.world.after(0, run.link.tcp.reset_all, ("server",))


def server_restart(run, event):
    """Closes the server's listener and its connections, and listens again."""
    run.world.after(0, run.job.restart_listener)


def server_kill(run, event):
    """Kills the server's process and starts another one with the same store."""
    run.link.kill_server()
    run.world.after(AWAY_S, run.link.start_server)


CRASHES = {
    "bridge-crash": bridge_crash,
    "bridge-hang": bridge_hang,
    "bridge-exception": bridge_exception,
    "brown-out": brown_out,
    "client-power": client_power,
    "i2c-cut": i2c_cut,
    "tcp-reset": tcp_reset,
    "half-open-bridge": half_open_bridge,
    "half-open-server": half_open_server,
    "server-restart": server_restart,
    "server-kill": server_kill,
}
MEMORY = {"client-memory": "client", "bridge-memory": "bridge"}
ALL = (*CRASHES, *MEMORY)


def has_sense(crash, event):
    """Returns False if there is nothing to crash: no transfer to cut, no connection to reset."""
    if crash == "i2c-cut":
        return event.kind == BYTE
    if crash == "bridge-hang":  # its program runs
        return event.kind == BYTE or (event.kind == STEP and event.name == "bridge")
    if crash == "bridge-exception":
        return event.kind != BYTE and event.bridge_on
    if crash == "client-power":
        return event.client_on
    if crash in ("tcp-reset", "half-open-bridge", "half-open-server"):
        return event.connected
    return True


def events_of(seed, traffic="messages"):
    """Plays the exchange without a crash. Returns its events."""
    events = []
    one = Exchange(seed, lambda run, event: events.append(event), traffic=traffic)
    one.run()
    if not one.good:
        raise RuntimeError(f"the exchange fails without any crash: {one.failure}")
    return events


def allocations_of(seed, crash, traffic="messages"):
    """Plays the exchange without a crash. Returns the functions of this board that allocate in it, in order."""
    one = Exchange(seed, lambda run, event: None, traffic=traffic)
    shortage = one.run_short(crash, NEVER)
    places = shortage.places = []
    one.run()
    return places


def points_of(seed, crashes=ALL, every=1, traffic="messages"):
    """Returns (events, points) of one exchange: all points, or every `every`-th of each kind of crash."""
    events = events_of(seed, traffic)
    points = []
    for crash in crashes:
        if crash in MEMORY:
            numbers = range(1, len(allocations_of(seed, crash, traffic)) + 1)
        else:
            numbers = [event.number for event in events if has_sense(crash, event)]
        points += [Point(crash, number, seed, traffic) for number in numbers[::every]]
    return events, points


def play(point, tracer=None):
    """Returns (point, None or what is wrong)."""
    struck = []

    def on_event(run, event):
        if event.number == point.number and point.crash in CRASHES:
            struck.append(event)
            run.strike(point.crash, event)

    one = Exchange(point.seed, on_event, tracer, point.traffic)
    if point.crash in MEMORY:
        one.run_short(point.crash, point.number)
    try:
        one.run()
    except Exception as error:  # from the simulator, or passed on by a program: a violation in any case
        return point, f"{type(error).__name__}: {error}"
    if not struck and not sum(one.faults.allocations_failed.values()):
        return point, "the event did not come"
    return point, None if one.good else one.failure or f"the promise was broken: {one.result}"


def try_all(points, processes=None, show=None):
    """Returns the violations, as `play` does."""
    violations = []
    with multiprocessing.Pool(processes) as pool:
        for done, outcome in enumerate(pool.imap_unordered(play, points, chunksize=8), 1):
            if outcome[1]:
                violations.append(outcome)
            if show is not None:
                show(done, len(points), violations)
    return sorted(violations)


def replay(point):
    crash = f"--crash {point.crash} --at {point.number}"
    return f"{COMMAND} exhaustive --seed {point.seed} --traffic {point.traffic} {crash}"


def run(options):
    """`sim exhaustive`. Returns the exit status."""
    crashes = list(ALL) if options.crash == "all" else options.crash.split(",")
    unknown = [name for name in crashes if name not in ALL]
    if unknown:
        raise ValueError(f"unknown crash {unknown[0]!r}; there are {', '.join(ALL)}")
    if options.at:
        return _show_one(Point(crashes[0], options.at, options.seed, options.traffic or "messages"))
    events, points = [], []
    for traffic in (options.traffic,) if options.traffic else TRAFFIC:
        every = options.every * (1 if options.traffic else SHARE[traffic])
        for found, more in zip((events, points), points_of(options.seed, crashes, every, traffic)):
            found.extend(more)

    def show(done, total, violations):
        if not options.quiet and (done % SHOW_EVERY == 0 or done == total):
            print(f"\r{done}/{total} points, {len(violations)} violations ", end="", file=sys.stderr, flush=True)

    violations = try_all(points, show=show)
    if not options.quiet:
        print(file=sys.stderr)
    for point, why in violations:
        print(f"{point.crash} at {point.number} of {point.traffic}: {why}\n  {replay(point)}", file=sys.stderr)
    result = {
        "events": Counter(event.kind for event in events),
        "points": len(points),
        "traffic": Counter(point.traffic for point in points),
        "crashes": Counter(point.crash for point in points),
        "violations": len(violations),
    }
    if not options.json:
        print(f"{len(events)} events, {len(points)} points tried, {len(violations)} violations")
    print(json.dumps(result), flush=True)
    return 1 if violations else 0


def _show_one(point):
    print(trace.heading(), file=sys.stderr)
    _, why = play(point, trace.printer(sys.stderr))
    print(why or "the promise was kept")
    return 1 if why else 0
