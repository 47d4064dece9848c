"""The contract of a store: what the server must keep, and what every store of `server/stores/` guarantees.

A store holds for each client:

- the *epoch* of the server's session with it, and the *runs* of servers on it (history.py);
- the *receive cursor*: epoch of the client, and number of the next line that is expected from it;
- the *inbox*: lines that were received and that the application has not taken. They have numbers of their own, which
  count from 0 in the order of arrival. No two lines ever get the same number, and a line keeps its number;
- the *outbox*: lines that were written and that the client has not acknowledged. Their numbers are those of the
  protocol (docs/protocol.md section 6); the first one's is *base*;
- a *note* of the adapters (notes.py), and for how long the server has waited for the client (*away*).

A line is bytes without newline; an epoch and the name of a run are 8 bytes; a client id is a str (docs/protocol.md
section 5).

**Owners.** `claim` makes the caller the owner of the client. An owner is a number, and it only grows. When there is a
later claim, the earlier owner is *fenced*: every method that takes an owner raises StoreError for it, and does nothing.
So of several servers on one store, the one that claimed last has the client. A server claims a client when the client
has authenticated, never for a HELLO alone. It also claims it when the application first writes to it or reads from it.
It claims nothing when it starts, so that a server may be on standby.

**Safe.** Once a method has returned, what it has written survives whatever the store survives. The acknowledgements
depend on that. A method does everything that it says, or nothing.

**Order.** Calls may overlap. Those for one client through one store object take effect in the order in which they were
begun, with one exception: `peek`, `look`, `take` and `drop` need not see the effect of a call that has not returned. A
call that overlaps a `claim` through another store object either is in the result of that `claim`, or fails.

**Errors.** A call with a bad argument or of a fenced owner changes nothing else. After any other error the store has
failed for this client. It may or may not have done the operation. Each later call of this owner raises StoreError,
until the client is claimed again and the claim returns what the store has. StoreGone means that this store object will
never work again.

**Cancellation.** A cancelled call may or may not take effect. The exception is `take`, which is undone: see there.

**Threads and loops.** A store object is used by one event loop at a time, and by another one after that has ended. One
server uses it, or several in one process.

Stores inherit from `Store`, which has no behaviour. So no store inherits behaviour that its author did not intend.
tests/server/store_contract.py tests this contract. Every store passes it.
"""

from protocol.errors import StoreError
from server.core.history import runs_around

INBOX_BYTES = 65536  # limit of each client's inbox, as `cost` counts
OUTBOX_BYTES = 65536  # limit of each client's outbox, as `cost` counts
LINE_COST = 32  # what a line counts beyond its bytes, for the size of its object


class StoreGone(StoreError):
    """Raised when the store no longer exists, or is not this server's alone. The server has to be restarted."""


