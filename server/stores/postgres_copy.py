"""A store in PostgreSQL, as `pb-link store copy` (copying.py) and `move` (moving.py) read and write it."""

import os

from protocol.errors import StoreError
from server.stores import postgres_shards
from server.stores.copying import insert_all, moved, with_keys
from server.stores.postgres_database import BATCH_BYTES, PostgresDatabase
from server.stores.postgres_reading_statements import FENCE, SERVE, SERVED, rows_of
from server.stores.postgres_record import PostgresRecord, client_rows
from server.stores.postgres_schema import SCHEMA
from server.stores.postgres_statements import Changes
from server.stores.postgres_timeline import PostgresTaken, rows_after
from server.stores.rendezvous import Placement
from server.stores.timeline import raised


class Tables:
    """Args: url: of the database; schema: of its tables. shard: its Shard (postgres_shards.py). Raises: StoreError."""

    def __init__(self, url, schema=SCHEMA):
        self._keys = {None: 0}  # of the clients that are written; None: the server
        self._database = PostgresDatabase(url, schema)
        try:
            self._database.open()
            self.shard = self.perform(postgres_shards.read, self._database.where)
        except BaseException:
            self._database.close()
            raise

    def ids(self):
        """Returns the ids of all clients."""
        return self._database.ids()

    def read(self, ids):
        """Returns the records of these clients. It claims them: a server or a reader that still has them is fenced."""

        def claim(client_id, loaded):
            record = PostgresRecord(client_id, loaded)
            record.claim()
            return record

        records = self._made(ids, claim)
        by_key = {record.key: record for record in records}
        for row in self.perform(rows_of, FENCE, list(by_key)):
            if row["channel"] == SERVED:
                by_key[row["client"]].served = True
            else:  # what was read and is not deleted yet
                by_key[row["client"]].drop(row["next"], row["channel"])
        for record in records:
            for message in record.mail.messages():  # a copy has it in the outbox
                record.put(message)
        return records

    def write(self, records):
        """Add these clients, which are not there yet."""
        by_id = {record.client_id: record for record in records}
        changes = Changes()
        made = self._made(by_id, lambda client_id, new: moved(by_id[client_id], PostgresRecord(client_id, new)))
        self._keys |= {record.client_id: record.key for record in made}
        served = [record.key for record in made if getattr(by_id[record.client_id], "served", False)]
        self.perform(rows_of, SERVE, served)
        for record in made:
            insert_all(changes, record)
        batch = os.urandom(BATCH_BYTES)
        if self._database.commit((changes, client_rows(made, batch), batch)):
            raise StoreError(f"{self._database.where} is in use by a server: end that one")

    def history(self, keys=None):
        """Yields what was measured: [(level, begin, client id or None: the server, run, data)], some at a time. keys:
        of clients, 0 for the server; None: of all."""
        rows, place = self.perform(rows_after, None, keys)
        while place:
            yield rows
            rows, place = self.perform(rows_after, place, keys)

    def keep(self, rows):
        """Add rows of the history, as `history` yields them, of clients that were written here."""
        self.perform(PostgresTaken(with_keys(rows, self._keys), None, raised).write)

    def perform(self, function, *args):
        """See PostgresDatabase."""
        return self._database.perform(function, *args)

    def close(self):
        """End the connection."""
        self._database.close()

    def _made(self, ids, function):
        wanted = [(client_id, b"", lambda loaded, name=client_id: function(name, loaded)) for client_id in ids]
        records = self._database.claim(wanted)
        for record in records.values():
            if isinstance(record, StoreError):
                raise record
        return [records[client_id] for client_id in ids]


def open_tables(url, opened, *schema):
    """Returns the Shard of a database, whose Tables are in `opened` then, {id of the database: Tables}."""
    tables = Tables(url, *schema)
    if tables.shard.id in opened:
        tables.close()
    else:
        opened[tables.shard.id] = tables
    return tables.shard


class Databases:
    """All databases of a store, as `Tables` has one. Args: urls. Raises: StoreError."""

    def __init__(self, urls):
        self._tables = {}  # id of the database -> Tables
        shards = []
        try:
            for url in urls:
                shards.append(open_tables(url, self._tables))
            postgres_shards.check(shards)
        except BaseException:
            self.close()
            raise
        self._placement = Placement(self._tables)

    def ids(self):
        """See Tables."""
        return [client_id for tables in self._tables.values() for client_id in tables.ids()]

    def read(self, ids):
        """See Tables."""
        return [one for tables, some in self._parts(ids, lambda client_id: client_id) for one in tables.read(some)]

    def write(self, records):
        """See Tables."""
        for tables, some in self._parts(records, lambda record: record.client_id):
            tables.write(some)

    def history(self):
        """See Tables."""
        for tables in self._tables.values():
            yield from tables.history()

    def keep(self, rows):
        """See Tables. The server's own rows are in the first database: see ShardedTimeline."""
        first = next(iter(self._tables.values()))
        own = [row for row in rows if row[2] is None]
        if own:
            first.keep(own)
        for tables, some in self._parts([row for row in rows if row[2] is not None], lambda row: row[2]):
            tables.keep(some)

    def close(self):
        """See Tables."""
        for tables in self._tables.values():
            tables.close()

    def _parts(self, all_of_them, id_of):
        """Returns [(Tables, those of these whose client is there)]."""
        parts = {}
        for one in all_of_them:
            parts.setdefault(self._placement.of(id_of(one)), []).append(one)
        return [(self._tables[shard], some) for shard, some in parts.items()]
