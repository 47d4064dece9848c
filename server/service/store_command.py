"""`pb-link store`: makes, migrates, examines, copies and moves stores; `pb-link restore`. No server may be running."""

import json
import os

from server.service.settings import SettingsError
from server.stores.copying import copy
from server.stores.opened import is_postgres, need_postgres
from server.stores.restore import restore
from server.stores.sqlite import SQLiteStore

ACTIONS = ("init", "migrate", "check", "copy", "move")


def add_restore(command):
    """Add the command. Args: command: function (name, run, text) that returns an ArgumentParser."""
    one = command("restore", restored, "Put a back-up in the place of the store. No server may be running on it.")
    one.add_argument("file", metavar="FILE", help="the back-up: a copy that SQLite made, or the files of a store")
    one.add_argument("--store", metavar="FILE")


def add_store(command):
    """As `add_restore`."""
    one = command("store", run, "Make, migrate, examine, copy or move a store. No server may be running on it.")
    one.add_argument("what", choices=ACTIONS)
    one.add_argument("addresses", nargs="*", metavar="STORE", help="a path, or postgresql://.., or several of these")
    one.add_argument("--to", nargs="+", metavar="STORE", help="with copy and move: the store that it becomes")
    one.add_argument("--role", help="with init: the role of the servers, which gets only the rights that they need")
    one.add_argument("--if-missing", action="store_true", help="with init: tables that are there are left as they are")


def run(options, settings):
    """Do it, and say what was done. Returns the exit status. Raises: StoreError, SettingsError."""
    if options.what in ("copy", "move"):
        (_copy if options.what == "copy" else _move)(options)
        return 0
    if options.to:
        raise SettingsError("--to is for pb-link store copy and move")
    address = _address(options.addresses) if options.addresses else settings.store
    (_postgres if is_postgres(address) else _file)(options, address)
    return 0


def _copy(options):
    source, target = options.addresses, options.to
    if target is None and len(source) == 2:
        source, target = source[:1], source[1:]
    if not source or not target:
        raise SettingsError("pb-link store copy FROM TO: name two stores; of several databases FROM .. --to TO ..")
    clients, messages = copy(_address(source), _address(target))
    _show(options, {"clients": clients, "messages": messages}, "copied: {clients} clients with {messages} messages")


def _move(options):
    if not options.addresses or not options.to:
        raise SettingsError("pb-link store move FROM .. --to TO ..: name all databases that there are, and all then")
    if not is_postgres([*options.addresses, *options.to]):
        raise SettingsError("only a store in PostgreSQL has several databases: pb-link store copy takes files")
    need_postgres()
    from server.stores.moving import move

    clients, messages, keys = move(options.addresses, options.to)
    found = {"clients": clients, "messages": messages, "keys": keys}
    _show(options, found, "moved: {clients} clients with {messages} messages; {keys} keys")


def _address(addresses):
    """Returns what names the store: an address, or a list of several of PostgreSQL. Raises: SettingsError."""
    if len(addresses) == 1:
        return addresses[0]
    if not is_postgres(addresses):
        raise SettingsError("name one store: only one in PostgreSQL has several databases")
    return addresses


def restored(options, settings):
    """`pb-link restore FILE`: put a back-up in the place of the store. Returns the exit status."""
    if is_postgres(settings.store):
        raise SettingsError("a back-up of PostgreSQL is put back by its own programs: see pg_restore")
    before = restore(options.file, settings.store)
    if options.json:
        print(json.dumps({"restored": settings.store, "replaced": before}))
        return 0
    print(f"{settings.store} is what {options.file} has" + (f"; the old store is {before}" if before else ""))
    print("Clients that have seen later lines are told so when they come: store_rolled_back in the log.")
    return 0


def _postgres(options, address):
    need_postgres()
    from server.stores import postgres_admin

    if options.what == "init":
        made = postgres_admin.init(address, role=options.role, if_missing=options.if_missing)
        _show(options, {"made": made}, "made: servers can use it now" if made else "there already: nothing to do")
    elif options.what == "migrate":
        before, now = postgres_admin.migrate(address)
        text = "format {before}: nothing to do" if before == now else "migrated from format {before} to {now}"
        _show(options, {"before": before, "now": now}, text)
    else:
        found = postgres_admin.check(address)
        _show(options, found, "whole: {clients} clients with {messages} messages of {bytes} bytes")


def _file(options, path):
    if options.what == "check":
        if not os.path.exists(path):
            raise SettingsError(f"there is no store {path}")
        SQLiteStore(path).close()
        _show(options, {"store": path}, "whole: {store}")
    else:
        raise SettingsError(f"{path} is a file: a server makes and migrates it by itself, with its start")


def _show(options, found, text):
    print(json.dumps(found) if options.json else text.format(**found))
