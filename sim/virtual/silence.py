"""`sim silence`: no data, or one part away, for longer than `ticks_diff` can measure: 6.2 days on the chips.

Traffic, then the silence, then traffic again, one run for each of SILENCES and each number of days; all must keep
the promise.
"""

import json
import multiprocessing
import sys
import time
from collections import namedtuple

from sim.virtual.apps import Pace
from sim.virtual.link import TICKS_BITS
from sim.virtual.run import VirtualRun

DAY_S = 86400
DAYS = (7, 13)
LINES = 40
PACE = Pace(client_s=1, server_s=1)
BEGIN_S = 20.0
# Time after the silence: many times as long as the link needs to come back.
AFTER_S = 300.0

Case = namedtuple("Case", "what days")


def idle(link):
    """Lets all parts run, with nothing written: see `Silence`."""
    return (lambda: None), (lambda: None)


def wifi(link):
    return (lambda: link.esp8266.set_wifi(False)), (lambda: link.esp8266.set_wifi(True))


def server(link):
    return link.kill_server, link.start_server


def client(link):
    return link.kill_client, link.start_client


def bridge(link):
    return link.esp8266.power_off, link.esp8266.power_on


SILENCES = {"idle": idle, "wifi": wifi, "server": server, "client": client, "bridge": bridge}


class Silence(VirtualRun):
    """One run. Args: what: a name in SILENCES; seconds: how long; ticks_bits: `ticks_ms` wraps at 2 to this power."""

    def __init__(self, what, seconds, ticks_bits=TICKS_BITS):
        super().__init__(lines=LINES, pace=PACE, ticks_bits=ticks_bits, timeout_s=seconds + AFTER_S)
        goes, comes = SILENCES[what](self.link)
        self.world.after(BEGIN_S, goes)
        self.world.after(BEGIN_S + seconds, comes)
        if what == "idle":
            self.world.after(BEGIN_S, self._keep_silent, BEGIN_S + seconds)

    def _keep_silent(self, until_s):
        self.job.silent_until = self.world.begin_s + until_s


def play(case):
    """Returns (case, None or what is wrong, resets, outages, virtual seconds, real seconds)."""
    begin = time.perf_counter()
    one = Silence(case.what, case.days * DAY_S)
    one.run()
    result = one.result
    why = None if one.good else one.failure or f"the promise was broken: {result}"
    return case, why, result["resets"], result["outages"], one.seconds, time.perf_counter() - begin


def run(options):
    """`sim silence`. Returns the exit status."""
    cases = [Case(what, days) for days in options.days for what in SILENCES]
    violations, seconds = 0, 0.0
    with multiprocessing.Pool() as pool:
        for case, why, resets, outages, virtual_s, real_s in pool.imap_unordered(play, cases):
            violations += why is not None
            seconds += virtual_s
            if not options.quiet:
                said = why or f"kept, {resets} resets, {outages} outages, {virtual_s / real_s:.0f} times real time"
                print(f"{case.what:8}{case.days:3} days: {said}", file=sys.stderr, flush=True)
    print(json.dumps({"silences": len(cases), "violations": violations, "virtual_seconds": round(seconds)}), flush=True)
    return 1 if violations else 0
