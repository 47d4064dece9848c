"""The record of a client in the durable store, and what of it is written into the file (sqlite_file.py)."""

from server.stores.memory import Record


class SQLiteRecord(Record):
    """A Record that is equal to what the file has of the client, or ahead of it by what is not committed.

    Args: loaded: the attributes that the file has."""

    def __init__(self, client_id, loaded):
        super().__init__(client_id)
        self.key = None  # of its row
        self.channels = {}  # channel -> its row, as it was last put into a transaction
        self.broken = None  # or what is wrong: it differs from the file
        for name, value in loaded.items():
            setattr(self, name, value)
        self.cost = sum(box.cost for boxes in (self.inbox, self.outbox) for box in boxes.values())
        self.safe = self.inbox_next  # the messages of the inbox before this number are in the file

    def row(self):
        """Returns the client's row, in the order of CLIENT_COLUMNS."""
        messages = 0
        for boxes in (self.inbox, self.outbox):
            for box in boxes.values():
                messages += len(box.numbers)
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
            messages,
            self.note,
            self.away_s,
            ",".join("%s:%d" % (name.hex(), start) for name, start in self.runs),
        )

    def changed_channels(self):
        """Returns the rows of the channels that have changed since the last call, in the order of CHANNEL_COLUMNS."""
        if not self.channels and len(self.cursors) == 1 and len(self.bases) == 1:
            return ()
        rows = []
        for channel in {*self.channels, *self.cursors, *self.bases}:
            numbers = (self.cursors.get(channel, 0), self.bases.get(channel, 0)) if channel else (0, 0)
            row = (self.key, channel, *numbers, self.pasts.get(channel, 0), self.expired.get(channel, 0))
            if self.channels.get(channel) != row:
                self.channels[channel] = row
                rows.append(row)
        return rows
