"""What this process puts into the mail of clients that others have: several clients, and several messages, at a time.

The statements, and why a repeated one does no harm, are in postgres_mail.py. Messages of a channel go in the order of
the calls. One for which there is no room stays in front, and is tried again when the owner has told of room, and at
each beat.
"""

import asyncio

from protocol.errors import Expired, StoreError
from server.core.clock import utc_ms
from server.core.store import StoreGone
from server.stores import postgres_mail
from server.stores.postgres_nodes import GIVEN_UP

MOST = 500  # messages in one statement
_ENDED = "the loop that has waited for the database has ended"
_FORGOTTEN = "the message was deleted with all that waited for the client"
_LOST = "the database has lost the message: it is an older one than the one that had it"


class Letter:
    """A message on its way into the mail."""

    def __init__(self, message, watched, number, stored):
        self.message = message
        self.watched = watched
        self.number = number  # of its client, channel and writer
        self.stored = stored  # Future
        self.key = None  # (client, channel, number), once it is sent


class _Line:
    """The letters for one channel of one client, the oldest first."""

    def __init__(self):
        self.letters = []
        self.sent = 0  # letters in front that are in the statement under way
        self.full = False  # the first one had no room when it was tried last
        self.last = 0  # number of the last letter ever
        self.client = None  # key, once there is a row in `writer`


