"""Nets: wires with drivers and pulls, in the wired-AND logic of open-drain buses.

Pure: no clock, no I/O. A net is low if anyone drives it low, high if anyone drives it high, else what its pulls say,
else what it was (a floating wire keeps its charge for a while; nothing else is modelled of it).
"""


class Net:
    """One wire. Drivers and pulls are kept by owner, so that a board that loses power removes only its own."""

    def __init__(self, name, pull_up=False):
        self.name = name
        self.level = 1 if pull_up else 0
        self.contentions = 0  # times that it was driven high and low at the same time
        self._stuck = None
        self._drives = {}
        self._pulls = {"external": 1} if pull_up else {}
        self._listeners = []
        self._joined = []  # nets that a closed switch connects with this one
        self._group = None  # all nets that are connected with it, itself among them; None: it is alone

    def __repr__(self):
        return f"Net({self.name}={self.level})"

    def listen(self, on_change):
        """Has `on_change(net)` called after each change of level."""
        self._listeners.append(on_change)

    def unlisten(self, on_change):
        """Stops the calls of `on_change`."""
        self._listeners.remove(on_change)

    def drive(self, owner, level):
        """Sets what `owner` drives: 0, 1, or nothing (None)."""
        if self._drives.get(owner) == level:
            return
        if level is None:
            del self._drives[owner]
        else:
            self._drives[owner] = level
        self._settle()

    def pull(self, owner, level):
        """Sets the weak pull of `owner`: to 0, to 1, or none (None)."""
        if level is None:
            self._pulls.pop(owner, None)
        else:
            self._pulls[owner] = level
        self._settle()

    def stick(self, level):
        """Short-circuits the net to ground or to the supply: no driver changes the level. None: repaired."""
        self._stuck = level
        self._settle()

    def driven_low_by(self):
        """Returns the owners that hold the net low."""
        return [owner for owner, level in self._drives.items() if level == 0]

    def join(self, other):
        """Closes a switch between two nets: all that drives one of them drives both."""
        self._joined.append(other)
        other._joined.append(self)
        self._regroup()

    def part(self, other):
        """Opens the switch that `join` closed."""
        self._joined.remove(other)
        other._joined.remove(self)
        self._regroup()
        other._regroup()

    def _regroup(self):
        group = [self]
        for net in group:  # grows meanwhile
            group += [one for one in net._joined if one not in group]
        for net in group:
            net._group = group if len(group) > 1 else None
        self._settle()

    def _settle_group(self):
        """What `_settle` does, for nets that are connected. Each has its level before the first is told of it."""
        group = self._group
        drives = [level for net in group for level in net._drives.values()]
        pulls = [level for net in group for level in net._pulls.values()]
        stuck = [net._stuck for net in group if net._stuck is not None]
        level = min(drives) if drives else max(pulls) if pulls else self.level
        if drives and level != max(drives):
            self.contentions += 1
        if stuck:
            level = min(stuck)
        changed = [net for net in group if net.level != level]
        for net in changed:
            net.level = level
        for net in changed:
            for on_change in list(net._listeners):
                on_change(net)

    def _settle(self):
        if self._group is not None:
            self._settle_group()
            return
        drives = self._drives.values()
        if drives:
            level = min(drives)
            if level != max(drives):
                self.contentions += 1
        elif self._pulls:
            level = max(self._pulls.values())
        else:
            level = self.level
        if self._stuck is not None:
            level = self._stuck
        if level != self.level:
            self.level = level
            for on_change in list(self._listeners):
                on_change(self)


IN, OUT, OPEN_DRAIN, ALT = "in", "out", "open_drain", "alt"


class BoardPin:
    """A pin of a board on a net: mode, output latch and pull, as `machine.Pin` sets them."""

    def __init__(self, owner, net):
        self.owner = owner
        self.net = net
        self.mode = IN
        self.latch = 0

    def configure(self, mode=None, pull=None, latch=None):
        """Sets what `machine.Pin` sets. Args: mode: IN, OUT, OPEN_DRAIN or ALT (a peripheral has the pin); pull, latch:
        1, 0 or None."""
        if latch is not None:
            self.latch = latch
        if mode is not None:
            self.mode = mode
            self.net.pull(self.owner, pull)
        self._drive()

    def write(self, level):
        self.latch = 1 if level else 0
        self._drive()

    def read(self):
        return self.net.level

    def release(self):
        """Resets the pin: it becomes an input without a pull."""
        self.latch = 0
        self.configure(mode=IN)

    def _drive(self):
        if self.mode == OUT:
            self.net.drive(self.owner, self.latch)
        elif self.mode == OPEN_DRAIN and self.latch == 0:
            self.net.drive(self.owner, 0)
        else:
            self.net.drive(self.owner, None)
