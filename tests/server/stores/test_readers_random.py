"""Readers that are cancelled, lose answers, and take over from each other at random: each message is read once.

Each seed is another order of events on a clock that jumps (readers_world.py).
"""

import asyncio
from collections import Counter
from types import SimpleNamespace

import pytest

from protocol.errors import StoreError
from server.core.store import ReadingLost
from server.stores import postgres_reading_statements as statements
from server.stores import postgres_readings, reading
from server.stores.postgres_readings import Readings
from server.stores.postgres_sharing import LEASE_S, LOOK_S
from server.stores.reading import IDLE_S, SETTLE_S, Reading
from tests.link import virtual
from tests.server.stores.readers_world import OWNER, Chances, World

SEEDS = 100
EVENTS = (5, 40)  # of one seed, from .. to
PAUSES = ((0.3, 0.0), (0.3, 0.05), (0.3, 0.3), (0.05, 3.0), (0.05, 25.0))  # (how likely, s at most) between two
QUIET_S = 3.0
LONELY_S = LEASE_S + IDLE_S  # a reader with nothing to read gives the place to others in less


@pytest.fixture(autouse=True)
def virtual_time(monkeypatch):
    """Have the readers ask the clock that jumps."""
    clock = SimpleNamespace(monotonic=lambda: asyncio.get_running_loop().time())
    monkeypatch.setattr(postgres_readings, "time", clock)
    monkeypatch.setattr(reading, "time", clock)


def number_of(number, message):
    return number


async def take(world, process):
    """`readline`."""
    try:
        number = await process.reading.take(None, number_of)
    except StoreError as error:
        world.say("take failed", process.node, error)
    else:
        world.say("took", process.node, number)
        world.read.append(number)


async def transact(world, process):
    """`transaction`, whose block fails sometimes."""
    most, fails = world.random.randint(1, 4), world.happens(0.2)
    try:
        async with process.reading.transaction(most, lambda message: True, number_of) as (numbers, connection):
            world.say("transaction", process.node, numbers)
            connection.effects = numbers
            await world.pause(0.1)
            if fails:
                raise KeyError
    except (KeyError, StoreError, ReadingLost) as error:
        world.say("transaction failed", process.node, repr(error))


async def happen(world, users, lapses):
    """Random events. users: functions that read. Returns their tasks."""
    chance, processes, tasks = world.random, list(world.processes.values()), []
    for _ in range(chance.randint(*EVENTS)):
        event = chance.choices(("arrive", "read", "cancel", "lapse"), (35, 40, 20, 5))[0]
        process = chance.choice(processes)
        if event == "arrive":
            world.arrive()
        elif event == "read":
            tasks.append(asyncio.create_task(chance.choice(users)(world, process)))
        elif event == "cancel":
            waiting = [task for task in tasks if not task.done()]
            if waiting:
                world.say("cancel")
                chance.choice(waiting).cancel()
        elif lapses:
            process.lives = not process.lives
            world.say("lives" if process.lives else "is not seen", process.node)
        await world.pause(chance.choices([most for _, most in PAUSES], [likely for likely, _ in PAUSES])[0])
    return tasks


async def drain(world):
    """Those that keep messages in RAM read them, then one process alone whatever is left."""
    processes = list(world.processes.values())
    world.random.shuffle(processes)
    keepers = [process for process in processes if process.reading.keeps()]
    for process in [*keepers, processes[0]]:
        world.say("drain", process.node)
        while True:
            task = asyncio.create_task(take(world, process))
            done, _ = await asyncio.wait([task], timeout=LONELY_S)
            if not done:
                task.cancel()
                await asyncio.wait([task])
                break
        await asyncio.sleep(LONELY_S)


