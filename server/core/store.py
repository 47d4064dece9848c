"""The contract of a store: what the server must not forget, and what every store of `server/stores/` promises.

A store holds for each client:

- the *epoch* of the server's session with it, and the *runs* of servers on it (history.py);
- the *receive cursor*: epoch of the client, and number of the next line that is expected from it;
- the *inbox*: lines that were received and that the application has not taken. They have numbers of their own, which
  count from 0 on in the order of arrival: no two lines ever get the same one, and a line keeps its number;
- the *outbox*: lines that were written and that the client has not acknowledged. Their numbers are those of the
  protocol (docs/protocol.md section 6); the first one's is *base*;
- a *note* of an adapter, and for how long the server has waited for the client (*away*).

A line is bytes without newline; an epoch and the name of a run are 8 bytes; a client id is a str (docs/protocol.md
section 5).

**Owners.** `claim` gives the client to the caller, as number: the owner number only grows. Every method that takes an
owner raises StoreError, and does nothing, when somebody else has claimed the client since: the owner is *fenced*. So
of several servers on one store, the one that claimed last has the client. A server claims a client when that has
proved who it is, never for a mere HELLO, or when the application first writes to it or reads from it; never when it
starts, so that one server may stand by.

**Safe.** What a method has written survives whatever the store survives once the method has returned: the
acknowledgements rest on that. A method does everything that it says, or nothing.

**Order.** Calls may overlap. Those for one client through one store object take effect in the order in which they were
begun, with one exception: `peek`, `look`, `take` and `drop` need not see what a call that has not returned does. Of a
`claim` through another store object: what overlaps it is in what it returns, or fails.

**Errors.** A call with a bad argument or of a fenced owner changes nothing else. After any other error the store has
failed for this client: it may or may not have done what the call was for, and each later call of this owner raises
StoreError, until somebody claims the client again and is told what the store has. StoreGone means that this store
object will never work again.

**Cancellation.** A cancelled call may or may not be done, but for `take`, which is undone: see there.

**Threads and loops.** A store object is used by one event loop at a time, and by another one after that has ended. One
server uses it, or several in one process.

Stores inherit from `Store`, which has no behaviour, so that no store has by accident what its author has not thought
of. tests/server/store_contract.py is this text as tests; every store passes it.
"""

from protocol.errors import StoreError
from server.core.history import runs_around

INBOX_BYTES = 65536  # limit of each client's inbox, as `cost` counts
OUTBOX_BYTES = 65536  # limit of each client's outbox, as `cost` counts
LINE_COST = 32  # what a line counts beyond its bytes: an object has a size too


class StoreGone(StoreError):
    """The store is not there any more, or not this server's alone: the server has to be started again."""


