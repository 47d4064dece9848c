"""`sim run --bed virtual`: N lines each way on the virtual link, under faults, judged by sim/checker.py."""

import gc
import json
import random
import sys
import time

from server import MemoryStore
from sim import checker, faults, trace, vcd
from sim.apps.counted_lines import shortest
from sim.table import print_table
from sim.virtual.apps import PACE, Job
from sim.virtual.channel_ledger import ChannelLedger
from sim.virtual.channel_work import ChannelWork
from sim.virtual.costs import MODELS, PLACEHOLDERS
from sim.virtual.disk import Disk
from sim.virtual.faults import FAULTS, RECOVERY_S, Faults
from sim.virtual.ledger import Ledger
from sim.virtual.link import TICKS_BITS, VirtualLink
from sim.virtual.request_ledger import CLIENT, SERVER, RequestLedger
from sim.virtual.request_work import RequestWork
from sim.virtual.world import Deadlock

TICK_S = 0.02
# The longest time between a fault's turn and the fault.
SPREAD_S = 0.1
# After the last line: time for a surplus line to arrive.
SETTLE_S = 3.0
# The longest virtual time for a line and for a byte: the link is disturbed all the time.
LINE_S, BYTE_S = 0.1, 0.001


class VirtualRun:
    """One run. channels: numbers of those that carry messages beside the lines, as many each way as `messages` or
    `lines` says. requests: none, or the numbers of the channels on which client and server ask, as often. Everything in
    it follows from its arguments. Afterwards `result` is the dict that is printed, `good` says whether the promise was
    kept, `failure` why the run did not come to its end."""

    def __init__(
        self, *, lines, size=50, seed=1, counts=None, rates=None, costs=PLACEHOLDERS, timeout_s=None, verbose=False,
        pace=PACE, tracer=None, clock_hz=None,
        ticks_bits=TICKS_BITS, durable=True, channels=(), messages=None, requests=(),
    ):  # fmt: skip
        if size < shortest(lines):
            raise ValueError(f"--line-bytes must be at least {shortest(lines)} for {lines} lines")
        if len(requests) not in (0, 2) or len({*channels, *requests}) < len(channels) + len(requests):
            raise ValueError("--requests takes two channels, for each end to ask on, which are not in --channels")
        counts = counts or {}
        self.plan = faults.Plan(counts, rates or {}, seed)
        # Time limit: after each fault, and from the start, this is enough time for all lines and messages.
        line_s = (LINE_S + size * BYTE_S) * (1 + len(channels) + len(requests)) + max(pace.client_s, pace.server_s)
        self.bound_s = timeout_s or RECOVERY_S + line_s * lines
        if rates and not timeout_s:  # such faults never end
            self.bound_s *= 10
        self._rates = rates
        key = random.Random(f"{seed} key").randbytes(32).hex()
        self.link = VirtualLink(
            self._client, self._server, {}, seed=seed, costs=costs, clock_hz=clock_hz, ticks_bits=ticks_bits
        )
        self.world = self.link.world
        self.world.tracer = tracer
        self.ledger = Ledger(self.world, lines)
        self.job = Job(
            self.ledger, lines=lines, size=size, seed=seed, key=key, verbose=verbose or bool(tracer),
            pace=pace,
        )  # fmt: skip
        messages = lines if messages is None else messages
        self.job.works = [ChannelWork(self.job, one, ChannelLedger(self.world, messages)) for one in channels]
        self._requests = None  # their ledger
        if requests:
            self._requests = RequestLedger(self.world, messages, dict(zip((CLIENT, SERVER), requests)))
            self.job.works.append(RequestWork(self.job, requests, self._requests))
        self.ledgers = [self.ledger, *(work.ledger for work in self.job.works)]
        self._planned = sum(ledger.lines for ledger in self.ledgers)
        for ledger in self.ledgers:
            ledger.on_change = self._ledger_changed
        self.link.settings = self.job.settings
        self._disk = Disk(self.link.server, seed) if durable else None
        in_memory = MemoryStore()  # for all lives, as if it were stored elsewhere
        self.job.open_store = self._disk.open_store if durable else lambda: in_memory
        self.faults = Faults(self.link, self.job, seed)
        if requests:
            self._requests.memory_failed = lambda: self.faults.allocations_failed[CLIENT]
        for board in (self.link.client, self.link.bridge, self.link.server):
            board.on_line = self._printed
        self.link.server.on_callback_failed = self._callback_failed
        self.tail = []
        self.verbose = verbose
        self.failure = None
        self.result = None
        self.good = False
        self._first = None
        self._last_fault = self.world.now
        self._settling = False

    def _client(self, config):
        return self.job.client_main(config)

    def _server(self):
        return self.job.server_main()

    @property
    def seconds(self):
        return self.world.now - self.world.begin_s

    def run(self):
        """Returns `result`."""
        gc_was_on = gc.isenabled()
        gc.disable()  # finalizers must run where the program is, not where memory happens to be short
        try:
            with self.link.boundary():
                self._play()
                self._conclude()
        finally:
            self.faults.end_shortage()
            if self._disk is not None:
                self._disk.remove()
            if gc_was_on:
                gc.enable()
        return self.result

    def _play(self):
        self.link.power_on()
        self.world.after(self.bound_s, self._watch)
        if self._rates:
            self.world.after(TICK_S, self._tick)
        try:
            self.world.run()
        except Deadlock as deadlock:
            self.failure = str(deadlock)
        self.failure = self.failure or self.link.failure
        if self.link.tcp.overfull:
            self.failure = self.failure or "the bridge wrote more than lwIP has a queue for, and the chip stood still"

    def _callback_failed(self, text):
        self.failure = self.failure or f"the server: {text}"
        self.world.stop()

    def _ledger_changed(self):
        if self._first is None and self._delivered():
            self._first = self.world.now
        self._inject_due()
        # Faults may be left when lines were lost with a client's power: then no more lines come.
        if not self._settling and self._complete():
            self._settling = True
            self.world.after(SETTLE_S, self.world.stop)

    def _delivered(self):
        return sum(ledger.delivered for ledger in self.ledgers)

    def _complete(self):
        return all(ledger.complete() for ledger in self.ledgers)

    def _tick(self):
        if not self._settling:
            self._inject_due()
            self.world.after(TICK_S, self._tick)

    def _inject_due(self):
        progress = min(1.0, self._delivered() / (2 * self._planned))
        seconds = None if self._first is None else self.world.now - self._first
        for name in self.plan.due(progress, seconds):
            # At any moment of the traffic, not from within the program that has just read a line.
            self.world.after(self.faults.random.uniform(0, SPREAD_S), self._inject, name)

    def _watch(self):
        due = self._last_fault + self.bound_s
        if self._rates:
            due = self.world.begin_s + self.bound_s
        if self.world.now < due:
            self.world.at(due, self._watch)
        elif not self._settling:
            # Possibly nothing was left to deliver when a client lost power: then nothing has been read since.
            if not self._complete():
                self.failure = f"not everything was delivered {self.bound_s:.0f} s after the last fault"
            self.world.stop()

    def _inject(self, name):
        self._last_fault = self.world.now
        self.faults.inject(name)

    def _printed(self, board, line):
        self.tail = self.tail[-39:] + [f"{self.seconds:12.6f} {board.name:>6} | {line}"]
        self.world.trace(board.name, line)
        if self.verbose:
            print(self.tail[-1], file=sys.stderr)

    def _conclude(self):
        verdicts = [ledger.verdict() for ledger in self.ledgers]  # order and exactly once hold per channel
        there, back = (
            {name: sum(verdict[way][name] for verdict in verdicts) for name in checker.FIELDS} for way in (0, 1)
        )
        channels = [(work.ledger, verdict) for work, verdict in zip(self.job.works, verdicts[1:])]
        untrue = sum(way["untrue"] for _, verdict in channels for way in verdict)
        esp8266, bus = self.link.esp8266, self.link.bus
        conn = self.job.conn
        self.result = {
            "client_to_server": there,
            "server_to_client": back,
            "seconds": round(self.seconds, 3),
            "i2c_bytes": bus.bytes,
            "i2c_transactions": bus.transactions,
            "resets": esp8266.resets,
            "outages": max(0, (conn.nconns if conn else 0) - 1),
            "fallbacks": {"client": self.job.fallbacks, "bridge": esp8266.fallbacks},
            "seen_by_two_lives": sum(ledger.seen_twice for ledger in self.ledgers),
            "expired": sum(ledger.expired for ledger, _ in channels),
            "untrue": untrue,
            "requests": self._requests.outcomes if self._requests else {},
            "faults": {name: count for name, count in self.faults.injected.items() if count},
        }
        whole = there["sent"] == back["sent"] == self._planned
        self.good = self.failure is None and whole and not untrue and checker.kept(there) and checker.kept(back)

    def explain(self, file=sys.stderr):
        """Prints why the run failed, with the last output of the programs."""
        print(f"FAILED: {self.failure or 'the promise was broken'}", file=file)
        for line in self.tail:
            print(line, file=file)


