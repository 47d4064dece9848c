"""`pb-link clients` and `pb-link nodes`: who is connected, to which of the servers that share a database.

What a server counts of its clients only that server knows. The database knows where each client is, and how often it
has connected. So `clients` asks both: the server beside it, and the database, by a connection of its own.
"""

import json
import sys
import time

from protocol.errors import StoreError
from server.core.shown import harmless
from server.gateways.setting import SettingsError
from server.service.paint import Paint
from server.stores.opened import is_postgres, need_postgres

# What only the server to which a client is connected knows of it (client_status.py).
_COUNTS = (
    "since", "peer", "lines_received", "bytes_received", "lines_acknowledged", "lines_discarded", "lines_sent_again",
    "wire_bytes_received", "wire_bytes_sent", "outages", "outage_s", "round_trips", "round_trip_s",
    "longest_round_trip_s", "bridge",
)  # fmt: skip
_UNKNOWN = "?"
_FORM = "{:<20} {:<21} {:<19} {:>6} {:>9} {:>9}"
_NODES_FORM = "{:<24} {:<22} {:<10} {:>8} {:>10} {:>9}"


def show_clients(options, settings, ask):
    """Print the clients. Args: ask: function () that returns the answer of the server beside this.

    Returns: the exit status, 1 if the clients of other servers are missing. Raises: ValueError, StoreError."""
    if not is_postgres(settings.store):
        if options.store is not None:
            raise SettingsError("--store takes a database, postgresql://..; of a file, its server is asked")
        _print(options, ask()["clients"])
        return 0
    answer, said = {"clients": [], "node": None}, None
    if options.store is None:  # else it may be a server on another database
        try:
            answer = ask()
        except ValueError as error:
            said = str(error)
    try:
        found = _from_store(settings.store, "clients")
    except StoreError as error:
        if options.store is not None or said is not None:
            raise
        _print(options, answer["clients"])
        print(f"pb-link: only the clients of this server are shown: {error}", file=sys.stderr)
        return 1
    _print(options, merged(found, answer["clients"], answer["node"]), nodes=True)
    if said is not None:
        print(f"pb-link: what follows is from the database alone: {said}", file=sys.stderr)
    return 0


def merged(rows, own, node):
    """Returns what is known of each client. Of one that is connected to another server, what only that one counts is
    None; so is everything of that kind where no server was asked.

    Args: rows: of postgres_admin.clients; own: as ClientStatus.clients returns it; node: name of the server that says
    so, None if there is none."""
    clients = {row["id"]: _of_store(row) for row in rows}
    for client in own:
        stored = clients.get(client["id"])
        if client["connected"]:
            clients[client["id"]] = {**client, "node": node}
        elif stored is None or not stored["connected"]:
            # The server beside this one has counted it while it was there.
            connections = max(client["connections"], stored["connections"] if stored else 0)
            clients[client["id"]] = {**client, "node": None, "connections": connections}
    return [clients[client_id] for client_id in sorted(clients)]


def _of_store(row):
    unknown = dict.fromkeys(_COUNTS)
    return {"id": row["id"], "connected": row["node"] is not None, "connections": row["connections"], **unknown,
            "node": row["node"]}  # fmt: skip


def show_nodes(options, settings):
    """Print the processes that use the database. Returns the exit status. Raises: SettingsError, StoreError."""
    if not is_postgres(settings.store):
        raise SettingsError('only a database has several servers: store = "postgresql://..", or --store')
    found = _from_store(settings.store, "nodes")
    if options.json:
        print(json.dumps(found))
        return 0
    print(_NODES_FORM.format("server", "listens on", "version", "clients", "up", "silent"))
    for one in found:
        ages = f"{one['up_s']} s", f"{one['silent_s']:.1f} s"
        name, address = harmless(one["name"]), harmless(one["address"]) or "-"
        print(_NODES_FORM.format(name, address, one["version"], one["clients"], *ages) + _state(one))
    return 0


def _state(node):
    """Returns what is special about a process, for the end of its line."""
    return "" if node["alive"] else "  gives no sign of life"


def _from_store(url, what):
    need_postgres()
    from server.stores import postgres_admin

    return getattr(postgres_admin, what)(url)


def _print(options, clients, nodes=False):
    """nodes: show to which server each one is connected."""
    if options.json:
        print(json.dumps(clients))
        return
    paint = Paint(sys.stdout)
    heads = ["client", "connected from", "since", "times", "received", "delivered"]
    print(paint(_FORM.format(*heads) + ("  server" if nodes else ""), "bold"))
    for client in clients:
        counts = [client[name] for name in ("connections", "lines_received", "lines_acknowledged")]
        shown = [_UNKNOWN if count is None else count for count in counts]
        server = "  " + harmless(client["node"] or "-") if nodes else ""
        line = _FORM.format(harmless(client["id"]), *_where(client), *shown) + server
        print(paint(line, "green" if client["connected"] else "dim"))


def _where(client):
    """Returns from where, and since when, a client is connected."""
    if not client["connected"]:
        return "-", "-"
    if client["since"] is None:
        return _UNKNOWN, _UNKNOWN
    return client["peer"], time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(client["since"]))
