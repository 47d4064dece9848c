"""Bare commits beside a load, and a look at the machine, so that all is measured in the same seconds.

Usage: python3 bench_beside.py STORE CORES. STORE: an address postgresql://.., or anything else: a file in the current
directory, synced; CORES: numbers with commas.

It prints "ready" when it begins. It ends with its standard input, and prints a JSON object: `looks`: [[time, seconds
that a fixed loop took, time at which the pause behind it began], ..], one each PAUSE_S; `commits`: [[time, seconds],
..], one for each COMMIT_LOOKS of them; `ahead`: see below. Times are those of time.perf_counter(), which all processes
share.

The process runs ahead of all others on its core, where that is allowed (`ahead`). So a loop that takes long shows the
machine and not the load: a virtual machine may have little of its processor for a tenth of a second, and each load then
waits.
"""

import asyncio
import bisect
import contextlib
import json
import os
import sys
import time

PAUSE_S = 0.01
COMMIT_LOOKS = 5
SLOW = 3  # times what the loop takes mostly: the machine is slow
GAP_S = 0.1  # that a pause takes: it stood still
MOST_S = 0.1  # what begins when the machine is steady counts if it stays so for this long, however long it takes
STEADY_S = 1.0  # after it was slow: a server that is 80 % busy needs five times the pause to catch up
_LOOP = range(2000)  # some 30 us


def percentiles(took_s):
    """Median and 99th percentile, ms."""
    ordered = sorted(took_s)
    return ordered[len(ordered) // 2] * 1000, ordered[int(len(ordered) * 0.99)] * 1000


class Machine:
    """What the looks say: `slow`: the share of those that were slow; `ahead`. Args: found: what this program prints."""

    def __init__(self, found):
        looks, self.ahead = found["looks"], found["ahead"]
        usual = sorted(took_s for _, took_s, _ in looks)[len(looks) // 2]
        self._slow = []  # times, ascending
        paused, count = looks[0][0], 0
        for at, took_s, pause in looks:
            if at - paused > GAP_S:
                self._slow.append(paused)
            if took_s > SLOW * usual or at - paused > GAP_S:
                self._slow.append(at)
                count += 1
            paused = pause
        self.slow = count / len(looks)

    def steady(self, timed):
        """Returns of [(time, seconds)] the seconds of what began when the machine had not been slow for STEADY_S, and
        ended before it was slow again, or took more than MOST_S before that."""
        return [took_s for at, took_s in timed if not self._was_slow(at - STEADY_S, at + min(took_s, MOST_S))]

    def _was_slow(self, begin, end):
        at = bisect.bisect_left(self._slow, begin)
        return at < len(self._slow) and self._slow[at] <= end


@contextlib.asynccontextmanager
async def commits(store):
    """Yields a coroutine function that makes a commit."""
    if store.startswith("postgresql:"):
        import asyncpg

        connection = await asyncpg.connect(store)
        try:
            yield lambda: connection.execute("SELECT pg_logical_emit_message(true, 'bench', '')")
        finally:
            await connection.close()
        return
    with open("sync", "wb", buffering=0) as file:

        async def synced():
            file.write(bytes(8192))
            os.fsync(file.fileno())

        yield synced


def timed_loop():
    begin = time.perf_counter()
    for _ in _LOOP:
        pass
    return begin, time.perf_counter() - begin


async def main(store, ahead):
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    looks, committed = [], []
    async with commits(store) as commit:
        print("ready", flush=True)
        while not committed or not ended.done():
            look = timed_loop()
            if len(looks) % COMMIT_LOOKS == 0:
                begin = time.perf_counter()
                await commit()
                committed.append((begin, time.perf_counter() - begin))
            looks.append((*look, time.perf_counter()))
            await asyncio.sleep(PAUSE_S)
    print(json.dumps({"looks": looks, "commits": committed, "ahead": ahead}))


if __name__ == "__main__":
    os.sched_setaffinity(0, map(int, sys.argv[2].split(",")))
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    asyncio.run(main(sys.argv[1], os.sched_getscheduler(0) == os.SCHED_FIFO))
