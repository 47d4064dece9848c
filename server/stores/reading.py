"""`Reading`: one channel of one client, as this process reads it out of a store that several processes share.

    waits      another process reads, or this one has not asked yet: `fence` is 0
    reads      `fence` is the number of the claim. Messages are handed out, and `next` is moved behind them
    lost       another process has claimed it, since this one was not seen to live, or the outcome of a statement is not
               known: it waits again, and learns from the table where it stands. What was handed out and was not
               processed is handed out again, here or elsewhere

`gone` is the other cursor: the owner deletes the messages before it. It stays before a message that a call of `take`
has not returned yet. So one whose call is cancelled is still in the table when `next` is moved back to it. If a later
message has been returned by then, `next` stays, and the message waits in RAM for the next call in this process.

It is kept for as long as a call waits, a message is in a reader's hands, or somebody has read in the last IDLE_S; then
it is given back, and another process may have it at once. postgres_reading_statements.py has the fence,
postgres_readings.py what all readings of a process do together.
"""

import asyncio
import time
from collections import deque
from contextlib import suppress
from itertools import takewhile

from primitives.broadcast import Broadcast
from primitives.timeout import Timeout
from protocol.errors import StoreError
from server.core.store import ReadingLost

SETTLE_S = 60.0  # longer than PostgreSQL keeps the row of a transaction that has lost its process
IDLE_S = 10.0  # between two calls of `readline`, another process is not let in


