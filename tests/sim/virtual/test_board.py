"""A board in virtual time: its lives, its queue of soft interrupts, its random numbers."""

import asyncio

from sim.virtual.board import ASYNCIO, Board
from sim.virtual.world import World
from sim.wires.nets import Net


def test_what_has_died_has_no_effect_in_its_finally():
    world = World()
    seen = []
    net = Net("wire")

    async def main():
        try:
            await asyncio.sleep(100)
        finally:
            seen.append(net.level)
            await asyncio.sleep(1)  # nobody waits for it

    board = Board(world, "board", {"X1": net}, seed=1)
    board.power_on(lambda board: ASYNCIO.run(main()))
    board.pins["X1"].configure("out", None, 1)
    assert net.level == 1
    net.pull("external", 0)
    world.after(1, board.kill)
    world.run_for(5)
    assert seen == [0] and not board._dead


def test_soft_callbacks_beyond_the_queue_are_lost():
    world = World()
    seen = []

    async def main():
        await asyncio.sleep(10)

    board = Board(world, "board", {"X1": Net("X1")}, seed=1, irq_us=100)
    board.power_on(lambda board: ASYNCIO.run(main()))
    for number in range(6):
        board.interrupt(seen.append, number, "X1")
    world.run_for(1)
    assert seen == [0, 1, 2, 3] and board.interrupts_lost == 2


def test_each_life_has_a_randomness_of_its_own_and_the_same_in_every_run():
    def lives():
        world = World()
        board = Board(world, "board", {}, seed=7)
        numbers = []
        for _ in range(2):
            board.power_on(lambda board: numbers.append(board.random.random()))
            board.kill()
        return numbers

    first = lives()
    assert first == lives() and first[0] != first[1]
