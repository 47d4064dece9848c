"""`pb-link keys`: makes, shows, takes away and copies the keys of clients, in the key file or in the database."""

import argparse
import json
from types import SimpleNamespace

from server.core.shown import harmless
from server.service import client_settings, key_changes
from server.service.key_file import fingerprint
from server.service.key_table import STORE
from server.service.secret_settings import Secrets, key_source
from server.stores.opened import is_postgres


def add_keys(command):
    """Add the command. Args: command: function (name, run, text) that returns an ArgumentParser."""
    one = command("keys", run, "Make, show, take away and copy the keys of clients.")
    one.add_argument("what", choices=["add", "list", "revoke", "rotate", "copy"])
    one.add_argument("id", nargs="?", metavar="ID", help="of copy: from where, a key file, store or postgresql://..")
    one.add_argument("to", nargs="?", metavar="TO", help="of copy: to where, likewise")
    one.add_argument("--keys", metavar="FILE", help='the key file, or "store": the database of the store')
    one.add_argument("--store", metavar="URL", help="the database, for one who may change keys there")
    one.add_argument(
        "--repl", action=argparse.BooleanOptionalAction,
        help="with add and rotate: whether the key allows `pb-link console ID --repl` (default: no, or as before)",
    )  # fmt: skip
    one.add_argument("--settings", metavar="FILE", help="of that client: made or changed, to have the key as well")


def run(options, settings):
    """Do it, and say what was done. Returns the exit status. Raises: ValueError, SettingsError, StoreError, OSError."""
    if options.repl is not None and options.what not in ("add", "rotate"):
        raise ValueError(f"keys {options.what} makes no key: --repl and --no-repl go with add and rotate")
    if options.what == "copy":
        return _copy(options, settings)
    if options.to is not None:
        raise ValueError(f"keys {options.what} takes one client")
    source = key_source(settings, options.secrets)
    if options.what == "list":
        return _list(options, source)
    if options.id is None:
        raise ValueError(f"keys {options.what} needs the id of a client")
    if options.settings is not None:
        return _with_settings(options, settings, source)
    changed = {"repl": options.repl} if options.what != "revoke" else {}
    key = getattr(source, options.what)(options.id, **changed)
    if options.json:
        print(json.dumps({"id": options.id, "key": key}))
    elif key is None:
        print(f"{harmless(options.id)} has no key any more; a running server ends its connection")
    else:
        print(f"the key of {harmless(options.id)}, for its settings and for nobody else:\n{key}")
        if options.what == "rotate":
            print("Its old key is good until this one has been used.")
    return 0


def _with_settings(options, settings, source):
    """Make a key, and write it into the client's settings instead of showing it."""
    changes = {"add": client_settings.add, "rotate": client_settings.rotate}
    if options.what not in changes:
        raise ValueError(f"keys {options.what} changes no settings: --settings goes with add and rotate")
    made = changes[options.what](source, options.id, options.settings, settings, repl=options.repl)
    if options.json:
        print(json.dumps({"id": options.id, "settings": options.settings, "made": made}))
        return 0
    print(harmless(f"the key of {options.id} is in {source.where} and in {options.settings}"))
    if made:
        show_server(client_settings.raw(options.settings))
    if options.what == "rotate":
        print("Its old key is good until this one has been used: put the settings on its board.")
    return 0


def show_server(items):
    """Say where a client that was made looks for its server. Args: items: of its settings, a dict."""
    print(f"its server is {items['server']}, port {items['port']}")
    if items["server"].startswith("127."):
        print("Only a client in the simulator can reach that: a board needs this computer's address in its network.")


def _list(options, source):
    found, repl = [], source.repl()
    for client_id, key in sorted(source.read().items()):
        keys = key if isinstance(key, list) else [key]
        prints = [fingerprint(one) for one in keys]
        found.append({"id": client_id, "fingerprints": prints, "repl": client_id in repl})
    if options.json:
        print(json.dumps(found))
        return 0
    for one in found:
        print(f"{harmless(one['id']):<20} {' -> '.join(one['fingerprints'])}{'  repl' if one['repl'] else ''}")
    return 0


def _copy(options, settings):
    if options.id is None or options.to is None:
        raise ValueError("pb-link keys copy FROM TO: name two places, such as keys.json and store")
    source, target = (_place(one, settings) for one in (options.id, options.to))
    keys = source.read()
    copied = target.add_all(key_changes.entries(keys, source.repl()))
    if options.json:
        print(json.dumps({"copied": copied, "there": len(keys) - copied}))
    else:
        there = f"; those of {len(keys) - copied} were there" if copied < len(keys) else ""
        print(f"copied the keys of {copied} clients into {harmless(target.where)}{there}")
    return 0


def _place(name, settings):
    """Returns what has the keys: "store", a database's address, or the path of a key file."""
    table = name == STORE or is_postgres(name)
    chosen = SimpleNamespace(keys=STORE if table else name, store=name if is_postgres(name) else settings.store)
    return key_source(chosen, Secrets({}))
