"""Lines on their way out of the store: for calls of `readline`, and for the
iterator `Lines`. Knows nothing of connections.

A call of readline gets a line that has left the store: one that is killed with
its process has had it, one that is cancelled before gives it back. Of Lines,
a line leaves the store when the application is done with it.
"""

from protocol.lines import decode_line, line_fault


class LineReader:
    """What the readers of one client want of its store; `step` does it."""

    def __init__(self, client_id):
        self.readers = 0  # calls of readline that wait
        self.taken = []  # lines that have left the store for them
        self.finished = 0  # the application is done with the lines before this number
        self._client_id = client_id
        self._store = None
        self._owner = 0
        self._dropped = 0  # as finished, of those that have left the store
        self._at_work = False

    def begin(self, store, state):
        """Begin with a state that was claimed, perhaps in another store."""
        if store is not self._store:
            self.finished = self._dropped = 0
        self._store = store
        self._owner = state.owner

    def finish(self, number):
        """Note that the application is done with the line of this number, and those before."""
        self.finished = max(self.finished, number + 1)

    @property
    def unsafe(self):
        """The number of lines that the application is done with, and that a next process would see again."""
        return self.finished - self._dropped

    @property
    def wants(self):
        """True if there may be something for `step` to do."""
        return self._dropped != self.finished or len(self.taken) != self.readers

    @property
    def settled(self):
        """True if no line is on its way."""
        return not (self.taken or self.unsafe or self._at_work)

    async def step(self):
        """Do the next thing that is to be done. Returns False if there is none."""
        self._at_work = True
        try:
            return await self._step()
        finally:
            self._at_work = False

    async def _step(self):
        if self._dropped != self.finished:
            finished = self.finished
            await self._store.drop(self._client_id, self._owner, finished)
            self._dropped = finished
            return True
        if len(self.taken) > self.readers:
            await self._give_back()
            return True
        if len(self.taken) < self.readers:
            line = await self._store.take(self._client_id, self._owner)
            if line is not None:
                self.taken.append(line)
                return True
        return False

    async def _give_back(self):
        line = self.taken.pop()
        try:
            await self._store.give_back(self._client_id, self._owner, line)
        except Exception:
            self.taken.append(line)  # it is nowhere else
            raise


class Lines:
    """The lines of one client, as str with their newlines: `async for line in conn.lines(): ..`

    A line is committed when the next one is asked for, and the next one given
    when that is safe. So an application that raises, is cancelled, or dies
    with its process before it has asked sees the line again, from a new
    iterator or from readline. `number` tells it: that of the line given last,
    which counts from 0 for each client and stays the same whatever happens.
    An application that keeps the number with what it makes of the line, in
    one transaction of its own, does everything exactly once.

    With `ahead`, so many lines may be given before the commit of the first of
    them is safe, and seen again by the next process: for applications that
    want more lines of one client than there are commits a second.

    One reader at a time: of a second one, both may see a line.

    commit: "after", or "before": as with readline.
    """

    def __init__(self, connection, commit, ahead):
        if commit not in ("after", "before"):
            raise ValueError('commit must be "after" or "before"')
        self.number = None
        self._connection = connection
        self._after = commit == "after"
        self._ahead = ahead
        self._done = None  # (store, number)

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self._after:
            return await self._connection.readline()
        store, number, data = await self._connection.next_after(self._done, self._ahead)
        line = self._connection.text_of(data)  # one that cannot be made now comes again
        self._done = (store, number)
        self.number = number
        return line


def readable(data):
    """Returns (the line as str, None), or (a line as like it as can be, what is wrong with it).

    Only a store that was filled before receivers looked at lines has one with a fault. Its client has been told that
    it is safe, so it is delivered: with U+FFFD for what is not UTF-8, and for a newline. MicroPython has no such store.
    """
    fault = line_fault(data)
    if fault:
        return str(data, "utf-8", "replace").replace("\n", "\ufffd") + "\n", fault
    return decode_line(data), None
