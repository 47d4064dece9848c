"""The contract of a store: what the server must keep, and what every store of `server/stores/` guarantees.

A store holds for each client:

- the *epoch* of the server's session with it, and the *runs* of servers on it (history.py);
- the *receive cursors*: epoch of the client, and for each channel the number of the next message that is expected from
  it. A channel that has none is at 0. With them, which of the last messages before a cursor had *expired*: those were
  accepted, and are not in the inbox;
- the *inbox*: messages that were received and that the application has not taken. They have numbers of their own, which
  count from 0 in the order of arrival, over all channels. No two messages ever get the same number, and a message keeps
  its number;
- the *outbox*: messages that were written and that the client has not acknowledged. Each has a *serial*, which counts
  from 0 in the order of writing, over all channels, as the inbox's numbers do. Its number in the protocol
  (docs/protocol.md section 6) is one of its channel: the first one's of a channel is the channel's *base*, 0 at first;
- a *note* of the adapters (notes.py), and for how long the server has waited for the client (*away*).

A message is a Message (message.py), and a line is one of channel 0. An epoch and the name of a run are 8 bytes; a
client id is a str (docs/protocol.md section 5).

**Channels.** Each channel has an order and a room of its own. What is done to one channel does nothing to another.

**Owners.** `claim` makes the caller the owner of the client. An owner is a number, and it only grows. When there is a
later claim, the earlier owner is *fenced*: every method that takes an owner raises Fenced for it, and does nothing.
So of several servers on one store, the one that claimed last has the client. A server claims a client when the client
has authenticated, never for a HELLO alone. It also claims it when the application first writes to it or reads from it.
It claims nothing when it starts, so that a server may be on standby. With a store that several processes share
(`others`, `readings`), writing and reading claim nothing.

**The order of handshakes.** A server claims for a client's proof only if the owner is the one that it has seen before
it sent WELCOME (`claim` with `seen`). For each further connection of a client that it owns already, it calls `renew`,
which raises the number too. So a proof that answers a WELCOME from before the last connection finds another owner,
whichever server has that connection, and changes nothing. docs/protocol.md section 5 has the argument.

**Safe.** Once a method has returned, what it has written survives whatever the store survives. The acknowledgements
depend on that. A method does everything that it says, for all channels, or nothing.

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
from protocol.lines import NUMBERS, diff30
from server.core.history import runs_around

INBOX_BYTES = 65536  # limit of each client's lines in the inbox, as `cost` counts
OUTBOX_BYTES = 65536  # limit of each client's lines in the outbox, as `cost` counts
CHANNEL_BYTES = 16384  # limit of each other channel in each direction, as `cost` counts
LINE_COST = 32  # what a message counts beyond its bytes, for the size of its object


class StoreGone(StoreError):
    """Raised when the store no longer exists, or is not this server's alone. The server has to be restarted."""


class TakenOver(StoreError):
    """Raised when another owner has claimed the client since. What the call was to do may or may not be done."""


class Fenced(TakenOver):
    """Raised when another owner has claimed the client since: what it was to do is not done, and never will be."""


class ReadingLost(StoreError):
    """Raised when another process reads what this one was reading: it was given up for dead. What it has not committed
    is read again there."""


