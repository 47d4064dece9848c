"""Virtual time: it jumps, it is the same for everybody, and it shows who waits for ever."""

import asyncio
import contextlib
import gc
import sys
import warnings
from collections import namedtuple

import pytest

from primitives.supervisor import Supervisor
from sim.virtual.board import ASYNCIO, Board
from sim.virtual.memory import Shortage
from sim.virtual.world import BoardDied, Deadlock, World
from sim.wires.nets import Net


def start(world, main, name="board", pins=(), **costs):
    board = Board(world, name, {pin: Net(pin) for pin in pins}, seed=1, **costs)
    board.power_on(lambda board: ASYNCIO.run(main()))
    return board


def test_a_day_passes_at_once():
    world = World(1000.0)
    woke = []

    async def main():
        await asyncio.sleep(86400)
        woke.append(asyncio.get_running_loop().time())
        world.stop()

    start(world, main)
    world.run()
    assert woke == [pytest.approx(87400)]


def test_boards_take_turns_in_the_order_of_time():
    world = World()
    seen = []

    def ticking(name, interval_s):
        async def main():
            for _ in range(3):
                await asyncio.sleep(interval_s)
                seen.append(name)

        return main

    start(world, ticking("a", 2), "a")
    start(world, ticking("b", 3), "b")
    world.run_for(10)
    assert seen == ["a", "b", "a", "b", "a", "b"] or seen == ["a", "b", "a", "a", "b", "b"]


def test_who_waits_for_ever_is_named():
    world = World()

    async def main():
        await asyncio.Event().wait()

    start(world, main, "pyboard")
    with pytest.raises(Deadlock, match="pyboard: .*main"):
        world.run()


def test_others_go_on_while_a_board_is_in_a_call():
    world = World()
    seen = []

    async def busy():
        await asyncio.sleep(1)
        world.block(blocked, 2e6)
        seen.append(("busy", round(world.now, 3)))

    async def other():
        for _ in range(4):
            await asyncio.sleep(0.8)
            seen.append(("other", round(world.now, 3)))

    blocked = start(world, busy, "busy")
    start(world, other, "other")
    world.run_for(10)
    assert seen == [("other", 0.8), ("other", 1.6), ("other", 2.4), ("busy", 3.0), ("other", 3.2)]


def test_power_lost_in_a_call_ends_the_program_there():
    world = World()
    seen = []

    async def main():
        loop = board.loop
        passed_us = world.block(board, 5e6)
        seen.append(round(passed_us))
        if board.loop is not loop:
            raise BoardDied
        seen.append("never")

    board = start(world, main)
    world.after(2, board.kill)
    world.run_for(10)
    assert seen == [2000000]


def test_computing_delays_what_comes_next_on_that_board_only():
    world = World()
    seen = []

    async def slow():
        slow_board.charge(500000)
        await asyncio.sleep(0.1)
        seen.append(("slow", round(world.now, 3)))

    async def quick():
        await asyncio.sleep(0.2)
        seen.append(("quick", round(world.now, 3)))

    slow_board = Board(world, "slow", {}, seed=1)
    slow_board.power_on(lambda board: ASYNCIO.run(slow()))
    start(world, quick, "quick")
    world.run_for(2)
    assert seen == [("quick", 0.2), ("slow", 0.5)]


def test_hang_in_a_call_lasts():
    """Its slice ends with the call, and must not end the hang."""
    world = World()
    seen = []

    async def main():
        while True:
            world.block(board, 1e6)
            await asyncio.sleep(0)
            seen.append(world.now)

    board = start(world, main, switch_us=20)
    world.after(0.5, setattr, board, "busy_until", 100.0)
    world.run_for(50)
    assert seen == []


Pair = namedtuple("Pair", "one other")


@contextlib.contextmanager
def nothing_is_left_behind(monkeypatch):
    """A coroutine that was never awaited is noticed by a collection of garbage, anywhere. In a function of a
    namedtuple, which can import nothing, that is a KeyError of no use."""
    said = []
    gc.collect()  # what other tests have left
    monkeypatch.setattr(sys, "unraisablehook", lambda found: said.append(str(found.object)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
        threshold = gc.get_threshold()
        gc.set_threshold(1)
        try:
            pairs = [Pair(number, [number]) for number in range(100)]
        finally:
            gc.set_threshold(*threshold)
        gc.collect()
    assert pairs and said == [] and [str(one.message) for one in caught] == []


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_board_that_loses_power_before_its_tasks_have_begun_leaves_no_coroutine_behind(steps, monkeypatch):
    world = World()

    async def given(first, second):
        await first
        await second

    async def main():
        for _ in range(2):
            asyncio.create_task(given(asyncio.sleep(1), given(asyncio.sleep(1), asyncio.sleep(1))))
        await asyncio.sleep(100)

    def strike(number, kind, name):
        if number == steps:
            board.kill()

    world.numbering = strike
    with nothing_is_left_behind(monkeypatch):
        board = start(world, main)
        world.run_for(1)
        assert world.numbered == steps and board.loop is None


def test_coroutine_that_found_no_memory_for_its_task_ends_with_its_board(monkeypatch):
    world = World()
    failed = []

    async def main():
        shortage = Shortage(board, "client", 1)
        try:
            Supervisor().start(asyncio.sleep(1))
        except MemoryError as error:
            failed.append(str(error))
        shortage.end()
        await asyncio.sleep(100)

    with nothing_is_left_behind(monkeypatch):
        board = start(world, main)
        world.run_for(1)
        board.kill()
    assert failed == ["a fault"]
