"""Mail for the clients that this process has claimed: fetched, and moved into their outboxes.

The store's thread fetches it, between two transactions, over the connection that commits them, and the event loop
learns of both in that order: a fetch has what the transactions before it have left, and none of those after it. What
was moved in a transaction that has not ended may be fetched again; `taken` has it.
"""

from collections import deque

from server.core.clock import utc_ms
from server.core.message import UNNUMBERED, Message
from server.stores import postgres_mail
from server.stores.gathered import Gathered
from server.stores.postgres_mail import EXPIRED, FORGOTTEN


class Mail:
    """The mail of one client, in its record. Args: rows: all that was there when it was claimed."""

    def __init__(self, rows=()):
        self.waiting = {}  # channel -> deque of (key, Message, watched), the oldest first
        self.moved = {row["serial"]: (_key(row), row["result"]) for row in rows if row["serial"] is not None}
        self.taken = set()  # keys of what was removed or moved in a transaction that has not ended
        self.fill(rows)

    def fill(self, rows):
        """Wait with what was not moved: the rows have all of it, and perhaps what is taken."""
        self.waiting = {}
        for row in rows:
            if row["serial"] is None and _key(row) not in self.taken:
                message = Message(row["channel"], row["kind"], row["time"], row["data"])
                self.waiting.setdefault(message.channel, deque()).append((_key(row), message, row["result"]))

    def messages(self):
        """Returns the messages that wait and must not be lost, those of each channel in their order."""
        waiting = [message for queue in self.waiting.values() for _, message, _ in queue]
        return [message for message in waiting if not message.kind & UNNUMBERED]

    def left_over(self, serials):
        """Forget what was moved and has none of these serials. Returns the keys: it is in no outbox any more."""
        gone = self.moved.keys() - serials
        return [self.moved.pop(serial)[0] for serial in gone]


def _key(row):
    return row["client"], row["channel"], row["writer"], row["number"]


class Arrived:
    """Args: own: Own (postgres.py); tell: function (node, word) of Hints; on_mail: function (client id)."""

    def __init__(self, own, tell, on_mail):
        self._own = own
        self._tell = tell
        self._on_mail = on_mail
        self._fetches = Gathered(self._work)

    async def fetch(self, key):
        """Fetch the mail of a client (its key), if this process has it. What was put before is known then."""
        await self._fetches.call(key)

    def _work(self, keys, done):
        records = {}
        for key in keys:
            record = self._own.record_of(key)
            if record is not None:
                records[key] = record

        def fetched(rows, error):
            if error is None:
                self._fetched(records, rows)
            done(dict.fromkeys(keys), error)

        self._own.start(fetched, postgres_mail.waiting, [*records])

    def _fetched(self, records, rows):
        found = {}
        for row in rows:
            found.setdefault(row["client"], []).append(row)
        for key, record in records.items():
            if self._own.record_of(key) is record:  # else it was lost, or claimed with what the mail has had then
                record.mail.fill(found.get(key, ()))
                if record.mail.waiting:
                    self._on_mail(record.client_id)

    # All these are parts of the next transaction, which the caller begins

    def move(self, record, channel, most):
        """Move messages from the mail to the outbox, those that have room. Returns [(Message, whether its writer waits
        for it)], and whether anything is to be written."""
        moved, queue, now, changed = [], record.mail.waiting.get(channel), utc_ms(), False
        while queue and len(moved) < most:
            key, message, watched = queue[0]
            if 0 < message.time <= now:
                self._remove(key, EXPIRED)
            elif message.kind & UNNUMBERED:
                self._remove(key, None)  # first, so that it is not sent twice
                moved.append((message, False))
            elif self._own.outbox_room(record.client_id, len(message.data), channel):
                record.mail.moved[record.serial] = key, watched
                self._own.put_from_mail(record, key, message)
                moved.append((message, bool(watched)))
            else:
                break
            queue.popleft()
            self._take(record, key)
            if not watched:
                self._tell_later(key)  # its writer may have more, and waits for room
            changed = True
        if not queue:
            record.mail.waiting.pop(channel, None)
        return moved, changed

    def left(self, record, serials, result=None):
        """These messages have left the outbox. result: FORGOTTEN, or None: the client has them."""
        for serial in serials:
            if serial in record.mail.moved:
                self._remove(record.mail.moved.pop(serial)[0], result)

    def expired(self, record, serial):
        """The message with this serial has expired, and is empty."""
        if serial in record.mail.moved:
            key, watched = record.mail.moved[serial]
            if watched:
                del record.mail.moved[serial]
                self._remove(key, EXPIRED)

    def forget(self, record):
        """Remove all mail that waits for a client. Returns how much it was."""
        keys = [key for queue in record.mail.waiting.values() for key, _, _ in queue]
        record.mail.waiting = {}
        for key in keys:
            self._remove(key, FORGOTTEN)
            self._take(record, key)
        return len(keys)

    def _remove(self, key, result):
        rows = self._own.rows
        if result is None:
            rows.drop(key)
        else:
            rows.settle(key, result)
        self._tell_later(key)

    def _tell_later(self, key):
        self._own.after_commit(lambda: self._tell(key[2], "result"))

    def _take(self, record, key):
        record.mail.taken.add(key)
        self._own.after_commit(lambda: record.mail.taken.discard(key))
