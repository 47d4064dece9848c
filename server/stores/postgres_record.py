"""The record of a client in the store in PostgreSQL, and what of it is written into its row."""

import json
import re

from protocol.errors import StoreError
from server.core.store import Fenced
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


def claimer(client_id, seen, node):
    """Returns the function that makes the record of a client that this process claims, for PostgresDatabase.claim, or
    Fenced."""

    def claim(loaded):
        record = PostgresRecord(client_id, loaded)
        record.node = node
        try:
            record.first = record.claim(seen)
        except Fenced as error:
            return error
        return record

    return claim


def attributes_of(row, boxes, mail):
    """Returns the attributes of a PostgresRecord, or a StoreError: messages are missing.

    Args: row: of the client; boxes: {"inbox" and "outbox": {channel: Box}}; mail: rows of the client's mail."""
    found = sum(len(box.numbers) for box in (*boxes["inbox"].values(), *boxes["outbox"].values()))
    if found != row["messages"]:
        text = f"the store is damaged: client {row['id']} has {found} messages, and {row['messages']} were written"
        return StoreError(text)
    channels = {int(number): tuple(state) for number, state in json.loads(row["channels"] or "{}").items()}
    pasts = {number: state[2] for number, state in channels.items()}
    pasts.setdefault(0, row["outbox_next"] - sum(len(box.numbers) for box in boxes["outbox"].values()))
    return {
        "key": row["key"], "version": row["version"], "batch": row["batch"], "owner": row["owner"],
        "epoch": row["epoch"], "peer_epoch": row["peer_epoch"], "inbox_next": row["inbox_next"],
        "serial": row["outbox_next"],
        "inbox": boxes["inbox"], "outbox": boxes["outbox"],
        "cursors": {**{number: state[0] for number, state in channels.items()}, 0: row["next_number"]},
        "bases": {**{number: state[1] for number, state in channels.items()}, 0: row["base"]}, "pasts": pasts,
        "expired": {number: state[3] for number, state in channels.items() if state[3]},
        "note": row["note"], "away_s": row["away_s"],
        "runs": [(bytes.fromhex(name), int(start)) for name, start in re.findall("(.*?):(.*?)(?:,|$)", row["runs"])],
        "connections": row["connections"],
        "mail": mail,
    }  # fmt: skip