class Store:
    """The interface of a store. A subclass overrides every method."""

    # True if no method ever suspends: a call completes in the caller's step, or does not begin. A line leaves such a
    # store in the same step in which its reader gets it.
    immediate = False

    # None, or a function () of the server. The store calls it when it takes lines again after it was full for all
    # clients together. It is called in the loop, during other calls, so it may neither raise nor use the store.
    on_room = None

    # Histogram (histogram.py) of the seconds that transactions took, or None of a store that waits for nothing.
    latency = None

    async def peek(self, client_id):
        """Read what WELCOME needs, without a claim.

        Returns: (number of the present owner, 0 if there never was one; epoch). The epoch is the one that `claim` will
        return, unless the store is opened anew, fails, or is claimed by another server before the first claim: compare.
        """
        raise NotImplementedError("peek")

    async def claim(self, client_id):
        """Become the owner of this client, and begin a run. Earlier owners are fenced when it returns.

        Returns: ClientState, which the caller may change. It has everything that was safe, and everything that calls
        of earlier owners have reported as done or will. Its owner number is greater than all earlier ones of `claim`.
        """
        raise NotImplementedError("claim")

    # The inbox

    def inbox_room(self, client_id):
        """True if `receive` may be called now: the lines of the inbox cost less than the limit, and all lines of all
        clients less than theirs, if the store has one. The caller asks first. Lines given without room are kept.
        Raises: StoreError if the client was not claimed through this object."""
        raise NotImplementedError("inbox_room")

    async def receive(self, client_id, owner, peer_epoch, next_number, lines):
        """Append any number of lines to the inbox and move the receive cursor. It does both or neither.

        peer_epoch: epoch of the client; next_number: number of the line that is expected next from it, 0..NUMBERS.
        """
        raise NotImplementedError("receive")

    def unread(self, client_id):
        """Returns: (how many lines the inbox has, number of the oldest of them or of the next one). Changes nothing.

        It may count lines that are being stored, and those that a `take` in progress would remove. Raises: as
        `inbox_room`."""
        raise NotImplementedError("unread")

    async def look(self, client_id, owner, number):
        """Returns: (number, line) of the oldest safe line in the inbox from this number on, or None. Changes nothing.

        A line that is being given back may be returned before that is safe.
        """
        raise NotImplementedError("look")

    async def take(self, client_id, owner):
        """Remove the oldest safe line of the inbox. Returns: the line, or None if there is none.

        When it returns, the line has left for good. If the caller is cancelled, the store undoes it and the line is not
        lost. The line has its place and number again when the cancelled call has ended. Until then no `take`, `drop`
        or `give_back` of this client may be begun. If the process or the store fails in between, the line has left.
        """
        raise NotImplementedError("take")

    async def give_back(self, client_id, owner, line):
        """Undo the last `take` that has not been undone. line: its line, which was not delivered. Several are undone in
        reverse order. The owner may have claimed the client in between."""
        raise NotImplementedError("give_back")

    async def drop(self, client_id, owner, number):
        """Remove the lines of the inbox before this number, if there are any. The application has processed them."""
        raise NotImplementedError("drop")

    # The outbox

    def outbox_room(self, client_id, size):
        """True if a line of `size` bytes may be put now: the outbox is empty, or costs at most its limit with this
        line while all lines of all clients cost less than their limit. Raises: as `inbox_room`."""
        raise NotImplementedError("outbox_room")

    async def put(self, client_id, owner, line):
        """Append a line to the outbox. As with `receive`, the caller asks for room first."""
        raise NotImplementedError("put")

    async def acknowledge(self, client_id, owner, base):
        """Remove the lines before number base, which the client has accepted. Repeating it does nothing.

        Raises: StoreError if base is not between the first line's number and the next line's; the owner stays.
        """
        raise NotImplementedError("acknowledge")

    async def discard(self, client_id, owner):
        """Delete the outbox, whose lines the client will never get, and claim the client.

        The session gets another epoch, since the client may know some of these lines' numbers, and has one run. The
        time of `away` is 0 again; everything else stays. Returns: (ClientState, how many lines were forgotten).
        """
        raise NotImplementedError("discard")

    # The past

    async def realign(self, client_id, owner, peer_epoch, next_number, base):
        """Correct a store whose history differs from the client's (history.py). Move the receive cursor without lines,
        and remove the lines of the outbox before number base: both or neither. Raises: as `acknowledge`."""
        raise NotImplementedError("realign")

    async def named(self, client_id, owner, run):
        """Keep only the runs that `runs_around` (history.py) keeps: the client has named this run, and is told the last
        one now. A run that the store does not know changes nothing."""
        raise NotImplementedError("named")

    # What adapters keep

    def note(self, client_id, owner, text, at_once=False):
        """Keep a text (str) for later claims. It replaces the last one. The call does not wait: the text is safe no
        later than the next write of this owner. at_once: write it without waiting for another write."""
        raise NotImplementedError("note")

    # For retention and the operator

    async def away(self, client_id, owner, seconds):
        """Store for how long (int) the server has waited for this client with lines for it."""
        raise NotImplementedError("away")

    async def backlogs(self):
        """Returns: list of a dict for each client with lines in its outbox, sorted by id: id, lines, bytes (without
        LINE_COST), away_s. The effect of a call that has not returned may be included or not."""
        raise NotImplementedError("backlogs")

    @property
    def total(self):
        """Returns the cost of all lines in all inboxes and outboxes, including those of calls that have not returned.
        It never raises."""
        raise NotImplementedError("total")

    # Its use

    async def together(self, steps):
        """Run these coroutine functions, each of which makes one call for the same client, so that the calls are made
        in this order; the store may do them in one transaction.

        Returns: list of their results. Raises: the exception of the first of them that raised, when none still runs;
        those after it may have run or not.
        """
        raise NotImplementedError("together")

    async def watch(self):
        """Watch the store until cancelled, for as long as a server uses it. Several calls may run.

        Raises: StoreGone within seconds after the store has gone for good; StoreError after `close`. The server ends.
        """
        raise NotImplementedError("watch")

    def close(self):
        """Finish the calls that have been begun, and release all resources. Later calls raise StoreError, and a
        second `close` does nothing."""
        raise NotImplementedError("close")


class ClientState:
    """The result of `claim`: owner (an int from 1 on), epoch, peer_epoch (None before the first line), next_number (0
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
    """Returns what these lines count for the limits of a store."""
    return sum(len(line) + LINE_COST for line in lines)
