"""The multiplexers of a bus, and which of their channels are open. Pure: it says what is to be written.

A multiplexer (PCA9548A, TCA9548A) has eight channels; the byte that is written to it opens those whose bit is 1. The
slot of a channel is (its address - minAddr) * 8 + channel + 1. A multiplexer may stand behind another one's channel:
then its parent is opened first. At most one slot is open at a time, with the channels that lead to it.
"""

from protocol import const
from sensor_bus.address import CHANNELS, slot_of

MAX_DEPTH = const(5)  # multiplexers behind one another


class Multiplexers:
    """Args: first: the lowest address of a multiplexer (minAddr)."""

    def __init__(self, first):
        self._first = first
        self._parents = {}  # address -> slot that it stands in
        self._written = {}  # address -> byte that it has, None: not known

    def __contains__(self, address):
        return address in self._parents

    def exists(self, slot):
        """Returns whether this is the main bus, or a slot of a multiplexer that is there."""
        return not slot or self.owner(slot) in self._parents

    def parent(self, address):
        """Returns the slot in which this multiplexer stands."""
        return self._parents[address]

    def add(self, address, slot):
        """A multiplexer is there. Returns False if it would be behind too many others."""
        if self.depth(slot) >= MAX_DEPTH:
            return False
        self._parents[address] = slot
        self._written[address] = None
        return True

    def remove(self, address):
        """A multiplexer is gone, and with it those behind it. Returns the addresses of all that are gone."""
        gone = [address]
        for other in gone:
            for one, slot in self._parents.items():
                if slot and self.owner(slot) == other and one not in gone:
                    gone.append(one)
        for one in gone:
            del self._parents[one]
            del self._written[one]
        return gone

    def outer(self, slot):
        """Returns the slot in which the multiplexer of a slot stands."""
        return self._parents.get(self.owner(slot), 0)

    def is_behind(self, slot, outer):
        """Returns whether a multiplexer in `outer` leads to this slot."""
        while slot:
            slot = self.outer(slot)
            if slot == outer:
                return True
        return False

    def owner(self, slot):
        """Returns the address of the multiplexer that has this slot."""
        return self._first + (slot - 1) // CHANNELS

    def depth(self, slot):
        """Returns how many multiplexers lead to a slot."""
        found = 0
        while slot:
            found += 1
            slot = self.outer(slot)
        return found

    def slots(self):
        """Returns bytes: 0, and all slots that there are."""
        found = [0]
        for address in sorted(self._parents):
            found += [slot_of(address - self._first, channel) for channel in range(CHANNELS)]
        return bytes(found)

    def forget(self):
        """Nothing is known of what is open: after an error."""
        self._all_have(None)

    def closed(self):
        """All are closed: their reset line was used."""
        self._all_have(0)

    def _all_have(self, byte):
        for address in self._written:
            self._written[address] = byte

    def forget_path(self, slot):
        """What leads to a slot may have forgotten what was written to it."""
        while slot:
            self.wrote(self.owner(slot), None)
            slot = self.outer(slot)

    def step(self, slot):
        """Returns (address, byte) to be written next so that only `slot` is open (0: none), or None: it is so.

        Call `wrote` after each. Those that lead to a multiplexer stay open until it is closed.
        """
        wanted = {}
        at = slot
        while at:
            wanted[self.owner(at)] = 1 << (at - 1) % CHANNELS
            at = self.outer(at)
        # Close the innermost first: what stands in front of it leads to it.
        for address in sorted(self._written, key=lambda one: -self.depth(self._parents[one])):
            if address not in wanted and self._written[address] != 0 and self._reachable(address):
                return address, 0
        for address in sorted(wanted, key=lambda one: self.depth(self._parents.get(one, 0))):
            if self._written.get(address) != wanted[address]:
                return address, wanted[address]
        return None

    def _reachable(self, address):
        """True if all channels in front of a multiplexer are open, or it stands on the main bus."""
        slot = self._parents[address]
        return not slot or self._written.get(self.owner(slot)) == 1 << (slot - 1) % CHANNELS

    def wrote(self, address, byte):
        """A byte was written to a multiplexer. byte: None: what it has is not known."""
        if address in self._written:
            self._written[address] = byte

    def failed(self, address):
        """A multiplexer has not acknowledged a write: it may have taken it, or those in front of it have lost theirs.

        So one behind another is closed off by that one, if it is not needed."""
        self.wrote(address, None)
        self.forget_path(self._parents.get(address, 0))

    def on_main_bus(self):
        """Returns the addresses (list) of those on the main bus."""
        return [address for address, slot in self._parents.items() if not slot]
