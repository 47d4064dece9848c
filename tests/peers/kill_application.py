"""SIGKILL of examples/exactly_once.py at each step of a message on its way: each effect is in its database once.

Usage: python3 -m tests.peers.kill_application [--stride 1]

The messages wait in the server's store when the application begins. The client's part, and the store under kills, are
those of kill_server.py.
"""

import argparse
import asyncio
import importlib.util
import itertools
import os
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path

from server.core.message import Message
from server.core.registry import Registry
from server.stores.sqlite import SQLiteStore
from tests.peers.processes import ROOT

# A killed process leaves there what it leaves on a disk.
FASTEST = "/dev/shm" if os.path.isdir("/dev/shm") else None
EXAMPLE = ROOT / "examples" / "exactly_once.py"
APPLICATION = {str(EXAMPLE)}
# All code through which a message passes on its way out of the store, into the database of the application.
PATH = APPLICATION | {
    str(ROOT / "server" / name)
    for name in (
        "core/channels.py", "core/inbox.py", "core/line_reader.py", "core/connection.py", "stores/sqlite.py",
        "stores/sqlite_file.py", "stores/disk_thread.py",
    )
}  # fmt: skip
COUNT = 3  # messages
CLIENT = "demo"
LATEST_S = 30  # of a run
LOOK_S = 0.003  # between two looks whether all is done


def example():
    spec = importlib.util.spec_from_file_location("exactly_once", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def effects(folder):
    """Returns the readings in the application's database, in their order."""
    path = Path(folder) / "readings.db"
    if not path.exists():
        return []
    database = sqlite3.connect(path)
    try:
        return [bytes(data) for (data,) in database.execute("SELECT data FROM reading ORDER BY rowid")]
    except sqlite3.OperationalError:  # it was killed before it had a table
        return []
    finally:
        database.close()


async def fill(folder):
    """A store in which COUNT messages of the client wait, and a line between them."""
    store = SQLiteStore(str(folder / "pb_link.db"))
    state = await store.claim(CLIENT)
    messages = [Message(20, 0, 1000 + number, b"%d" % number) for number in range(COUNT)]
    messages.insert(2, Message(0, 0, 0, b"a line"))
    await store.receive(CLIENT, state.owner, b"an epoch", {0: 1, 20: COUNT}, messages)
    store.close()


async def work(module, folder):
    """Run the example's handler on the store until it has nothing more to do."""
    registry = Registry()
    store = SQLiteStore(str(folder / "pb_link.db"))
    registry.use(store)
    conn = registry.get(CLIENT)
    database = module.open_database(str(folder / "readings.db"))
    handler = asyncio.create_task(module.follow(conn, database))
    deadline = time.monotonic() + LATEST_S
    while not (conn.state and not store.unread(CLIENT, 20)[0] and conn.settled()):
        assert not handler.done() and time.monotonic() < deadline
        await asyncio.sleep(LOOK_S)
    handler.cancel()
    await asyncio.wait([handler])
    store.close()
    database.close()


class Steps:
    """Counts steps, and kills this process at the last one. A step is a line of the watched files in any thread, or the
    begin, resumption or end of one of their functions."""

    def __init__(self, watched, last):
        self._watched = watched
        self._left = last

    def trace(self, frame, event, arg):
        return self._step(frame, event, arg) if frame.f_code.co_filename in self._watched else None

    def _step(self, frame, event, arg):
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._step


def in_process(module, folder, watched=(), last=0):
    """Work in a process of its own, which is killed at step `last`, if it has so many. Returns True if it was."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            sys.stdout = open(os.devnull, "w")
            steps = Steps(watched, last)
            if watched:
                threading.settrace(steps.trace)
                sys.settrace(steps.trace)
            asyncio.run(work(module, folder))
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0, "the work has failed"
    return killed


def kill_at(module, watched, first=1, stride=1, show=lambda step: None):
    """Kill the application at step `first`, and at every `stride`-th after it, each time with another store. Then let
    it work to the end, and compare its effects.

    Returns (how many kills, in how many of them some but not all of the effects were there). Raises: AssertionError.
    """
    expected = [b"%d" % number for number in range(COUNT)]
    kills = between = 0
    for last in itertools.count(first, stride):
        show(last)
        with tempfile.TemporaryDirectory(dir=FASTEST) as name:
            folder = Path(name)
            asyncio.run(fill(folder))
            killed = in_process(module, folder, watched, last)
            if killed:
                before = effects(folder)
                assert before == expected[: len(before)], f"killed at step {last}: {before}"
                between += 0 < len(before) < COUNT
                kills += 1
                in_process(module, folder)
            after = effects(folder)
            assert after == expected, f"killed at step {last}: {before}, then {after}"
        if not killed:
            return kills, between


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stride", type=int, default=1)
    options = parser.parse_args()
    begin = time.monotonic()
    kills, between = kill_at(example(), PATH, 1, options.stride, _show)
    print(f"{kills:,} kills, {between:,} between two effects, {time.monotonic() - begin:.0f} s: none lost or twice")


def _show(step):
    print(f"\r{step} ", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
