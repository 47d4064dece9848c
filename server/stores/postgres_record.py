"""The record of a client in the store in PostgreSQL, and what of it is written into its row."""

import json

from server.stores.memory import Record
from server.stores.postgres_arrived import Mail


def client_rows(records, batch):
    """Returns the rows of these records for the transaction of this name."""
    rows = [record.row() for record in records]
    for record in records:
        record.batch = batch
    return rows


class PostgresRecord(Record):
    """A Record that is equal to what the database has of the client, or ahead of it by what is not committed.

    Args: loaded: the attributes that the database has."""

    def __init__(self, client_id, loaded):
        super().__init__(client_id)
        self.key = None  # of its row
        self.version = 0  # that its row has when what was sealed is committed
        self.batch = None  # and the name of the transaction that has written it then
        self.node = 0  # id of the process that has claimed it
        self.connected = False  # to that process
        self.connections = 0  # so far, to any process
        self.readers = {}  # channel -> process that reads it, as far as it is known here
        self.served = False  # a handler of `serve` has had it: only of one that is copied
        self.first = None  # ClientState of the claim with which it was read
        self.broken = None  # or what is wrong: FAILED or CLAIMED of batched.py
        loaded = dict(loaded)
        self.mail = Mail(loaded.pop("mail", ()))
        for name, value in loaded.items():
            setattr(self, name, value)
        self.cost = sum(box.cost for boxes in (self.inbox, self.outbox) for box in boxes.values())
        self.safe = self.inbox_next  # the messages of the inbox before this number are in the database

    def row(self):
        """Returns the client's row, in the order of CLIENT (postgres_database.py), for the next transaction."""
        version, self.version = self.version, self.version + 1
        return (
            self.key,
            version,
            self.batch,
            self.owner,
            self.epoch,
            self.peer_epoch,
            self.cursors[0],
            self.inbox_next,
            self.bases[0],
            self.serial,
            sum(len(box.numbers) for boxes in (self.inbox, self.outbox) for box in boxes.values()),
            self.cost,
            self.note,
            self.away_s,
            ",".join(f"{name.hex()}:{start}" for name, start in self.runs),
            self._channels(),
            self.node,
            self.connected,
            self.connections,
        )

    def _channels(self):
        if len(self.cursors) == 1 and len(self.bases) == 1 and not self.expired and set(self.pasts) <= {0}:
            if not self.pasts or self._only_lines():
                return ""
        return json.dumps(
            {
                channel: (
                    self.cursors.get(channel, 0), self.bases.get(channel, 0), self.pasts.get(channel, 0),
                    self.expired.get(channel, 0),
                )
                for channel in {0, *self.cursors, *self.bases}
            }
        )  # fmt: skip

    def _only_lines(self):
        """Whether channel 0's past is what follows from its outbox: no other channel has had a serial."""
        return self.pasts[0] == self.serial - sum(len(box.numbers) for box in self.outbox.values())
