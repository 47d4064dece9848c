"""The server, under the name that it has everywhere: `from pb_link.server import run, client_conn`.

This is the checkout's. In an installed wheel the package itself lies here, and no other `server` can be in its way.
"""

try:
    from importlib.util import find_spec
except ImportError:  # MicroPython

    def find_spec(name):
        return None


def _refuse_another_server():
    spec = find_spec("server")
    ours = __file__[: -len("pb_link/server.py")] + "server/__init__.py"
    if spec and spec.origin != ours:
        raise ImportError(
            "%s has the name of pb_link's folder server and is found first. Rename it,"
            " or install pb_link (pip install .), where nothing else has that name" % spec.origin
        )


_refuse_another_server()

from server import Connection, MemoryStore, client_conn, run, wait_all  # noqa: E402, F401
