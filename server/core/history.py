"""Decides whether a client and the store have the same history. A store that was restored from a back-up, a snapshot
or a spare machine does not continue what the client has seen. docs/protocol.md section 6 has the argument.

Each claim of a client (store.py) begins a *run*. A run has a random name, and
it begins at the serial that the next message of the outbox will get, modulo
NUMBERS + 1. Serials count over all channels, so that one start serves for all of
them: two branches of the history share the messages before it. A store keeps
the runs of the present epoch for each client, the oldest first: a list of
(name, start). The client keeps the last few of them, as the server that it
last connected to has sent them. So if the two have seen different branches of
the store's history, their lists begin alike and end differently.

Two runs must stay in the list until the client reconnects, however many
others begin: the one that it named last, and the one that it was told then.
Its next RESUME names one of them, depending on whether the answer arrived.
`runs_around` moves both to the first _KEPT places, which `begin_run` does not change.

This module does not use connections or stores.
"""

from struct import unpack_from

from protocol.channel_records import FRESH
from protocol.frame import MAX_RUNS, RUN_ENTRY
from protocol.lines import NUMBERS, diff30
from protocol.server_session import run_entry

# Runs in one list. Each start of the server adds one, until the client connects and names its last run.
RUNS = 24
# Places that `begin_run` leaves alone: MAX_RUNS up to the run that the client named, and the rest up to the one told.
_KEPT = 2 * MAX_RUNS - 1


def begin_run(runs, name, start):
    """Add a run to the list."""
    runs.append((name, start))
    if len(runs) > RUNS:
        _forget(runs, _KEPT)  # it began after the client's last connection, and is not the last one


def _forget(runs, at):
    """Remove this run's name. The next run then begins where this one did, as if no client had been told the name."""
    start = runs.pop(at)[1]
    runs[at] = (runs[at][0], start)


def runs_around(runs, name):
    """Returns the list for after the client has named this run and is told the last one. Some others are dropped."""
    at = _index(runs, name)
    if at is None:
        return runs
    runs = runs[max(0, at + 1 - MAX_RUNS) :]
    at = min(at, MAX_RUNS - 1)
    while len(runs) > at + MAX_RUNS:
        _forget(runs, at + 1)
    return runs


def is_crowded(runs):
    """True if the last run is where `begin_run` removes runs. Then store `runs_around` before the client is told it."""
    return len(runs) > _KEPT


def _told(runs, at):
    """Returns the runs for the client to remember, as bytes for RESUME: the last, the one at this index, others."""
    runs = runs[:]
    while len(runs) > MAX_RUNS:
        if at:
            runs.pop(0)
            at -= 1
        else:
            _forget(runs, 1)
    return b"".join([run_entry(*one) for one in reversed(runs)])


def _index(runs, name):
    for at in range(len(runs)):
        if runs[at][0] == name:
            return at
    return None


def _common_past(runs, named, end):
    """Returns (index in `runs` of the last run that the client knows too, serial of the first message that may be a
    different one at the client), or None if it knows none of these runs. See docs/protocol.md section 6. The serial is
    None if that is the first message that the present run has not sent.

    named: [(name, start)] that the client remembers, the last one first; end: serial after the outbox.
    """
    for back in range(len(named)):
        at = _index(runs, named[back][0])
        if at is None:
            continue
        if at + 1 < len(runs):
            ours = runs[at + 1][1]
        else:
            ours = end if back else None
        # The branches diverged during that run. It can have continued in one of them only. In the other one, the
        # next run began there.
        return at, (_earlier(named[back - 1][1], ours) if back else ours)
    return None


def _earlier(a, b):
    return a if diff30(a, b) < 0 else b


class Comparison:
    """The result of comparing the client's RESUME with the store.

    lost: number of the client's messages that were acknowledged and that the store does not know. Another store may
    have had them, or a server whose store was in memory;
    cursors: {channel: number of the next message from the client}, of the channels that it knows;
    parted: the client has seen another branch of the outbox's history;
    unknown: number of messages that it has received there, and that are not in this branch. If it uses several
    channels, there may be more;
    common: {channel: number before which its messages are in both branches}, of the channels that the client knows;
    bases: {channel: number}: if the histories have diverged, the messages before it are not to be sent again;
    run: name of the last run that both know, or None; told: the runs that the client is to remember, for RESUME.
    """

    def __init__(self, session, state, same_epoch, met):
        """Args: state: ClientState, of the epoch that the session knows; same_epoch: the client was told its epoch;
        met: this process served its epoch."""
        heard = session.heard
        # {channel: (base, ack, next)} of the client: its own messages before base and ours before ack were accepted
        self._heard = {channel: _numbers(entry, state, channel) for channel, entry in (heard.channels or {}).items()}
        self._heard[0] = heard.base, heard.ack, heard.next
        self.lost = 0
        self.cursors = {}
        for channel in self._heard:
            self._compare_received(channel, session, state, met)
        self.parted = False
        self.unknown = 0
        self.run = None
        self.common = {}
        self.bases = {0: session.base}
        self.told = _told(state.runs, len(state.runs) - 1)
        if heard.remembered and same_epoch:
            self._compare_sent(heard, session, state)
        elif heard.remembered:
            self.parted = True

    def _compare_received(self, channel, session, state, met):
        base = self._heard[channel][0]
        expected = state.cursors.get(channel, 0) if channel else session.expected
        lost = 0
        if session.knows_peer:
            lost = max(0, diff30(base, expected))
        elif not met:
            lost = base  # the numbers of an epoch begin with 0
        self.lost = min(NUMBERS, self.lost + lost)
        if lost or not session.knows_peer:
            self.cursors[channel] = base
        else:
            self.cursors[channel] = expected if channel else session.ack

    def _compare_sent(self, heard, session, state):
        found = _common_past(state.runs, _named(heard.runs), state.serial & NUMBERS)
        behind = False
        bases = {}
        for channel, (_, ack, next_number) in self._heard.items():
            base = state.bases.get(channel, 0) if channel else session.base
            common = self._common(channel, session, state, found)
            beyond = max(0, diff30(next_number, common))
            self.unknown += beyond
            behind = behind or diff30(ack, base) < 0
            ahead = min(diff30(next_number, base), diff30(common, base))
            bases[channel] = (base + max(0, ahead)) & NUMBERS
        for channel, number in self.common.items():
            session.known_until(number, channel)
        if found and not self.unknown and not behind:
            self.run = state.runs[found[0]][0]
            self.told = _told(state.runs, found[0])
            return
        self.parted = True
        self.bases = bases

    def _common(self, channel, session, state, found):
        if not found:
            common = state.bases.get(channel, 0) if channel else session.base
        elif found[1] is not None:
            common = state.number_at(channel, found[1])
        else:
            common = session.reached_on(channel)
        self.common[channel] = common
        return common

    @property
    def same_past(self):
        return not (self.lost or self.parted)


def _numbers(entry, state, channel):
    """Returns (base, ack, next) of an entry. A client that is fresh knows no message before our base."""
    flags, base, ack, following = entry[:4]
    if flags & FRESH:
        ack = following = state.bases.get(channel, 0)
    return base & NUMBERS, ack & NUMBERS, following & NUMBERS


def _named(entries):
    """Returns [(name, number)] of the runs in a RESUME."""
    found = [unpack_from(">8sI", entries, at) for at in range(0, len(entries), RUN_ENTRY)]
    return [(name, number & NUMBERS) for name, number in found]
