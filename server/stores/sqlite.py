"""The durable store: one SQLite file. What it shares with other durable stores is in batched.py.

The file is in WAL mode with `synchronous=FULL`: a transaction is on the disk
when its commit returns.

A store has one writer, which holds locks of the file for as long as it lives.
Others may read the file, for example for a back-up. Before and after each
transaction, and once a second in `watch`, the store checks that the files are
still the same (sqlite_paths.py). Data written into a deleted file is not safe.
"""

from server.core.store import CHANNEL_BYTES, INBOX_BYTES, OUTBOX_BYTES
from server.stores.batched import BatchedStore
from server.stores.disk_thread import DiskThread
from server.stores.limit import Limit
from server.stores.sqlite_file import SQLiteFile
from server.stores.sqlite_record import SQLiteRecord
from server.stores.sqlite_rows import Rows

TOTAL_BYTES = 1 << 30  # of all inboxes and outboxes together


class SQLiteStore(BatchedStore):
    """The durable store. Args:
    path: of the file; if there is none, it is created, readable by its owner
    alone. inbox_bytes, outbox_bytes: limits of one client's lines, as in
    MemoryStore; channel_bytes: of each other channel; total_bytes: limit of all
    together. A full box takes no more messages. The writers, also at the other
    end, wait until messages are read or acknowledged.
    disk_thread: runs the operations that wait for the disk: see disk_thread.py.
    tell: function (event, **details), called in any thread, or None: told why no
    rows for charts are written.

    Raises: StoreError if the file is damaged, cannot be written, is of a newer
    version of pb_link, or is in use by another server.
    """

    def __init__(
        self, path, inbox_bytes=INBOX_BYTES, outbox_bytes=OUTBOX_BYTES, *, channel_bytes=CHANNEL_BYTES,
        total_bytes=TOTAL_BYTES, disk_thread=None, tell=None,
    ):  # fmt: skip
        path = str(path)
        file = SQLiteFile(path)
        super().__init__(
            path, file, disk_thread or DiskThread(), Rows, inbox_bytes=inbox_bytes, outbox_bytes=outbox_bytes,
            channel_bytes=channel_bytes, limit=Limit(total_bytes),
        )  # fmt: skip
        self._total = file.total_cost()
        self._tell = tell
        self._timeline = None  # before the first call of `timeline`

    async def peek(self, client_id):
        record = await self._loaded(client_id)
        return record.owner, record.epoch

    async def claim(self, client_id, seen=None):
        record = await self._loaded(client_id)
        return await self._commit(record, record.claim(seen))

    def timeline(self):
        if self._timeline is None:
            from server.stores.sqlite_timeline import SQLiteTimeline

            clients = self._clients
            key_of = lambda client_id: clients[client_id].key if client_id in clients else None
            self._timeline = SQLiteTimeline(self.path, key_of, self._tell)
        return self._timeline

    def wal_bytes(self):
        """Returns the size of SQLite's -wal file."""
        return 0 if self._database is None else self._database.wal_bytes()

    async def _loaded(self, client_id):
        """Returns the client's record, from the file unless there is a valid newer one in RAM."""
        while True:
            self._check_usable()
            record = self._clients.get(client_id)
            if record is not None and not record.broken:
                return record
            loaded = await self._call(lambda: self._database.load(client_id))
            if self._clients.get(client_id) is record:  # no other call was faster
                self._clients[client_id] = SQLiteRecord(client_id, loaded)

    def _sealed(self, rows, records):
        channels = [row for record in records for row in record.changed_channels()]
        rows.timeline = self._timeline and self._timeline.take()
        return rows, [record.row() for record in records], channels

    def _end(self):
        if self._timeline:
            left = Rows()

            def write(taken):
                left.timeline = taken
                self._database.commit((left, (), ()))

            self._timeline.close(write)
        super()._end()
