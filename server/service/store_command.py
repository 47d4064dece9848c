"""`pb-link store`: makes, migrates, examines and copies stores; `pb-link restore`. No server may be running on them."""

import json
import os

from server.service.settings import SettingsError
from server.stores.copying import copy
from server.stores.opened import is_postgres, need_postgres
from server.stores.restore import restore
from server.stores.sqlite import SQLiteStore

ACTIONS = ("init", "migrate", "check", "copy")


def add_restore(command):
    """Add the command. Args: command: function (name, run, text) that returns an ArgumentParser."""
    one = command("restore", restored, "Put a back-up in the place of the store. No server may be running on it.")
    one.add_argument("file", metavar="FILE", help="the back-up: a copy that SQLite made, or the files of a store")
    one.add_argument("--store", metavar="FILE")


def add_store(command):
    """As `add_restore`."""
    one = command("store", run, "Make, migrate, examine or copy a store. No server may be running on it.")
    one.add_argument("what", choices=ACTIONS)
    one.add_argument("addresses", nargs="*", metavar="STORE", help="a path, or postgresql://..; of copy two")
    one.add_argument("--role", help="with init: the role of the servers, which gets only the rights that they need")
    one.add_argument("--if-missing", action="store_true", help="with init: tables that are there are left as they are")


def run(options, settings):
    """Do it, and say what was done. Returns the exit status. Raises: StoreError, SettingsError."""
    if options.what == "copy":
        if len(options.addresses) != 2:
            raise SettingsError("pb-link store copy FROM TO: name two stores")
        clients, messages = copy(*options.addresses)
        _show(options, {"clients": clients, "messages": messages}, "copied: {clients} clients with {messages} messages")
        return 0
    if len(options.addresses) > 1:
        raise SettingsError("name one store, or none for that of the settings")
    address = options.addresses[0] if options.addresses else settings.store
    (_postgres if is_postgres(address) else _file)(options, address)
    return 0


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
