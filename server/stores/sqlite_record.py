"""The record of a client in the durable store, and what of it is written into the file (sqlite_file.py)."""

from server.stores.memory import Record


class SQLiteRecord(Record):
    """A Record that is equal to what the file has of the client, or ahead of it by what is not committed.

    Args: loaded: the attributes that the file has."""

    def __init__(self, client_id, loaded):
        super().__init__(client_id)
        self.key = None  # of its row
        self.channels = {}  # channel -> its row, as it was last put into a transaction
        self.broken = False  # it differs from the file
        for name, value in loaded.items():
            setattr(self, name, value)
        self.cost = sum(box.cost for box in self._boxes())
        self.safe = self.inbox_next  # the messages of the inbox before this number are in the file

    def _boxes(self):
        return [*self.inbox.values(), *self.outbox.values()]

    def row(self):
        """Returns the client's row, in the order of CLIENT_COLUMNS."""
        return (
            self.key,
            self.client_id,
            self.owner,
            self.epoch.hex(),
            self.peer_epoch and self.peer_epoch.hex(),
            self.cursors[0],
            self.inbox_next,
            self.bases[0],
            self.serial,
            self.pasts.get(0, 0),
            sum([len(box.rows) for box in self._boxes()]),
            self.note,
            self.away_s,
            ",".join("%s:%d" % (name.hex(), start) for name, start in self.runs),
        )

    def changed_channels(self):
        """Returns the rows of the channels that have changed since the last call, in the order of CHANNEL_COLUMNS."""
        if not self.channels and len(self.cursors) == 1 and len(self.bases) == 1:
            return ()
        rows = []
        for channel in {*self.channels, *self.cursors, *self.bases} - {0}:
            row = (self.key, channel, *(found.get(channel, 0) for found in (self.cursors, self.bases, self.pasts)))
            if self.channels.get(channel) != row:
                self.channels[channel] = row
                rows.append(row)
        return rows