class Store:
    """What a store is. A subclass overrides every method."""

    # True if no method ever suspends: a call is made whole in the caller's step, or not at all. Of such a store a line
    # leaves in the very step in which its reader has it.
    immediate = False

    # None, or a function () of the server's, which the store calls when it takes lines again after it was full for all
    # clients together. It is called in the loop, in the middle of other calls: it may neither raise nor use the store.
    on_room = None

    # Histogram (histogram.py) of the seconds that transactions took, or None of a store that waits for nothing.
    latency = None

    async def peek(self, client_id):
        """What WELCOME needs, without a claim.

        Returns: (number of the present owner, 0 if there never was one; epoch). The epoch is the one that `claim` will
        return, unless the store is opened anew, fails, or is claimed by another server before the first claim: compare.
        """
        raise NotImplementedError("peek")

    async def claim(self, client_id):
        """Become the owner of this client, and begin a run. Earlier owners are fenced when it returns.

        Returns: ClientState, which the caller may change: with everything that was safe, and that calls of earlier
        owners have reported as done or will. Its owner number is greater than all that `claim` has returned before.
        """
        raise NotImplementedError("claim")

    # The inbox

    def inbox_room(self, client_id):
        """True if `receive` may be called now: the lines of the inbox cost less than the limit, and all lines of all
        clients less than theirs, if the store has one. The caller asks first; what is given all the same is kept.
        Raises: StoreError if nobody has claimed the client through this object."""
        raise NotImplementedError("inbox_room")

    async def receive(self, client_id, owner, peer_epoch, next_number, lines):
        """Append lines, any number of them, to the inbox and move the receive cursor, both or neither.

        peer_epoch: epoch of the client; next_number: number of the line that is expected next from it, 0..NUMBERS.
        """
        raise NotImplementedError("receive")

    async def look(self, client_id, owner, number):
        """Returns: (number, line) of the oldest safe line in the inbox from this number on, or None. Changes nothing.
        One that is being given back may be shown before that is safe."""
        raise NotImplementedError("look")

    async def take(self, client_id, owner):
        """Remove the oldest safe line of the inbox. Returns: the line, or None if there is none.

        When it returns the line has left for good. If the caller is cancelled, the store undoes it and nobody has lost
        the line: it has its place and number again when the cancelled call has ended, and until then no `take`, `drop`
        or `give_back` of this client may be begun. If the process or the store fails in between, the line has left.
        """
        raise NotImplementedError("take")

    async def give_back(self, client_id, owner, line):
        """Undo the last `take` that has not been undone, whose line this is: nobody got it. Several are undone in the
        reverse order. The owner may have claimed the client in between."""
        raise NotImplementedError("give_back")

    async def drop(self, client_id, owner, number):
        """Remove the lines of the inbox before this number, if there are any: the application is done with them."""
        raise NotImplementedError("drop")

    # The outbox

    def outbox_room(self, client_id, size):
        """True if a line of size bytes may be put now: the outbox is empty, or with this line costs at most its limit
        while all lines of all clients cost less than theirs. Raises: as `inbox_room`."""
        raise NotImplementedError("outbox_room")

    async def put(self, client_id, owner, line):
        """Append a line to the outbox. As with `receive`, the caller asks for room first."""
        raise NotImplementedError("put")

    async def acknowledge(self, client_id, owner, base):
        """The client has accepted every line before number base: forget them. Repeating it does nothing.

        Raises: StoreError if that is none of the numbers from the first line's to the next line's; the owner stays.
        """
        raise NotImplementedError("acknowledge")

    async def discard(self, client_id, owner):
        """Forget the outbox, whose lines the client will never get, and claim the client.

        The session gets another epoch, since the client may know some of these lines' numbers, and has one run. The
        time of `away` is 0 again; everything else stays. Returns: (ClientState, how many lines were forgotten).
        """
        raise NotImplementedError("discard")

    # The past

    async def realign(self, client_id, owner, peer_epoch, next_number, base):
        """The client and the store have not the same past (history.py): move the receive cursor without lines, and
        forget the lines of the outbox before number base, both or neither. Raises: as `acknowledge`."""
        raise NotImplementedError("realign")

    async def named(self, client_id, owner, run):
        """The client has named this run, and is told the last one now: keep of the runs what `runs_around` (history.py)
        keeps. A run that the store does not know changes nothing."""
        raise NotImplementedError("named")

    # What adapters keep

    def note(self, client_id, owner, text, at_once=False):
        """Keep a text (str) for later claims, in the place of the last one. It does not wait: the text is safe no later
        than whatever this owner has written next. at_once: write it without waiting for something else to write."""
        raise NotImplementedError("note")

    # For those who look after what waits

    async def away(self, client_id, owner, seconds):
        """Note for how long (int) the server has waited for this client with lines for it."""
        raise NotImplementedError("away")

    async def backlogs(self):
        """Returns: list of a dict for each client with lines in its outbox, sorted by id: id, lines, bytes (without
        LINE_COST), away_s. What a call does that has not returned may be in it or not."""
        raise NotImplementedError("backlogs")

    @property
    def total(self):
        """What all lines in all inboxes and outboxes cost, those of calls that have not returned included. It never
        raises."""
        raise NotImplementedError("total")

    # Its use

    async def together(self, steps):
        """Run these coroutine functions, each of which makes one call for the same client, so that the calls are made
        in this order; the store may do them in one transaction.

        Returns: list of their results. Raises: what the first of them raised that did raise, when none runs any more;
        those behind it may have run or not.
        """
        raise NotImplementedError("together")

    async def watch(self):
        """Runs until it is cancelled, for as long as a server uses the store; several may run.

        Raises: StoreGone within seconds after the store has gone for good; StoreError after `close`. The server ends.
        """
        raise NotImplementedError("watch")

    def close(self):
        """Finish the calls that have been begun, and let go of everything. Later calls raise StoreError, and a
        second `close` does nothing."""
        raise NotImplementedError("close")


class ClientState:
    """What `claim` returns: owner (an int from 1 on), epoch, peer_epoch (None before the first line), next_number (0
    then), base (number of the first line of the outbox, or of the next one if that is empty; 0 at first), outbox (list
    of lines), note (a str, empty at first), runs (list of (name, start): history.py; the last one begins with this
    claim, at the number of the next line of the outbox)."""

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
