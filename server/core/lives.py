"""How many lives a client has had. A *life* is the time between two starts of the client: it has one epoch.

They are counted as a note in the store (notes.py): the count, a blank, and the epoch of the present life, hexadecimal.
So the count is as durable as the store, and goes on after a restart of the server. It is stored when the session is set
up, whether or not the client sends anything. A store of an older version begins to count now.
"""

from protocol.errors import StoreError

NOTE = "life"  # name of the note


class Lives:
    """Args: events: Events; changed: Broadcast that is pulsed after `met`; loaded: coroutine function that returns
    when the client's state is loaded, and raises its fault."""

    def __init__(self, client_id, events, changed, loaded):
        self.count = 0  # lives that the store has seen; 0 before its state is loaded, and if it knows none
        self._epoch = ""  # of the present life
        self._notes = None
        self._client_id = client_id
        self._events = events
        self._changed = changed
        self._loaded = loaded

    def begin(self, notes, epoch):
        """Go on with a newly claimed state. epoch: of the client, as the store knows it, or None."""
        self._notes = notes
        count, _, known = notes.get(NOTE).partition(" ")
        if known:
            self.count, self._epoch = int(count), known
        else:
            self.count, self._epoch = (1, epoch.hex()) if epoch else (0, "")

    def met(self, epoch):
        """A session with this life of the client is set up. Raises: StoreError."""
        epoch = epoch.hex()
        if epoch == self._epoch:
            return
        try:
            self._notes.put(NOTE, "%d %s" % (self.count + 1, epoch), at_once=True)
        except Exception as error:  # a store may raise any exception
            raise StoreError("the store failed: %s" % error)
        self.count += 1
        self._epoch = epoch
        if self.count > 1:  # a client that comes for the first time is no news
            self._events.tell("new_life", self._client_id, lives=self.count)

    async def after(self, lives):
        """Returns the count when it is not this one (None: the present one), and not 0."""
        await self._loaded()
        known = self.count if lives is None else lives
        while self.count in (0, known):
            await self._changed.wait()
            await self._loaded()
        return self.count
