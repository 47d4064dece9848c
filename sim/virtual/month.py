"""`sim month`: days of slow traffic with outages and crashes, in one run. It reports what has grown by the end.

A line every 10 s each way; an outage of Wi-Fi, server or connection every few hours; a bridge crash a day.
"""

import asyncio
import gc
import json
import sys
import time

from sim.virtual.apps import Pace
from sim.virtual.run import VirtualRun

DAY_S = 86400
INTERVAL_S = 10
PACE = Pace(client_s=INTERVAL_S, server_s=INTERVAL_S)
# Number per day.
FAULTS = {"wifi-outage": 3, "server-restart": 1, "tcp-half-open": 1, "tcp-stall": 1, "bridge-kill": 1}
COLLECT_S = 3600


class Month:
    """The run. Args: on_day(figures): called once a day with the figures of that day."""

    def __init__(self, days, seed=1, on_day=None):
        lines = days * DAY_S // INTERVAL_S
        counts = {name: count * days for name, count in FAULTS.items()}
        self.run = VirtualRun(lines=lines, seed=seed, pace=PACE, counts=counts)
        self.days = []  # the figures, a dict a day
        self._on_day = on_day
        world = self.run.world
        world.after(COLLECT_S, self._collect)
        world.after(DAY_S, self._count)

    def play(self):
        self.run.run()
        return self.run

    def _collect(self):
        gc.collect()  # it is switched off during a run
        self.run.world.after(COLLECT_S, self._collect)

    def _count(self):
        run = self.run
        run.world.after(DAY_S, self._count)
        gc.collect()
        link = run.link
        figures = {
            "day": len(self.days) + 1,
            "read": run.ledger.delivered,
            "resets": link.esp8266.resets,
            "objects": len(gc.get_objects()),
            "events": len(run.world._events),
            "connections": len(link.tcp.connections),
        }
        for board in (link.client, link.bridge, link.server):
            figures[f"{board.name}_tasks"] = len(asyncio.all_tasks(board.loop)) if board.loop else 0
        self.days.append(figures)
        if self._on_day is not None:
            self._on_day(figures)

    def grown(self):
        """Returns names of figures that were larger in each of the last days than in all of the first half."""
        half = len(self.days) // 2
        names = [name for name in self.days[0] if name not in ("day", "read", "resets")] if half else []
        first, last = self.days[:half], self.days[half:]
        return [name for name in names if min(day[name] for day in last) > max(day[name] for day in first)]


def run(options):
    """`sim month`. Returns the exit status."""
    begin = time.perf_counter()

    def show(figures):
        if not options.quiet:
            print(f"{time.perf_counter() - begin:6.0f} s  {figures}", file=sys.stderr, flush=True)

    month = Month(options.days, options.seed, show)
    one = month.play()
    if not one.good:
        one.explain()
    result = {
        "days": options.days,
        **one.result,
        "grown": month.grown(),
        "first_day": month.days[0] if month.days else None,
        "last_day": month.days[-1] if month.days else None,
        "real_seconds": round(time.perf_counter() - begin),
    }
    print(json.dumps(result), flush=True)
    return 0 if one.good and not result["grown"] else 1
