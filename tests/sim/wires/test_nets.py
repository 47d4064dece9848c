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


def test_nets_that_are_joined_have_one_level():
    left, middle, right = (Net(name, pull_up=True) for name in ("left", "middle", "right"))
    told = []
    for net in (left, middle, right):
        net.listen(lambda net: told.append((net.name, left.level, middle.level, right.level)))
    left.join(middle)
    right.join(middle)
    left.drive("one", 0)
    assert sorted(told) == [("left", 0, 0, 0), ("middle", 0, 0, 0), ("right", 0, 0, 0)]
    right.drive("other", 0)
    left.drive("one", None)
    assert left.level == middle.level == right.level == 0
    middle.part(right)
    assert (left.level, middle.level, right.level) == (1, 1, 0)
    middle.part(left)
    left.stick(0)
    assert (left.level, middle.level) == (0, 1)


def test_joining_brings_a_low_level_and_a_short_circuit():
    bus, channel = Net("bus", pull_up=True), Net("channel", pull_up=True)
    channel.drive("device", 0)
    bus.join(channel)
    assert bus.level == 0
    channel.drive("device", None)
    assert bus.level == channel.level == 1
    channel.stick(0)
    assert bus.level == 0
    bus.part(channel)
    assert bus.level == 1


def test_contention_of_joined_nets_is_counted():
    left, right = Net("left"), Net("right")
    left.join(right)
    left.drive("one", 1)
    right.drive("other", 0)
    assert left.contentions + right.contentions == 1 and left.level == 0