async def play(seed, users, processes, lapses):
    """Returns (the World, [what is wrong])."""
    world = World(seed, processes, Chances())
    tasks = await happen(world, users, lapses)
    world.chances.end()
    for process in world.processes.values():
        process.lives = True
    await asyncio.sleep(QUIET_S)
    for task in tasks:
        task.cancel()
    faults = [repr(error) for error in await asyncio.gather(*tasks, return_exceptions=True) if is_fault(error)]
    await drain(world)
    await asyncio.sleep(SETTLE_S)  # a process that has found now that nobody reads gives the place back, too
    times = Counter(world.read)
    for number in range(world.came):
        if times[number] > 1 or times[number] == 0 and number not in world.given_up:
            faults.append(f"{number} was read {times[number]} times")
    if world.inbox or world.node is not None:
        faults.append(f"left in the table: {sorted(world.inbox)}, read by {world.node}")
    world.end()
    return world, faults


def is_fault(outcome):
    return outcome is not None and not isinstance(outcome, asyncio.CancelledError)


def first_fault(seeds, *args):
    """Returns the faults of the first seed that has some, with what happened, or None."""
    for seed in seeds:
        world, faults = virtual.run(play(seed, *args))
        if faults:
            return "\n".join([f"seed {seed}", *map(str, world.log), *faults])
    return None


@pytest.mark.parametrize("users", [(take,), (transact,), (take, transact)], ids=["take", "transact", "both"])
@pytest.mark.parametrize(("processes", "lapses"), [(1, False), (2, False), (3, True)])
def test_each_message_is_read_once(users, processes, lapses):
    fault = first_fault(range(SEEDS), users, processes, lapses)
    assert fault is None, fault


def deletes_what_is_being_taken(self, number, processed=()):
    return number


def takes_an_unknown_outcome_for_done(self, fence, number, gone, done, moved=Reading.moved):
    moved(self, fence, number, gone, done is not False)


def does_nothing(self, *args):
    pass


def keeps_nothing(self):
    return False


@pytest.mark.parametrize(
    ("owner", "name", "fault"),
    [
        (Reading, "gone_before", deletes_what_is_being_taken),
        (Reading, "moved", takes_an_unknown_outcome_for_done),
        (Reading, "_undo", does_nothing),
        (Reading, "keeps", keeps_nothing),
        (Readings, "_settle", does_nothing),
        (Readings, "_forsaken", does_nothing),
    ],
)
def test_fault_of_ours_would_be_seen(monkeypatch, owner, name, fault):
    monkeypatch.setattr(owner, name, fault)
    assert first_fault(range(10 * SEEDS), (take, transact), 3, True) is not None


@pytest.mark.parametrize(("rival", "own"), [(False, True), (True, False)])
def test_claim_after_one_without_an_answer_is_the_own_ones_unless_another_was_between(rival, own):
    """The row has the node of the claim without an answer, and does not tell who was there before that one."""

    async def main():
        world = World(0, 2, Chances(0, 0, 0))
        process, other = world.processes.values()
        assert (await process.readings.claim(process.reading))[1] == 1
        if rival:
            process.lives = False
            await other.readings.claim(other.reading)
            process.lives, other.lives = True, False
        await world.perform(process.node, statements.CLAIM, ())
        found = await process.readings.claim(process.reading)
        world.end()
        return found[3]

    assert virtual.run(main()) == own


def test_process_that_does_not_ask_again_gives_back_what_it_may_have_claimed():
    """The answers to claims are lost for a while, and the application has stopped to read."""

    async def main():
        world = World(0, 1, Chances(0, 0, 0))
        process, true = world.processes[OWNER], world.perform
        back = asyncio.get_running_loop().time() + IDLE_S

        async def perform(node, statement, args):
            rows = await true(node, statement, args)
            if statement == statements.CLAIM and asyncio.get_running_loop().time() < back:
                raise StoreError("the answer is lost")
            return rows

        world.perform = perform
        with pytest.raises(StoreError):
            await process.reading.take(None, number_of)
        claimed_by = world.node
        await asyncio.sleep(IDLE_S + 4 * LOOK_S)
        world.end()
        return claimed_by, world.node

    assert virtual.run(main()) == (OWNER, None)
