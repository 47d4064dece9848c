"""What the server must not forget, behind a narrow interface: the contract that
every store of `server/stores/` keeps.

A store holds, for each client: the epoch of the server's session with it, the
epoch of the client's present life and the number of the next line expected
from it, the lines received and not yet taken by the application (inbox), and
the lines written and not yet acknowledged by the client (outbox), and the runs
of servers on it (history.py): each claim begins one. Numbers are
the whole line numbers of the protocol. The lines of an inbox have numbers of
their own, which only count: from 0 on, in the order in which they came, and
never twice.

Every method that writes takes the owner number that `claim` returned, and
fails with StoreError once somebody else has claimed the client since: of
several servers on one store, the one that claimed last has the client. A
client is claimed when it has proved who it is, never for a mere HELLO
(`peek` tells what WELCOME needs), or when the application first writes to or
reads from it; not when a server starts, so that one may stand by. The server
that the client is connected to gets it back with the next connection. A call
for one client waits for the one before, but for what `together` runs at once;
`peek` and `look` may come beside it.

What a method has written is safe when it returns: that is what the
acknowledgements rest on. Lines are bytes without newline. `immediate` is True
if no method ever suspends, so that a call is made whole or not at all, and a
line leaves the store in the very step in which its reader has it. Of any
other store, a `take` whose caller was cancelled is undone by the store. It
calls `on_room`, an attribute, if that is set, when lines of one client have
left and there is room for those of others again.

`watch` runs for as long as a server uses the store. A store that is gone for
good says so there, with StoreGone, and the server ends.
"""

from protocol.errors import StoreError
from server.core.history import runs_around

INBOX_BYTES = 65536  # of lines that the application has not taken, for each client
OUTBOX_BYTES = 65536  # of lines that the client has not acknowledged, for each client
LINE_COST = 32  # what a line counts beyond its bytes: an object has a size too


class StoreGone(StoreError):
    """The store is not there any more, or not this server's alone: the server has to be started again."""


class ClientState:
    """What `claim` returns: owner, epoch, peer_epoch (None before the first
    line), next_number, base (number of the first line of outbox), outbox,
    note (see `note`), runs (see history.py; the last one is that of this claim)."""

    def __init__(self, owner, epoch, peer_epoch, next_number, base, outbox, note, runs):
        self.owner = owner
        self.epoch = epoch
        self.peer_epoch = peer_epoch
        self.next_number = next_number
        self.base = base
        self.outbox = outbox
        self.note = note
        self.runs = runs

    @property
    def run(self):
        return self.runs[-1][0]

    def named(self, run):
        self.runs = runs_around(self.runs, run)


def cost(lines):
    """What these lines count for the limits of a store."""
    return sum(len(line) + LINE_COST for line in lines)
