"""A store in PostgreSQL, as `pb-link store copy` (copying.py) reads and writes it."""

import os

from protocol.errors import StoreError
from server.stores.copying import insert_all, moved
from server.stores.postgres_database import BATCH_BYTES, PostgresDatabase
from server.stores.postgres_reading_statements import READ, rows_of
from server.stores.postgres_record import PostgresRecord, client_rows
from server.stores.postgres_schema import SCHEMA
from server.stores.postgres_statements import Changes


class Tables:
    """Args: url: of the database; schema: of its tables. Raises: StoreError."""

    def __init__(self, url, schema=SCHEMA):
        self._database = PostgresDatabase(url, schema)
        try:
            self._database.open()
        except BaseException:
            self._database.close()
            raise

    def ids(self):
        """Returns the ids of all clients."""
        return self._database.ids()

    def read(self, ids):
        """Returns the records of these clients. It claims them: a server that still has them is fenced."""

        def claim(client_id, loaded):
            record = PostgresRecord(client_id, loaded)
            record.claim()
            for message in record.mail.messages():  # a copy has it in the outbox
                record.put(message)
            return record

        records = self._made(ids, claim)
        by_key = {record.key: record for record in records}
        for row in self._database.perform(rows_of, READ, list(by_key)):  # what was read and is not deleted yet
            by_key[row["client"]].drop(row["next"], row["channel"])
        return records

    def write(self, records):
        """Add these clients, which are not there yet."""
        by_id = {record.client_id: record for record in records}
        changes = Changes()
        made = self._made(by_id, lambda client_id, new: moved(by_id[client_id], PostgresRecord(client_id, new)))
        for record in made:
            insert_all(changes, record)
        batch = os.urandom(BATCH_BYTES)
        if self._database.commit((changes, client_rows(made, batch), batch)):
            raise StoreError(f"{self._database.where} is in use by a server: end that one")

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
