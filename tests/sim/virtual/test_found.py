"""What the simulator found, each once: docs/measurements.md has the list."""

from sim.virtual.costs import ZERO
from sim.virtual.run import VirtualRun


def test_client_sleeps_while_the_mailbox_is_full():
    """An acknowledgement was due, and had no place: the client's loop ran without a pause until the bridge came."""
    run = VirtualRun(lines=20, size=3000, costs=ZERO)
    run.run()
    assert run.good
    assert run.world.slices < 3000 * run.seconds