def _costs(options):
    costs = MODELS[options.costs]._replace(boot_s=options.boot_ms / 1000, assoc_s=options.assoc_ms / 1000)
    return costs if options.delay_ms is None else costs._replace(delay_s=options.delay_ms / 1000)


def run(options):
    """`sim run --bed virtual`. Returns the exit status."""
    counts, rates = faults.parse(options.faults, options.lines, tuple(FAULTS))
    one = VirtualRun(
        lines=options.lines,
        size=options.line_bytes,
        seed=options.seed,
        counts=counts,
        rates=rates,
        costs=_costs(options),
        clock_hz=options.clock,
        timeout_s=options.timeout,
        pace=options.pace,
        channels=options.channels,
        requests=options.requests,
        verbose=options.verbose,
        tracer=trace.printer(sys.stderr) if options.trace else None,
    )
    if options.trace:
        print(trace.heading(), file=sys.stderr)
    begin = time.perf_counter()
    if options.vcd:
        with open(options.vcd, "w", encoding="ascii") as file:
            dump = vcd.dump(one.link.bus, one.link.nets, lambda: one.world.now, file)
            result = one.run()
            dump.end()
    else:
        result = one.run()
    took_s = time.perf_counter() - begin
    result["real_seconds"] = round(took_s, 3)
    result["times_real_time"] = round(result["seconds"] / took_s, 1)
    if not one.good:
        one.explain()
    if not options.json:
        print_table(result)
        print(f"{result['times_real_time']:.0f} times faster than real time")
    print(json.dumps(result), flush=True)
    return 0 if one.good else 1
