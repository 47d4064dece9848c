"""Allocations that fail on a board: which of them count."""

from sim.virtual.memory import Shortage
from sim.virtual.run import VirtualRun


def test_program_that_has_no_link_yet_is_spared_a_lack_of_memory():
    """Of the simulator: seed 21 had an allocation fail in the check of the pins, before there was an application."""
    run = VirtualRun(lines=200)
    world, link = run.world, run.link
    failed = []
    world.after(4, link.kill_client)
    world.after(5, lambda: Shortage(link.client, "client", 1, on_failure=lambda frame: failed.append(frame.f_code)))
    world.after(6, link.start_client)
    run.run()
    assert run.good, run.failure
    assert len(failed) == 1
