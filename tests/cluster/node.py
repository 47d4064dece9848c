"""A node of a cluster, with an application that does everything exactly once, as a process that may be killed.

Usage: python3 -m tests.cluster.node SETTINGS, a JSON object: see `Settings`.

All nodes append to one file, each record by one `write` to it: what has been written survives the process. Fields are
separated by blanks; NODE is the name of the process, which is new for each.

    got NODE ID CHANNEL NUMBER TEXT     from lines() or messages(): the number tells a message that is seen again
    begun NODE ID CHANNEL TEXT          before a message is written
    done NODE ID CHANNEL TEXT           write() has returned
    failed NODE ID CHANNEL TEXT         write() has raised StoreError: it is or is not stored
    event NODE NAME ID TEXT             of the server: `connected`, `store_failed` and so on

A text is NODE.N with dots behind it, so that no two are equal. While the file `stop` is there nothing is written.
"""

import asyncio
import json
import os
import random
import re
import sys
from collections import namedtuple

import server
from protocol.errors import StoreError
from server.stores import postgres_database, postgres_statements
from server.stores.postgres import PostgresStore

CHANNEL = 20
PAUSE_S = 0.05  # after a failure of the store
EVENTS = ("connected", "store_failed", "store_away", "store_back", "store_gone", "store_rolled_back", "taken_over")
WAITS_EVERY = 5  # one message in so many is waited for until the client has it
LONGEST = 200  # bytes of a text

# name: of the process; host, port: where it listens; url: of the store; keys: {id: hexadecimal}; log: path of the file
# for all; stop: path; line_s: mean pause between two messages; limits: {name: seconds} of postgres_database.py;
# without: None, or (pattern, what stands in its place) in the statement of a batch: a fault that must be found.
Settings = namedtuple("Settings", "name host port url keys timeout_ms log stop line_s limits without")


class Log:
    """The file that all nodes append to."""

    def __init__(self, path, name):
        self._name = name
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def append(self, word, *words):
        os.write(self._file, (" ".join((word, self._name, *map(str, words))) + "\n").encode())

    def event(self, name, client_id, details):
        """A subscriber of the server's events."""
        if name in EVENTS:
            text = details.get("error") or details.get("reason") or details.get("peer") or "-"
            self.append("event", name, client_id or "-", str(text).replace("\n", " "))


class Application:
    """What is done for one client on one channel; 0 is that of the lines."""

    def __init__(self, log, settings, conn, channel):
        self._log = log
        self._settings = settings
        self._conn = conn
        self._of = conn.client_id, channel
        self._channel = conn.channel(channel) if channel else None

    async def read(self):
        while True:
            await self._conn
            try:
                messages = self._conn.lines() if self._channel is None else self._channel.messages()
                async for message in messages:
                    text = message[:-1] if self._channel is None else message.data.decode()
                    self._log.append("got", *self._of, messages.number, text)
            except StoreError:
                await asyncio.sleep(PAUSE_S)

    async def write(self):
        number, chance = 0, random.Random(f"{self._settings.name} {self._of}")
        while True:
            await self._conn
            if os.path.exists(self._settings.stop):
                await asyncio.sleep(PAUSE_S)
                continue
            number += 1
            text = f"{self._settings.name}.{number}".ljust(chance.choice((0, 0, LONGEST)), ".")
            self._log.append("begun", *self._of, text)
            try:
                await self._send(text, wait=number % WAITS_EVERY == 0)
                self._log.append("done", *self._of, text)
            except StoreError:
                self._log.append("failed", *self._of, text)
                await asyncio.sleep(PAUSE_S)
            await asyncio.sleep(chance.uniform(0, 2 * self._settings.line_s))

    async def _send(self, text, wait):
        if self._channel is None:
            await self._conn.write(text, wait=wait)
        else:
            await self._channel.send(text, wait=wait)


async def serve_client(log, settings, client_id):
    conn = await server.client_conn(client_id)  # a client that has not been here is left to its node
    works = [Application(log, settings, conn, channel) for channel in (0, CHANNEL)]
    await asyncio.gather(*[work() for one in works for work in (one.read, one.write)])


async def opened(settings, log):
    """Returns the store, once the database can be reached."""
    while True:
        try:
            return PostgresStore(
                settings.url, tell=lambda event, **details: log.event(event, None, details)
            )
        except StoreError as error:
            log.append("event", "store_unreachable", "-", str(error).replace("\n", " "))
            await asyncio.sleep(PAUSE_S)


def leave_out(before, after):
    """Take a condition of the batch's statement away."""
    true = postgres_statements.commit_statement

    def commit_statement(*args):
        return re.sub(before, after, true(*args))

    for module in (postgres_statements, postgres_database):
        module.commit_statement = commit_statement


async def main(settings):
    for name, seconds in settings.limits.items():
        setattr(postgres_database, name, seconds)
    if settings.without:
        leave_out(*settings.without)
    log = Log(settings.log, settings.name)
    store = await opened(settings, log)
    server.default_server().events.subscribe(log.event)
    running = [asyncio.create_task(serve_client(log, settings, client_id)) for client_id in settings.keys]
    serving = server.run(
        set(settings.keys), port=settings.port, timeout=settings.timeout_ms, keys=settings.keys, store=store,
        host=settings.host,
    )  # fmt: skip
    await asyncio.gather(serving, *running)


if __name__ == "__main__":
    asyncio.run(main(Settings(**json.loads(sys.argv[1]))))
