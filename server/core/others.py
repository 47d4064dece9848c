"""What a store that several processes share offers beyond the contract of store.py: its attribute `others`.

Of a client, one process is the *owner*: the server to which it is connected. A process that is not the owner puts
messages for the client into the *mail*. The owner moves them into the outbox, in the order in which each writer has put
them on a channel. So writing needs no claim, which would take the client away from its server.

Processes tell each other by hints what there is to look at. Lost hints cost at most one second.

This is the interface. server/stores/postgres_others.py has it.
"""

from collections import namedtuple

SILENT_S = 5.0  # without a sign of life, a process counts as ended, and its clients as not connected

# Where a client is, as this process has seen it last. node: id of the process that has claimed it last, 0 if there is
# none; connected: it is connected to that one; connections: so far, to any process; owner: number of the last claim.
Seen = namedtuple("Seen", ("node", "connected", "connections", "owner"))
NOWHERE = Seen(0, False, 0, 0)

# A server that uses the store. name: for people; clients: how many are connected to it, as far as is known;
# silent_s: since its last sign of life.
Node = namedtuple("Node", ("name", "clients", "silent_s"))


class Others:
    """The other processes that use a store. Calls raise StoreError as those of the store do."""

    node = 0  # id of this process
    name = ""  # for people
    address = ""  # of its listener, for people
    fenced = 0  # changes of a client that the store has refused, since another process had claimed it

    # Of the server: functions (client id), which may neither raise nor use the store.
    on_mail = None  # there is mail for a client that this process has claimed
    on_seen = None  # `seen` may have changed for a client that is followed, or that this process has claimed

    # For any process

    async def put(self, client_id, message, watched=False):
        """Put a Message into the mail of a client, when there is room. Returns a letter, for `accepted`, when it is
        safe. The calls for a channel are made one after the other.

        watched: `accepted` is to be called. Cancelling the call withdraws a message that waits for room. Raises:
        StoreError: it may or may not be in the mail."""
        raise NotImplementedError("put")

    async def accepted(self, letter):
        """Return when the client has accepted a message. Raises: Expired; StoreError: it was deleted, or is lost."""
        raise NotImplementedError("accepted")

    async def moved(self, client_id, channel):
        """Return when the mail that this process has put for a channel is known to the owner, if that is this process:
        `first` knows it. What is written to the outbox then is behind it."""
        raise NotImplementedError("moved")

    def follow(self, client_id):
        """Keep `seen` of this client up to date, and call `on_seen`."""
        raise NotImplementedError("follow")

    def seen(self, client_id):
        """Returns the last Seen of a client, NOWHERE at first."""
        raise NotImplementedError("seen")

    async def elsewhere(self, client_id):
        """Returns whether the client is connected to another process, which lives as far as anybody knows."""
        raise NotImplementedError("elsewhere")

    def nodes(self):
        """Returns a list of Node: the servers that use the store, this one included, as this process has seen them
        last. It asks nobody."""
        raise NotImplementedError("nodes")

    # For the owner

    def first(self, client_id, channel):
        """Returns the first Message of a channel in the mail that was not moved, or None."""
        raise NotImplementedError("first")

    def channels(self, client_id):
        """Returns the channels that have such mail."""
        raise NotImplementedError("channels")

    async def move(self, client_id, owner, channel, most):
        """Move messages of a channel from the mail into the outbox, as many as have room, at most `most`.

        Returns: list of (Message, whether its writer waits for it), the oldest first, when that is safe. It leaves out
        what has expired. What is UNNUMBERED has left the mail, and is not in the outbox."""
        raise NotImplementedError("move")

    def watched(self, client_id):
        """Returns the serials of the messages in the outbox that were in the mail, and whose writer waits."""
        raise NotImplementedError("watched")

    def expired(self, client_id, serial):
        """The client has said of a message with this serial, which it acknowledges, that its time was over. The caller
        goes on with the store's `acknowledge`, without waiting in between."""
        raise NotImplementedError("expired")

    def took(self, client_id):
        """This process has claimed a client that may be connected to another one: let that one know, also if hints are
        lost, until the client has come to some process. It does not wait."""
        raise NotImplementedError("took")

    def present(self, client_id, owner, connected):
        """Let others know whether the client is connected to this process. It does not wait."""
        raise NotImplementedError("present")