class Store:
    """The interface of a store. A subclass overrides every method."""

    # True if no method ever suspends: a call completes in the caller's step, or does not begin. A message leaves such
    # a store in the same step in which its reader gets it.
    immediate = False

    # None, or a function () of the server. The store calls it when it takes messages again after it was full for all
    # clients together. It is called in the loop, during other calls, so it may neither raise nor use the store.
    on_room = None

    # None, or a function (client id) of the server. A store that several processes share calls it, likewise, when
    # messages of a client's inbox have been deleted because another process has read them.
    on_read = None

    # None, or a function (client id, channel) of the server: likewise, when another process has claimed what an
    # application of this one was reading.
    on_lost = None

    # None, or Readings (stores/postgres_readings.py) of a store that several processes share: by them an application
    # reads, whoever owns the client, and not by `look`, `take` and `drop`.
    readings = None

    # Histogram (histogram.py) of the seconds that transactions took, or None of a store that waits for nothing.
    latency = None

    # None, or a str: why the store cannot write now, and calls wait until it can.
    trouble = None

    # None, or Others (others.py) of a store that several processes share.
    others = None

    async def peek(self, client_id):
        """Read what WELCOME needs, without a claim.

        Returns: (number of the present owner, 0 if there never was one; epoch). The epoch is the one that `claim` will
        return, unless the store is opened anew, fails, or is claimed by another server before the first claim: compare.
        """
        raise NotImplementedError("peek")

    async def claim(self, client_id, seen=None):
        """Become the owner of this client, and begin a run. Earlier owners are fenced when it returns.

        seen: None, or what `peek` has returned, (owner, epoch): claim only if these are still the present ones.
        Returns: ClientState, which the caller may change. It has everything that was safe, and everything that calls
        of earlier owners have reported as done or will. Its owner number is the one before plus 1.
        Raises: Fenced: owner or epoch is another one than `seen`. Then the present owner stays.
        """
        raise NotImplementedError("claim")

    async def renew(self, client_id, owner):
        """Raise the owner's number by 1, and stay the owner: no `claim` that has seen an earlier number succeeds when
        this has returned. Nothing else changes, and the methods still take the number that `claim` returned.

        The new number is safe only in a store that several processes may use: in others nobody has seen it when this
        process has ended. Returns: the number, as `peek` has it now.
        """
        raise NotImplementedError("renew")

    # The inbox

    def inbox_room(self, client_id, channel=0):
        """True if `receive` may be called now for this channel: its messages in the inbox cost less than the limit,
        and all messages of all clients less than theirs, if the store has one. The caller asks first. What is given
        without room is kept.

        If all clients together are at their limit, an empty channel other than 0 still has room for one message: so
        an answer is never stopped by what waits elsewhere. Raises: StoreError if the client was not claimed through
        this object."""
        raise NotImplementedError("inbox_room")

    async def receive(self, client_id, owner, peer_epoch, cursors, messages, expired=None):
        """Append any number of messages to the inbox and move the receive cursors. It does both or neither.

        peer_epoch: epoch of the client; cursors: {channel: number of the message that is expected next, 0..NUMBERS}.
        Channels that are not named keep theirs. In a new epoch they are at 0: name all that are not.
        messages: each a Message, or the bytes of a line.
        expired: {channel: EXPIRED_BITS or some of them}, not of channel 0: bit i is set if message cursor - 1 - i had
        expired. A channel that is not named has none, or if its cursor stays where it was, in this epoch, those that it
        had.
        """
        raise NotImplementedError("receive")

    def unread(self, client_id, channel=0):
        """Returns: (how many messages of this channel the inbox has, number of the oldest of them or of the next one).
        Changes nothing.

        It may count messages that are being stored, and those that a `take` in progress would remove. Raises: as
        `inbox_room`."""
        raise NotImplementedError("unread")

    async def look(self, client_id, owner, number, channel=0):
        """Returns: (number, Message) of the oldest safe message of this channel in the inbox from this number on, or
        None. Changes nothing.

        A message that is being given back may be returned before that is safe.
        """
        raise NotImplementedError("look")

    async def take(self, client_id, owner, channel=0):
        """Remove the oldest safe message of this channel in the inbox. Returns: (number, Message), or None.

        When it returns, the message has left for good. If the caller is cancelled, the store undoes it and the message
        is not lost. The message has its place again when the cancelled call has ended. Until then no `take`, `drop`,
        `remove` or `give_back` of this client may be begun. If the process or the store fails in between, the message
        has left.
        """
        raise NotImplementedError("take")

    async def give_back(self, client_id, owner, number, message):
        """Undo a `take`: the message, which was not delivered, has its place and its number again. The owner may have
        claimed the client in between. Raises: StoreError if no such message has been taken; the owner stays."""
        raise NotImplementedError("give_back")

    async def drop(self, client_id, owner, number, channel=0):
        """Remove this channel's messages before this number from the inbox, if there are any. The application has
        processed them."""
        raise NotImplementedError("drop")

    async def remove(self, client_id, owner, numbers):
        """Remove exactly the messages with these numbers from the inbox, of whatever channel, if they are there."""
        raise NotImplementedError("remove")

    async def mark(self, client_id, owner, number, kind):
        """Give a message of the inbox another kind. The application has begun to process it.

        Raises: StoreError if the inbox does not have it; the owner stays."""
        raise NotImplementedError("mark")

    # The outbox

    def outbox_room(self, client_id, size, channel=0):
        """True if a message of `size` bytes may be put now: the channel's outbox is empty, or costs at most its limit
        with this message while all messages of all clients cost less than their limit. Raises: as `inbox_room`."""
        raise NotImplementedError("outbox_room")

    async def put(self, client_id, owner, message):
        """Append a message to the outbox. As with `receive`, the caller asks for room first."""
        raise NotImplementedError("put")

    async def acknowledge(self, client_id, owner, bases):
        """Remove what the client has accepted. bases: {channel: number}; the channel's messages before that number go.
        Repeating it does nothing.

        Raises: StoreError if a base is not between the numbers of the channel's first message and of its next one; then
        nothing is removed, and the owner stays.
        """
        raise NotImplementedError("acknowledge")

    async def expire(self, client_id, owner, channel, number):
        """Empty the message with this number of the protocol, as `dropped` (message.py) does. It keeps its place, its
        serial and its number, and costs less. Returns: False if the outbox no longer has it: nothing is changed."""
        raise NotImplementedError("expire")

    async def discard(self, client_id, owner):
        """Delete the outbox, whose messages on all channels the client will never get, and claim the client.

        The session gets another epoch, since the client may know some of these numbers, and has one run. In it the
        bases of all channels but 0 are 0. The time of `away` is 0 again; everything else stays.

        Returns: (ClientState, how many messages were forgotten).
        """
        raise NotImplementedError("discard")

    # The past

    async def realign(self, client_id, owner, peer_epoch, cursors, bases):
        """Correct a store whose history differs from the client's (history.py). Move the receive cursors without
        messages, as `receive` does if none has expired, and remove from the outbox as `acknowledge` does: both or
        neither. Raises: as `acknowledge`."""
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
        """Store for how long (int) the server has waited for this client with messages for it."""
        raise NotImplementedError("away")

    def timeline(self):
        """Returns the Timeline (stores/timeline.py) of this store: what is measured of clients, for charts. Until the
        first call the store loads and writes nothing of it."""
        raise NotImplementedError("timeline")

    async def backlogs(self):
        """Returns: list of a dict for each client with messages in its outbox, sorted by id: id, lines (how many they
        are, on all channels), bytes (without LINE_COST), away_s. The effect of a call that has not returned may be
        included or not."""
        raise NotImplementedError("backlogs")

    @property
    def total(self):
        """Returns the cost of all messages in all inboxes and outboxes, also of calls that have not returned.
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
    """The result of `claim`, which the owner keeps up to date with `was_received`, `was_put` and `was_acknowledged`.

    owner: an int from 1 on; epoch; peer_epoch: None before the first message; cursors: {channel: number of the next
    message}, with channel 0 at least; expired: {channel: bits} as in `receive`, of those that have any;
    bases: {channel: number of the first message of the outbox, or of the next one}, of each channel that was ever
    written to, and channel 0; outbox: list of (serial, Message) when it was claimed, the oldest first; serial: of the
    next message that is put; note: a str, empty at first; runs: list of (name, start), see history.py: the last one
    begins with this claim, at the serial; pasts: {channel: serial after the last message that was acknowledged}.
    """

    __slots__ = (
        "owner", "epoch", "peer_epoch", "cursors", "expired", "bases", "outbox", "serial", "note", "runs", "pasts",
        "_serials",
    )  # fmt: skip

    def __init__(self, owner, epoch, peer_epoch, cursors, expired, bases, outbox, serial, note, runs, pasts):
        self.owner = owner
        self.epoch = epoch
        self.peer_epoch = peer_epoch
        self.cursors = cursors
        self.expired = expired
        self.bases = bases
        self.outbox = outbox
        self.serial = serial
        self.note = note
        self.runs = runs
        self.pasts = pasts
        self._serials = {}  # channel -> those of its messages in the outbox now
        for at, message in outbox:
            self._serials.setdefault(message.channel, []).append(at)

    @property
    def lines(self):
        """Returns the lines that were in the outbox, as a list of bytes."""
        return [message.data for _, message in self.outbox if not message.channel]

    @property
    def run(self):
        return self.runs[-1][0]

    def waiting(self):
        """Returns how many messages are in the outbox."""
        return sum([len(serials) for serials in self._serials.values()])

    def named(self, run):
        self.runs = runs_around(self.runs, run)

    def was_received(self, peer_epoch, cursors, expired=None):
        """Note what `receive` or `realign` has done, or will when the first message of this epoch comes."""
        if self.expired or expired:
            self.expired = expired_then(self, peer_epoch, cursors, expired)
        if peer_epoch != self.peer_epoch:
            self.peer_epoch = peer_epoch
            self.cursors = {0: 0}
        self.cursors.update(cursors)

    def would_move(self, peer_epoch, cursors):
        """True if `was_received` would change a cursor."""
        known = self.cursors if peer_epoch == self.peer_epoch else {}
        return any([known.get(channel, 0) != number for channel, number in cursors.items()])

    def cursors_with(self, channel, number):
        """Returns the cursors for `receive`: those of all channels, since the store may not have this epoch yet."""
        return {channel: number} if len(self.cursors) == 1 and not channel else moved(self.cursors, {channel: number})

    def was_put(self, channel):
        """Note what `put` has done."""
        self._serials.setdefault(channel, []).append(self.serial)
        self.bases.setdefault(channel, 0)
        self.serial += 1

    def was_acknowledged(self, bases):
        """Note what `acknowledge` or `realign` has done."""
        for channel, base in bases.items():
            count = (base - self.bases.get(channel, 0)) & NUMBERS
            if count:
                serials = self._serials[channel]
                self.pasts[channel] = serials[count - 1] + 1
                del serials[:count]
                self.bases[channel] = base

    def number_at(self, channel, start):
        """Returns the number that this channel's first message from the serial `start` (modulo NUMBERS + 1) on has, or
        would have.

        If some of the messages from there on have been acknowledged, the result is a number below the base. It is the
        true one as long as only one channel has ever been used, and else the number before the base.
        """
        serial = self.serial + diff30(start, self.serial & NUMBERS)
        base, past = self.bases.get(channel, 0), self.pasts.get(channel, 0)
        if serial < past:
            return (base - (past - serial if len(self.bases) == 1 else 1)) & NUMBERS
        return (base + sum([one < serial for one in self._serials.get(channel, ())])) & NUMBERS


def moved(numbers, ahead):
    """Returns these numbers by channel, with those of `ahead` in their place."""
    numbers = dict(numbers)
    numbers.update(ahead)
    return numbers


def expired_then(before, peer_epoch, cursors, expired):
    """Returns {channel: bits} as `receive` leaves it. before: Record or ClientState."""
    bits = dict(before.expired) if peer_epoch == before.peer_epoch else {}
    for channel, number in cursors.items():
        if number != before.cursors.get(channel, 0):
            bits.pop(channel, None)
    bits.update(expired or {})
    return {channel: some for channel, some in bits.items() if some}


def cost(messages):
    """Returns what these messages count for the limits of a store."""
    return sum([len(message.data) + LINE_COST for message in messages])
