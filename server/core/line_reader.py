"""Readers of lines from the store: for calls of `readline`, and for the
iterator `Lines`. This module does not use connections.

A call of readline gets a line that has left the store. If the process is killed
then, the line is gone. If the call is cancelled before, the line is given back.
With Lines, a line leaves the store when the application has processed it.
"""

from protocol.line_bytes import decode_line, line_fault


class LineReader:
    """The requests of the readers of one channel of a client to its store. `step` performs them."""

    def __init__(self, client_id, channel=0):
        self.readers = 0  # calls of readline that wait
        self.taken = []  # (number, Message) of lines that have left the store for them
        self.finished = 0  # the application has processed the lines before this number
        self._client_id = client_id
        self._channel = channel
        self._store = None
        self._owner = 0
        self._dropped = 0  # the lines before this number have left the store
        self._at_work = False

    def begin(self, store, state):
        """Begin with a newly claimed state, perhaps in another store."""
        if store is not self._store:
            self.finished = self._dropped = 0
        self._store = store
        self._owner = state.owner

    def finish(self, number):
        """Note that the application has processed the line of this number, and those before it."""
        self.finished = max(self.finished, number + 1)

    @property
    def unsafe(self):
        """Returns the number of processed lines that a next process would see again, or more: messages of other
        channels that came between them are counted too."""
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
        """Do the next operation. Returns False if there is none."""
        self._at_work = True
        try:
            return await self._step()
        finally:
            self._at_work = False

    async def _step(self):
        if self._dropped != self.finished:
            finished = self.finished
            await self._store.drop(self._client_id, self._owner, finished, self._channel)
            self._dropped = finished
            return True
        if len(self.taken) > self.readers:
            await self._give_back()
            return True
        if len(self.taken) < self.readers:
            taken = await self._store.take(self._client_id, self._owner, self._channel)
            if taken is not None:
                self.taken.append(taken)
                return True
        return False

    async def _give_back(self):
        taken = self.taken.pop()
        try:
            await self._store.give_back(self._client_id, self._owner, taken[0], taken[1])
        except Exception:
            self.taken.append(taken)  # there is no other copy
            raise


class Lines:
    """The lines of one client, as str with their newlines: `async for line in conn.lines(): ..`

    A line is committed when the next one is requested. The next one is
    returned when that commit is safe. If the application raises, is cancelled,
    or its process dies before the request, the line is returned again, by a
    new iterator or by readline. `number` is the number of the line returned
    last. It counts from 0 for each client and never changes, so it identifies
    a repeated line. An application can store the number with its result, in
    one transaction of its own. It then processes each line exactly once.

    With `ahead`, up to that many lines may be returned before the commit of
    the first of them is safe. The next process may see them again. It is for
    applications that need more lines of one client than commits per second.

    Use one reader at a time. With a second one, both may see a line.

    commit: "after", or "before", which commits as readline does.
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
        connection = self._connection
        connection.admit_reader()
        store, number, message = await connection.inbox.next_after(self._done, self._ahead)
        line = connection.text_of(message.data)  # if there is no memory for it, it is returned later
        self._done = (store, number)
        self.number = number
        return line


def readable(data):
    """Returns (the line as str, None), or (the closest valid line, what is wrong with the original).

    Only a store that was filled before receivers checked lines can have a faulty one. Its client was told that
    it is safe, so it is delivered: with U+FFFD for what is not UTF-8, and for a newline. MicroPython has no such store.
    """
    fault = line_fault(data)
    if fault:
        return str(data, "utf-8", "replace").replace("\n", "\ufffd") + "\n", fault
    return decode_line(data), None
