"""Nets: what several pins make of one wire."""

from sim.wires.nets import OPEN_DRAIN, OUT, BoardPin, Net


def test_nets_are_wired_and():
    net = Net("n", pull_up=True)
    levels = []
    net.listen(lambda n: levels.append(n.level))
    a, b = BoardPin("a", net), BoardPin("b", net)
    a.configure(OPEN_DRAIN, latch=0)
    b.configure(OPEN_DRAIN, latch=0)
    a.write(1)
    assert net.level == 0
    b.release()
    assert net.level == 1 and levels == [0, 1]
    a.configure(OUT, latch=1)
    b.configure(OUT, latch=0)
    assert net.level == 0 and net.contentions == 1