class Letters:
    """Args: call: coroutine function (function of postgres_mail.py, *args) that has it performed by the store's thread;
    joined: coroutine function that returns the id of this process, once it has one; limits: function () -> those of
    postgres_mail.put; epoch: function (client id) -> that of a client that is new; tell: function (node, word, key) of
    Hints."""

    def __init__(self, call, joined, limits, epoch, tell):
        self._call = call
        self._joined = joined
        self._limits = limits
        self._epoch = epoch
        self._tell = tell
        self._lines = {}  # (client id, channel) -> _Line
        self._watched = {}  # key of a letter -> (Future, time at which it expires or 0)
        self._done = {}  # key -> None, of letters whose writers wait no longer
        self._putting = self._looking = None  # tasks
        self._again = False  # look again when `_looking` has ended
        self._ended = False  # the store has

    async def put(self, client_id, message, watched):
        """Returns the Letter when it is safe. Raises: StoreError."""
        line = self._lines.setdefault((client_id, message.channel), _Line())
        line.last += 1
        letter = Letter(message, watched, line.last, asyncio.get_running_loop().create_future())
        line.letters.append(letter)
        self._go_on()
        try:
            await letter.stored
        except asyncio.CancelledError:
            if letter in line.letters[line.sent :]:
                line.letters.remove(letter)
            raise
        return letter

    async def accepted(self, letter):
        """As in core/others.py. Raises StoreError too."""
        if self._ended:
            raise StoreError("the store is closed")
        future = asyncio.get_running_loop().create_future()
        time = letter.message.time
        self._watched[letter.key] = future, time
        alarm = None
        if time:
            alarm = asyncio.get_running_loop().call_later(max(0, time - utc_ms()) / 1000, self.look)
        try:
            await future
        finally:
            del self._watched[letter.key]
            if alarm is not None:
                alarm.cancel()
            if future.cancelled() or future.exception() is not None:  # its row stays until nobody waits for it
                self._done[letter.key] = None
                self.look()

    def under_way(self, client_id, channel):
        """Returns the futures of the letters for a channel that may be in a statement."""
        line = self._lines.get((client_id, channel))
        return [letter.stored for letter in line.letters[: line.sent]] if line else []

    def retry(self):
        """There may be room."""
        for line in self._lines.values():
            line.full = False
        self._go_on()

    def end(self):
        """The store has ended: calls that wait learn it, and those that begin to wait now."""
        self._ended = True
        self.retry()
        self.look()

    def look(self):
        """Something may have become of what was put."""
        if _runs(self._looking):
            self._again = True
        elif self._watched or self._done:
            self._looking = asyncio.create_task(self._look())

    # Putting

    def _go_on(self):
        if not _runs(self._putting):
            if any(line.letters and not line.full for line in self._lines.values()):
                self._putting = asyncio.create_task(self._put_all())

    async def _put_all(self):
        while batch := self._next():
            error = StoreError(_ENDED)
            try:
                await self._put(batch)
                error = None
            except StoreError as fault:
                error = fault
            finally:
                for line, letters in batch:
                    line.sent = 0
                    if error is not None:
                        self._fail(line, letters, error)

    def _fail(self, line, letters, error):
        """Nobody knows what became of these letters, the first ones of a line. Their numbers are not used again."""
        del line.letters[: len(letters)]
        for letter in letters:
            if not letter.stored.done():
                letter.stored.set_exception(type(error)(str(error)))

    def _next(self):
        """Returns [(_Line, [Letter])] of the next statement."""
        batch, count = [], 0
        for line in self._lines.values():
            if line.letters and not line.full and count < MOST:
                letters = line.letters[: MOST - count]
                line.sent = len(letters)
                count += len(letters)
                batch.append((line, letters))
        return batch

    async def _put(self, batch):
        node = await self._joined()
        names = {id(line): name for name, line in self._lines.items()}
        new = [names[id(line)] for line, _ in batch if line.client is None]
        if new:
            clients = [(client_id, self._epoch(client_id), channel) for client_id, channel in new]
            keys = await self._call(postgres_mail.enter, node, clients)
            for name in new:
                self._lines[name].client = keys[name[0]]
        rows = []
        for line, letters in batch:
            for letter in letters:
                message = letter.message
                letter.key = line.client, message.channel, letter.number
                result = postgres_mail.WATCHED if letter.watched else postgres_mail.UNWATCHED
                rows.append((*letter.key, message.kind, message.time, message.data, result))
        found = await self._call(postgres_mail.put, node, rows, self._limits(), utc_ms())
        for line, letters in batch:
            channel = letters[0].message.channel
            if (line.client, channel) not in found:
                raise StoreGone(GIVEN_UP)
            last, node = found[line.client, channel]
            safe = [letter for letter in letters if letter.number <= last]
            for letter in safe:
                if letter.stored.done():  # it was cancelled
                    self._done[letter.key] = None
                else:
                    letter.stored.set_result(None)
            line.full = len(safe) < len(letters)
            del line.letters[: len(safe)]
            line.letters = [letter for letter in line.letters if not letter.stored.done()]
            if safe and node:
                self._tell(node, "mail", line.client)

    # What became of it

    async def _look(self):
        while True:
            self._again = False
            try:
                await self._look_once()
            except StoreError as error:
                for future, _ in [*self._watched.values()]:
                    if not future.done():
                        future.set_exception(type(error)(str(error)))
            if not self._again:
                return

    async def _look_once(self):
        if self._done:
            done = [*self._done]
            await self._call(postgres_mail.unwatch, await self._joined(), done)
            for key in done:
                self._done.pop(key, None)
        watched, now = {**self._watched}, utc_ms()
        if not watched:
            return
        late = [key for key, (_, time) in watched.items() if 0 < time <= now]
        found = await self._call(postgres_mail.results, await self._joined(), [*watched], late, now)
        for key, (future, _) in watched.items():
            if not future.done():
                self._settle(key, future, found)

    def _settle(self, key, future, found):
        if key not in found:
            future.set_exception(StoreError(_LOST))
        elif found[key] is None:
            future.set_result(None)
        elif found[key] == postgres_mail.EXPIRED:
            future.set_exception(Expired("the message on channel %d was not accepted in time" % key[1]))
        elif found[key] == postgres_mail.FORGOTTEN:
            future.set_exception(StoreError(_FORGOTTEN))


def _runs(task):
    """Whether the task has not ended, and its loop has not either."""
    return task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop()
