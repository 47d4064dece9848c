"""The checks of `pb-link doctor` that look at the store, and at whose its files are; see checkup.py."""

import contextlib
import os
import sqlite3

from server.core.shown import quoted
from server.service.finding import FAULTS, good, note, wrong
from server.service.key_table import STORE
from server.service.settings import in_full
from server.stores.opened import is_postgres, need_postgres
from server.stores.restore import open_to_read
from server.stores.sqlite_file import APPLICATION_ID, SCHEMA_VERSION

LITTLE_BYTES, SCARCE_BYTES = 500 << 20, 50 << 20  # of disk for the store


def store(subject):
    address = subject.settings.store
    if is_postgres(address):
        try:
            need_postgres()
            from server.stores import postgres_admin

            version, more = postgres_admin.look(address), in_full("pb-link store check", subject.settings)
            yield good("store", f"the database answers, format {version}; more: {more}")
        except FAULTS as error:
            yield wrong("store", str(error))
        return
    yield from _disk(subject.machine, os.path.dirname(os.path.abspath(address)))
    if os.path.exists(address):
        yield from _file(subject, address)
    else:
        yield note("store", f"there is no {address} yet", "the server makes it")


def _disk(machine, folder):
    if not os.path.isdir(folder):
        yield wrong("store", f"there is no folder {folder}", f"mkdir -p {quoted(folder)}")
        return
    if not os.access(folder, os.W_OK):
        yield wrong("store", f"you may not write in {folder}", "run as the server's user, or let it write there")
    free = machine.free_bytes(folder)
    if free < LITTLE_BYTES:
        say = wrong if free < SCARCE_BYTES else note
        text = f"{free >> 20} MiB are free on the disk of the store"
        yield say("store", text, "make room: a full disk stops all clients")


def _file(subject, path):
    machine, restored = subject.machine, f"restore a back-up: {in_full('pb-link restore FILE', subject.settings)}"
    if not os.path.isfile(path):  # to open a FIFO would wait for its writer
        yield wrong("store", f"{path} is no file", "name another one")
        return
    if not machine.is_mine(path) and not machine.is_root():
        yield wrong("store", f"{path} belongs to another user", "run as the server's user")
    try:
        with contextlib.closing(open_to_read(os.path.realpath(path))) as database:
            tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            application, version, damage = (
                database.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("application_id", "user_version", "quick_check(1)")
            )
    except sqlite3.Error as error:
        yield wrong("store", f"{path}: {error}", restored)
        return
    if not tables:
        yield note("store", f"{path} is empty", "the server makes its tables in it")
    elif application != APPLICATION_ID:
        yield wrong("store", f"{path} is no store of pb_link", "name another file")
    elif damage != "ok":
        yield wrong("store", f"{path} is damaged: {damage}", restored)
    elif version > SCHEMA_VERSION:
        text = f"{path} is of a newer pb_link: format {version}, and this one has {SCHEMA_VERSION}"
        yield wrong("store", text, "upgrade pb_link")
    else:
        older = f", which the server brings to {SCHEMA_VERSION}" if version < SCHEMA_VERSION else ""
        yield good("store", f"{path} is whole, format {version}{older}")


def owners(subject):
    """Says which files of the server are not its user's, who has their folder. It is for root alone: of others the
    other checks tell what they cannot read. Whose the files in a folder of root should be, it cannot know."""
    settings, machine = subject.settings, subject.machine
    if not machine.is_root():
        return
    files = []
    if settings.keys != STORE and subject.secrets.keys is None:
        real = os.path.realpath(settings.keys)
        files += [real, real + ".lock"]
    if not is_postgres(settings.store):
        real = os.path.realpath(settings.store)
        files += [real, real + "-wal", real + "-shm", real + "-lock"]
    for path in filter(os.path.exists, files):
        owner, user = machine.owner_of(path), machine.owner_of(os.path.dirname(os.path.abspath(path)))
        if user not in (owner, machine.owner_of(os.sep)):
            text = f"{path} belongs to {owner}, and its folder to {user}: a server of {user} cannot use it"
            yield wrong("owner", text, f"chown {user} {quoted(path)}")