class Reading:
    """Args: readings: Readings; client_id; channel: 0 for the lines."""

    def __init__(self, readings, client_id, channel):
        self.client_id = client_id
        self.channel = channel
        self.key = None  # of the client's row
        self.node = 0  # process that had the client when this one claimed it
        self.fence = 0
        self.wanted = 0  # number from which on a call waits for messages
        self.next = 0  # the messages before it are processed: it is committed
        self.finished = 0  # the messages before it have been processed here
        self.parked = False  # a call waits since `leaving` is set
        self.leaving = False  # it is to be given back when the reader asks for the next message
        self.changed = Broadcast()
        self._readings = readings
        self._rows = deque()  # (number, Message) that were fetched, the oldest first
        self._rows_from = 0  # the messages from this number on are in them
        self._given = []  # numbers of those that were handed out and are not committed, ascending
        self._hands = set()  # numbers of those that a reader has and has not finished
        self._taking = []  # numbers of those that calls of `take` wait to have committed
        self._back = {}  # number -> Message of calls that were cancelled, until it is to be had from the table again
        self._returned = -1  # number of the last message that has been processed: `next` stays behind it
        self._limbo = {}  # `_back` of a claim that was given up
        self._alone_since = 0  # the first claim since which no other process has read
        self._gone_told = 0  # `gone` as the table has it
        self._calls = 0
        self._used = 0.0
        self._claiming = False
        self.last_fence = 0  # of the newest claim of this process
        self.unsettled = False  # a claim was given up or got no answer: it is made again, to learn where it stands
        self.busy = None  # the task in which a transaction of the application is open

    # What Inbox (server/core/inbox.py) promises

    async def take(self, limit, convert):
        """Returns convert(number, Message) of the next message. It has then left the store for good. Raises:
        asyncio.TimeoutError; what convert raises: the message stays."""
        self._calls += 1
        try:
            while True:
                number, message = await self._first(0, limit)
                if self.busy:
                    await self._other_reader(limit)
                    continue
                result = convert(number, message)
                fence = self.fence
                self._taking.append(number)
                try:
                    self._finish(number)
                    while self.fence == fence and self.next <= number:
                        await self.changed.wait()
                    if self.fence != fence:
                        await self._turn()  # it tells what has become of it
                except BaseException:  # cancelled, or the store is away
                    self._taking.remove(number)
                    self._undo(number, message, fence)
                    raise
                self._taking.remove(number)
                if self.next > number and fence >= self._alone_since:
                    self._returned = max(self._returned, number)
                    self._readings.moved(self)
                    return result
        finally:
            self._leave()

    async def next_after(self, done, ahead, start=0):
        """Returns (store, number, Message) of the first message not yet processed, from number `start` on, when it is
        this process's turn.

        done, ahead: as in `done_with`. If that is lost, another reader gets those messages again, and "reading_lost"
        is told."""
        self._calls += 1
        try:
            while True:
                await self._turn()
                if done is not None and not await self._processed(done, ahead):
                    continue
                done = None
                number, message = await self._first(start)
                if self.busy:
                    await self._other_reader()
                    continue
                self._give(number)
                self._hands.add(number)
                return self._readings.store, number, message
        finally:
            self._leave()

    async def done_with(self, done, ahead):
        """Note that the reader has processed the message (store, number) and those before it. Returns when all but
        `ahead` of them are committed. Raises: ReadingLost: another reader gets them again."""
        if not self.fence or not await self._processed(done, ahead):
            raise ReadingLost(f"another process reads channel {self.channel} of {self.client_id} now")

    def abandon(self, number):
        """The reader that has this message is gone, and has not processed it."""
        self._hands.discard(number)
        self._given = [one for one in self._given if one < self.finished]
        if self.idle():
            self._readings.give_back(self)

    # For transactions.py

    async def several(self, most, wanted):
        """Returns [(number, Message)] of the first messages, `most` at most, and one at least, for a transaction. Call
        `end` when it has ended. wanted: function (Message); those for which it is false are none, and are dropped."""
        self._calls += 1
        try:
            while True:
                number, message = await self._first(0)
                if self.busy or self.next != self.finished:
                    await self._other_reader()
                elif not wanted(message):
                    self._finish(number)
                    self._returned = max(self._returned, number)
                elif number < self.finished:  # it has left the table
                    self.busy = asyncio.current_task()
                    return [(number, message)]
                else:
                    self.busy = asyncio.current_task()
                    return list(takewhile(lambda one: wanted(one[1]), self._look(self.finished, most)))
        except BaseException:
            self._leave()
            raise

    def transaction(self, most, wanted, convert):
        """Returns the asynchronous context manager: see Transaction in postgres_transactions.py. Args: most: messages
        of it; wanted: see `several`; convert: function (number, Message) that returns what the application gets."""
        return self._readings.store.transactions.begin(self, most, wanted, convert)

    def end(self, fence=None, processed=(), after=None):
        """The transaction of the reader with this fence has ended. processed: numbers of its messages if it was
        committed, or may have been; after: what `next` is then, if it was committed."""
        self.busy = None
        for number in processed:
            self._back.pop(number, None)
            self._limbo.pop(number, None)
        if after is not None and fence == self.fence:
            self._returned = max(self._returned, *processed)
            self.next = self.finished = after
            self._gone_told = self.gone_before(after)
            self._readings.moved(self)
        if self.fence:
            self._move_back()
        self._leave()
        self.changed.pulse()

    async def again(self, fence, limit):
        """Learn where it stands, when the outcome of a transaction of the reader with this fence is not known. Returns
        whether no other one has been there since. Raises: asyncio.TimeoutError."""
        self._calls += 1
        try:
            await self._turn(limit)
            return fence >= self._alone_since
        finally:
            self._leave()

    # For Readings

    @property
    def gone(self):
        """The messages before this number may be deleted: nobody gets them again."""
        return min(self.next, self.gone_before(self.finished))

    def gone_before(self, number, processed=()):
        """Returns what `gone` is once the messages before this number are processed, and these (numbers)."""
        return min([number, *self._taking, *self._back.keys() - set(processed)])

    def idle(self):
        """Whether nobody uses it now, and nothing is to be committed, nor kept in RAM for the next call."""
        return not (self._calls or self._hands or self.busy or self._back) and self.finished == self.next

    def untold(self):
        """Whether the table does not have `gone`, and no statement is under way that will tell."""
        return bool(self.fence) and not self.busy and self.finished == self.next and self.gone > self._gone_told

    async def settle(self):
        """Claim it anew, since no call does: the row may be this process's yet, and what was not returned is moved
        back. Others get it then. If another one has it for SETTLE_S, all is well."""
        self._calls += 1
        try:
            await self._turn(Timeout(round(SETTLE_S * 1000)))
        except asyncio.TimeoutError:
            pass
        finally:
            self._leave(used=False)

    @property
    def waits(self):
        """Whether a call waits for a message, or for its turn."""
        return self._calls > 0

    def forsook(self, fence, own):
        """A claim was made that no call has got. own: the one before was this process's."""
        if not own:
            self._limbo, self._alone_since = {}, fence

    def keeps(self):
        """Whether messages wait in RAM for the next call."""
        return bool(self._limbo or self._back)

    def unused(self):
        """Whether nobody has used it for some time."""
        return self.idle() and time.monotonic() - self._used >= IDLE_S

    def moved(self, fence, number, gone, done):
        """A statement has ended that was to move `next` and `gone` to these numbers. number: None: `next` was to stay;
        done: whether it has done so; None: nobody knows."""
        if fence != self.fence:
            return
        if number is None and done is not False:
            self._gone_told = gone if done else self._gone_told  # else it is told again
            return
        if not done:
            self.lose("fenced" if done is False else "unknown")
            return
        self.next, self._gone_told = number, gone
        self._given = [one for one in self._given if one >= number]
        in_table = max(number, self.finished)
        self._back = {one: message for one, message in self._back.items() if one < in_table}
        self._readings.moved(self)
        self.changed.pulse()

    def lose(self, why):
        """It is not known to be this process's any longer."""
        if self.fence:
            if why == "fenced":
                self._readings.lost(self)
            self.stop()
            self.unsettled = why != "fenced"

    def stop(self):
        """Wait again, if anybody does."""
        if self.fence:
            self._limbo, self.unsettled = self._back, True
        self.fence = 0
        self._rows.clear()
        self._back = {}
        self._given = []
        self.changed.pulse()

    # Parts

    def _leave(self, used=True):
        self._calls -= 1
        if used:
            self._used = time.monotonic()
        if self.leaving:
            self.changed.pulse()

    async def _turn(self, limit=None):
        """Return when this process may read. Raises: asyncio.TimeoutError."""
        while not (self.fence and self._readings.lives()):
            if self._claiming:
                await self.changed.wait(limit)
                continue
            if self.fence:
                self.stop()
            self._claiming, found = True, self
            try:
                found = await self._readings.claim(self)
            finally:
                self._claiming = False
                if found is not None:  # else the others wait as this one does, until the keeper says so
                    self.changed.pulse()
            if found is not None:
                self.key, self.fence, self.next, own, self.node = found
                self.finished, self.unsettled = self.next, False
                self._find_back(own)
                self._readings.moved(self)  # its owner is told who reads, and up to where
            else:
                await self._readings.look(self, limit)

    async def _first(self, start, limit=None):
        """Returns (number, Message) of the first message that is not processed, from `start` on. Raises:
        asyncio.TimeoutError."""
        asked = False  # the table, since a message was looked for last
        while True:
            while self.leaving:
                self.parked = self.finished == self.next and not self._hands
                try:
                    await self.changed.wait(limit)
                finally:
                    self.parked = False
            await self._turn(limit)
            if self.next > self.finished:  # it is being moved back
                await self.changed.wait(limit)
                continue
            back = [one for one in self._back if start <= one < self.finished]
            if back:
                return min(back), self._back[min(back)]
            found = self._look(max(self.finished, start), 1)
            if found:
                return found[0]
            if not (asked or self._readings.has(self.client_id)):
                fence, number = self.fence, max(self.finished, start)
                rows = await self._readings.fetch(self, number)
                asked = self.fence == fence and max(self.finished, start) >= number  # `finished` may be another one
                if asked and rows:
                    self._rows, self._rows_from = deque(rows), number
                continue  # look again: the client may have come meanwhile, when nobody waited who could be told
            asked = False
            self.wanted = max(self.finished, start)
            await self._readings.look(self, limit)

    async def _other_reader(self, limit=None):
        """Wait for another reader of this process. Raises: RuntimeError: it is the caller, inside its transaction."""
        if self.busy is asyncio.current_task():
            raise RuntimeError(f"channel {self.channel} of {self.client_id} is read inside a transaction of it")
        await self.changed.wait(limit)

    def _look(self, number, most):
        """Returns [(number, Message)] of what is at hand, from this number on."""
        found = self._readings.at_hand(self, number, most)
        if not found and number >= self._rows_from:
            self._rows_from = number
            while self._rows and self._rows[0][0] < number:
                self._rows.popleft()
            found = [self._rows[at] for at in range(min(most, len(self._rows)))]
        return found

    def _give(self, number):
        if number >= self.next and (not self._given or number > self._given[-1]):
            self._given.append(number)

    def _finish(self, number):
        """The message of this number and those before it have been processed. Have that committed."""
        if self._hands:
            self._hands = {one for one in self._hands if one > number}
        self._back.pop(number, None)
        self._give(number)
        if number >= self.finished:
            self.finished = number + 1
            self._readings.move(self, self.finished)

    async def _processed(self, done, ahead):
        """As `done_with`. Returns False if it has been lost."""
        store, number = done
        if store is not self._readings.store:
            return True
        while self.busy:
            await self._other_reader()
        fence = self.fence
        self._finish(number)
        self._returned = max(self._returned, number)
        while self.fence == fence and sum(1 for one in self._given if one < self.finished) > ahead:
            await self.changed.wait()
        return self.fence == fence

    def _undo(self, number, message, fence):
        """The message, taken by the reader with this fence, has left the table, or is about to, and is not returned."""
        if not self.fence:
            if fence >= self._alone_since:
                self._limbo[number] = message
        elif self.fence == fence or number < self.next and fence >= self._alone_since:
            self._back[number] = message
            self._move_back()

    def _find_back(self, own):
        """A claim was made: have the messages again that wait in RAM, if the one before was this process's own."""
        limbo, self._limbo = self._limbo, {}
        if own:
            self._back = {one: message for one, message in limbo.items() if one < self.next}
            self._gone_told = 0  # it has not changed, but that may not be known
            self._move_back()
        else:
            self._alone_since, self._gone_told = self.fence, self.next

    def _move_back(self):
        """Have `next` moved back to those in `_back` behind which nothing was processed, or will be."""
        if self.busy:
            return  # until it ends
        last = max([self._returned, *self._taking, *self._hands])
        back = [one for one in self._back if last < one < self.finished]
        if back:
            self.finished = min(back)
            self._given = [one for one in self._given if one < self.finished]
            with suppress(StoreError):  # it is closed, or gone: nothing is written any more
                self._readings.move(self, self.finished)
