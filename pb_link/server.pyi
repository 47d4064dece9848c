from server import (
    Connection as Connection,
)
from server import (
    MemoryStore as MemoryStore,
)
from server import (
    PostgresStore as PostgresStore,
)
from server import (
    RequestFailed as RequestFailed,
)
from server import (
    RequestTimeout as RequestTimeout,
)
from server import (
    Server as Server,
)
from server import (
    SQLiteStore as SQLiteStore,
)
from server import (
    StoreError as StoreError,
)
from server import (
    attach as attach,
)
from server import (
    client_conn as client_conn,
)
from server import (
    run as run,
)
from server import (
    serve as serve,
)
from server import (
    wait_all as wait_all,
)

__all__ = [
    "Connection", "MemoryStore", "RequestFailed", "RequestTimeout", "Server", "StoreError", "attach", "client_conn",
    "run", "serve", "wait_all",
]  # fmt: skip
