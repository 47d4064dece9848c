"""Rival readers that are stopped, go on, and begin anew, while the client goes from server to server: each effect once.

Each seed is another order of events. What the readers do is committed with what they have read; every line must be in
the table once, and in order.
"""

import asyncio
import random

import pytest

from server.core.store import ReadingLost
from tests.server.reading_bed import run
from tests.server.stores.test_postgres_transactions import EffectBed, work

SERVERS = 2
READERS = 3
EVENTS = 40


async def read(bed, process):
    """Read until cancelled."""
    while True:
        try:
            await work(bed, process.conn(), most=3)
        except ReadingLost:
            pass


async def play(seed):
    chance = random.Random(seed)
    async with EffectBed() as bed:
        servers = [bed.owner] + [bed.process() for _ in range(SERVERS - 1)]
        readers = [bed.process() for _ in range(READERS)]
        tasks = [asyncio.create_task(read(bed, process)) for process in readers]
        said = 0
        for _ in range(EVENTS):
            event = chance.choice(("say", "say", "move", "stop", "go on", "pause", "anew"))
            at = chance.randrange(READERS)
            if event == "say":
                count = chance.randint(1, 5)
                await bed.say(*(f"line {said + number}" for number in range(count)))
                said += count
            elif event == "move":
                await bed.own(chance.choice(servers))
            elif event == "stop":
                await bed.stop(readers[at])
            elif event == "go on":
                await bed.go_on(readers[at])
            elif event == "pause":
                await asyncio.sleep(chance.random() / 5)
            else:
                tasks[at].cancel()
                await asyncio.wait([tasks[at]])
                tasks[at] = asyncio.create_task(read(bed, readers[at]))
        for process in readers:
            await bed.go_on(process)
        wanted = [f"line {number}" for number in range(said)]
        while len(await bed.effects()) < said:
            ended = [task.result() for task in tasks if task.done()]  # which none of them does by itself
            assert not ended
            await asyncio.sleep(0.1)
        assert await bed.effects() == wanted
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@pytest.mark.parametrize("seed", range(4))
def test_each_effect_is_done_once_and_in_order(seed):
    run(play(seed))
