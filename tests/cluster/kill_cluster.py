"""Faults of all kinds in a cluster under traffic both ways: what got lost, came twice or out of order. See bed.py.

Usage: python3 -m tests.cluster.kill_cluster [--seeds 1:21] [--faults 50] [--clients 100] [--nodes 3] [--results FILE]

Each seed is a cluster of its own, with so many faults and a quiet end. With --results a seed that is in the file is not
run again, so a run that was ended goes on. Servers write to clients of others: messages of two processes have no order.
--without NAME takes a condition away from the statement of a batch, to see that this test would find it; --only NAME,..
has only these faults.
"""

import argparse
import asyncio
import collections
import functools
import json
import logging
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.cluster.bed import Bed
from tests.cluster.conditions import CONDITIONS
from tests.cluster.faults import Torment
from tests.cluster.network import Network
from tests.cluster.pair import Disk
from tests.cluster.promise import FAULTS, arrived, complete, verdict
from tests.server import postgres

SETTLE_S = 1.0  # for a message too many to arrive
QUIET_S = 120  # in which something has to arrive, when nothing fails any longer and not all has arrived
LINE_S = 0.02  # for each client: mean pause of one between bursts of messages, and of its node between two to it


async def torment(
    folder, seed, faults, clients, nodes=3, pause_s=0.6, without=None, only=None, disks=False, wires=False, show=None
):  # fmt: skip
    """Returns a dict of what was seen and done, and of violations (FAULTS), after so many faults and a quiet end.

    faults: None: each once. without: of CONDITIONS; only: see Torment; disks: see Pair; wires: see Bed."""
    rng, begin = random.Random(seed), time.monotonic()
    bed = Bed(folder, nodes, clients, LINE_S * clients, rng, CONDITIONS[without] if without else None, disks, wires)
    async with bed:
        await bed.up()
        injected = Torment(bed, rng, only, once=faults is None)
        await injected.run(faults or injected.kinds, pause_s, show)
        bed.stop_writing()
        late = not await _settled(bed)
        for device in bed.devices:
            device.finish()
        counts, wrong = verdict(bed.log, bed.devices, one_order=False)
        if late:
            wrong += [(one, await bed.rows_of(one)) for one in sorted({found[0] for found in wrong})[:3]]
    log = bed.log
    return {
        "seed": seed, "faults": injected.injected, "by_kind": injected.counts, "failovers": bed.failovers,
        "seconds": round(time.monotonic() - begin), **counts, "takeovers": log.takeovers, "fenced": log.fenced,
        "hints": sum(one.seen for one in bed.hints), "read_again": log.again, "failed_writes": log.failed,
        "events": dict(log.events), "failures": dict(log.failures.most_common(5)), "late": late, "wrong": wrong[:10],
    }  # fmt: skip


async def _settled(bed):
    """Returns True when everything that must arrive has arrived, and False if that does not happen."""
    moved, before = time.monotonic(), None
    while time.monotonic() < moved + QUIET_S:
        if complete(bed.log, bed.devices):
            await asyncio.sleep(SETTLE_S)
            if complete(bed.log, bed.devices):
                return True
        now = arrived(bed.log, bed.devices)
        if now != before:
            moved, before = time.monotonic(), now
        await asyncio.sleep(0.2)
    return False


def violations(result):
    """Returns the number of messages for which the promise was not kept."""
    return sum(result[name] for name in FAULTS)


def run(seed, faults, clients, **more):
    """Returns the result of `torment` in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(torment(folder, seed, faults, clients, **more))


def summary(results):
    """Returns lines of text: all results together."""
    total, kinds, events, hows = (collections.Counter() for _ in range(4))
    for one in results:
        total.update({name: value for name, value in one.items() if isinstance(value, int) and name != "seed"})
        kinds.update(one["by_kind"])
        events.update(one["events"])
        hows.update(one["failovers"])
    yield f"{total['faults']} faults in {len(results)} runs of {total['seconds']} s:"
    yield "  " + ", ".join(f"{name} {count}" for name, count in sorted(kinds.items()))
    yield "  former primary at a failover: " + ", ".join(f"{name} {count}" for name, count in sorted(hows.items()))
    if total["hints"]:
        yield f"{total['hints']} notifications"
    yield (
        f"{total['messages']} messages, {total['lives']} lives, {total['takeovers']} takeovers, {total['fenced']} "
        f"clients found fenced, {total['read_again']} messages read again, {total['failed_writes']} writes failed"
    )
    yield "events: " + ", ".join(f"{name} {count}" for name, count in sorted(events.items()))
    yield "violations: " + ", ".join(f"{name} {total[name]}" for name in FAULTS)


def _show(seed, count):
    print(f"\rseed {seed}: {count} faults ", end="", file=sys.stderr, flush=True)


def _known(path):
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def _heed_signals():
    """Have an interrupt and SIGTERM end the processes of the cluster too, also in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def main():
    _heed_signals()
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of each write to a connection that has ended
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="1:21", help="FIRST:BEHIND")
    parser.add_argument("--faults", type=int, default=50)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--pause", type=float, default=0.6, help="mean seconds between two faults")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--without", choices=sorted(CONDITIONS))
    parser.add_argument("--only", type=lambda text: text.split(","))
    options = parser.parse_args()
    postgres.needed()
    first, behind = map(int, options.seeds.split(":"))
    results = _known(options.results)
    why_not = Network.why_not()
    if why_not:
        print(f"without wires of the nodes: {why_not}")
    done = {one["seed"] for one in results}
    for seed in range(first, behind):
        if seed in done:
            continue
        result = run(
            seed, options.faults, options.clients, nodes=options.nodes, pause_s=options.pause, without=options.without,
            only=options.only, disks=Disk.possible(),
            wires=not why_not, show=functools.partial(_show, seed),
        )  # fmt: skip
        print(file=sys.stderr)
        results.append(result)
        if options.results is not None:
            with open(options.results, "a") as file:
                file.write(json.dumps(result) + "\n")
        if violations(result) or result["late"]:
            print(json.dumps(result), flush=True)
    print("\n".join(summary(results)))
    return 1 if any(violations(one) or one["late"] for one in results) else 0


if __name__ == "__main__":
    sys.exit(main())
