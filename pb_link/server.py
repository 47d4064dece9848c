"""The server, under the name that it has everywhere: `from pb_link.server import run, client_conn`.

This is the checkout's. In an installed wheel the package itself lies here, and no other `server` can be in its way.
"""

import os
import sys

try:
    from importlib.util import find_spec
    from os.path import realpath

    def _found(name):
        """The folder or file that `import name` takes, "" if there is none."""
        spec = find_spec(name)
        return realpath((list(spec.submodule_search_locations or ()) + [spec.origin])[0]) if spec else ""

except ImportError:  # MicroPython

    def realpath(path):
        return path

    def _found(name):
        for folder in sys.path:
            for path in (folder + "/" + name, folder + "/" + name + ".py"):
                path = path if folder else path[1:]
                try:
                    os.stat(path)
                    return path
                except OSError:
                    pass  # it is not in this folder
        return ""


def _refuse_others():
    """Raises: ImportError that names the user's file or folder with the name of one that the server needs."""
    root = realpath(__file__)[: -len("pb_link/server.py")]
    for name in ("server", "protocol", "primitives"):
        found = _found(name)
        if found and found != root + name:
            raise ImportError(
                "%s has the name of a folder of pb_link and is found first. Rename it, or install pb_link"
                " (pip install %s), where nothing else has that name" % (found, root or ".")
            )


_refuse_others()

from server import (  # noqa: E402
    Connection,
    MemoryStore,
    RequestFailed,
    RequestTimeout,
    Server,
    StoreError,
    attach,
    client_conn,
    run,
    serve,
    wait_all,
)
from server import __getattr__ as __getattr__  # noqa: E402

__all__ = [
    "Connection", "MemoryStore", "RequestFailed", "RequestTimeout", "Server", "StoreError", "attach", "client_conn",
    "run", "serve", "wait_all",
]  # fmt: skip
