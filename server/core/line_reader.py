"""Readers of messages from the store, lines or those of a channel: for calls that take one, and for the iterator
`Messages`. This module does not use connections.

A call of `readline` or `receive` gets a message that has left the store. If the process is killed
then, the message is gone. If the call is cancelled before, the message is given back.
With Messages, a message leaves the store when the application has processed it.
"""

from protocol.line_bytes import decode_line, line_fault

AHEAD = 1  # default of Messages: two messages to a sync, and two at most that a crash repeats


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
        self._given = []  # numbers of those that a reader has got before they left the store
        self._at_work = False

    def begin(self, store, state):
        """Begin with a newly claimed state, perhaps in another store."""
        if store is not self._store:
            self.finished = self._dropped = 0
            self._given = []
        self._store = store
        self._owner = state.owner

    def give(self, number):
        """Note that a reader gets the message of this number, which stays in the store until it is finished."""
        if number >= self._dropped and (not self._given or number > self._given[-1]):
            self._given.append(number)

    def finish(self, number):
        """Note that the application has processed the line of this number, and those before it."""
        if number >= self.finished:
            self.give(number)
            self.finished = number + 1

    @property
    def unsafe(self):
        """Returns the number of processed messages of this channel that a next process would see again."""
        given, at = self._given, len(self._given)
        while at and given[at - 1] >= self.finished:  # ascending: only those in the readers' hands are passed
            at -= 1
        return at

    @property
    def wants(self):
        """True if there may be something for `step` to do."""
        return self._dropped != self.finished or len(self.taken) != self.readers

    @property
    def settled(self):
        """True if no line is on its way."""
        return not (self.taken or self._dropped != self.finished or self._at_work)

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
            self._given = [number for number in self._given if number >= finished]
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


class Messages:
    """The messages of one channel of a client, or its lines: `async for message in channel: ..`,
    `async for line in conn.lines(): ..`. The contract is the same for both.

    A message is committed when the next one is requested. If the application
    raises, is cancelled, or its process dies before the request, the message is
    returned again, by a new iterator or by `receive` or `readline`.

    The next message is returned while up to `ahead` commits are not safe yet.
    So after a crash the next process may see up to `ahead` messages again that
    were committed, and the one that was being processed: two at most with the
    default of 1, and with 0 one, since each message then waits for the commit
    of the one before. More is for applications that need more messages of one
    client than two for each sync of the disk.

    `number` is the number of the message returned last. It counts from 0 for each client, over its lines and all its
    channels, and never changes, so it identifies a repeated message. An application can store the number with its
    result, in one transaction of its own. It then processes each message exactly once.

    Use one reader of a channel at a time. With a second one, both may see a message.

    Args: take: coroutine function () that returns a message which has left the store; look: coroutine function (done,
    ahead) that returns (store, number, message), see Inbox.next_after; convert: function (message) that returns what
    the reader gets of it, or None: the message; commit: "after", or "before", which commits as take does; abandon:
    function (store, number), called in any thread when nobody can ask for the next message any more.
    """

    def __init__(self, take, look, convert, commit, ahead, abandon):
        self._done = None  # (store, number)
        if commit not in ("after", "before"):
            raise ValueError('commit must be "after" or "before"')
        if not isinstance(ahead, int) or ahead < 0:
            raise ValueError("ahead must be a whole number from 0 on")
        self.number = None
        self._take = take
        self._look = look
        self._convert = convert
        self._after = commit == "after"
        self._ahead = ahead
        self._abandon = abandon

    def __del__(self):  # of CPython: under MicroPython no store is shared
        if self._done is not None:
            self._abandon(self._done)

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self._after:
            return await self._take()
        store, number, message = await self._look(self._done, self._ahead)
        if self._convert is not None:
            message = self._convert(message)  # if there is no memory for it, it is returned later
        self._done = (store, number)
        self.number = number
        return message


def readable(data):
    """Returns (the line as str, None), or (the closest valid line, what is wrong with the original).

    Only a store that was filled before receivers checked lines can have a faulty one. Its client was told that
    it is safe, so it is delivered: with U+FFFD for what is not UTF-8, and for a newline. MicroPython has no such store.
    """
    fault = line_fault(data)
    if fault:
        return str(data, "utf-8", "replace").replace("\n", "\ufffd") + "\n", fault
    return decode_line(data), None
