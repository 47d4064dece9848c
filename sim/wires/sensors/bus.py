"""A bus whose multiplexers join further wires to it: segments.

Each segment is a pair of nets with pull-ups. While its channel is enabled they are joined with those of the bus. So a
device that holds sda low on a channel holds it on the bus while that channel is enabled, and no longer.
"""

from sim.wires.nets import Net
from sim.wires.wire import Bus


class SensorBus(Bus):
    """A bus on which some ports are those of members, `within` reach at the time."""

    def __init__(self, scl, sda, chunk_bytes=None):
        super().__init__(scl, sda, chunk_bytes)
        self.within = {}  # address -> the members that the controller reaches
        self.main = Segment(self, scl, sda)
        self.main.reachable = True

    def find(self, address):
        members = self.within.get(address)
        return members[0].port if members else super().find(address)

    def by_bits(self, address):
        """As in Bus. Two that answer at once are told apart by the wires alone."""
        members = self.within.get(address)
        if members and (len(members) > 1 or self.ports and super().find(address)):
            return True
        return super().by_bits(address)


class Segment:
    """Two wires and the members on them. `reachable`: joined with the bus."""

    def __init__(self, bus, scl, sda):
        self.bus = bus
        self.scl = scl
        self.sda = sda
        self.reachable = False
        self.members = []  # those with power

    def enter(self, member):
        """A member gets power here."""
        self.members.append(member)
        if self.reachable:
            self._show(member)

    def leave(self, member):
        self.members.remove(member)
        if self.reachable:
            self._hide(member)

    def set_reachable(self, reachable):
        """A switch on the way to the bus was closed or opened."""
        if reachable != self.reachable:
            self.reachable = reachable
            for member in self.members:
                (self._show if reachable else self._hide)(member)

    def _show(self, member):
        self.bus.within.setdefault(member.address, []).append(member)
        self._behind(member, True)

    def _hide(self, member):
        member.forget_transfer()
        found = self.bus.within[member.address]
        found.remove(member)
        if not found:
            del self.bus.within[member.address]
        self._behind(member, False)

    def _behind(self, member, reachable):
        for channel in member.world.channels_of(member):
            channel.set_reachable(reachable and channel.enabled)


class Channel(Segment):
    """The wires behind one channel of a multiplexer."""

    def __init__(self, bus, name):
        super().__init__(bus, Net(f"{name}.scl", pull_up=True), Net(f"{name}.sda", pull_up=True))
        self.enabled = False
        self._joined = None  # the segment of the multiplexer

    def enable(self, enabled, parent):
        """The switch towards `parent`, the segment on which the multiplexer is."""
        if enabled == self.enabled:
            return
        self.enabled = enabled
        if enabled:
            self._joined = parent
            parent.scl.join(self.scl)
            parent.sda.join(self.sda)
            self.set_reachable(parent.reachable)
        else:
            self.set_reachable(False)
            self._joined.sda.part(self.sda)
            self._joined.scl.part(self.scl)
            self._joined = None
