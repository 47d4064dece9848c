"""The server's demo: `python3 -m pb_link.s_app` or `micropython -m pb_link.s_app`.

Answers each line of each client with JSON: [a count of its own, the count of the client demo's line, or the text of any
other]. With several clients, what it prints begins with the client's id.
Its clients' keys are those of keys.json, or, without that file, the one of
pb_settings.json.
On SIGUSR1 (CPython) it closes its listener and opens it again.
"""

import asyncio
import json
import sys
from errno import ENOENT

from pb_link import server
from pb_link.settings import FILE, read, read_or_create
from protocol.credentials import parse_id, parse_key
from server.core.keys import load_keys
from server.core.shown import harmless, quoted

PAUSE_S = 2  # the listener stays closed for this long
KEY_FILE = "keys.json"  # that of pb-link


def counted(line):
    """Returns the count in a line of the client demo, or the text of another client's line."""
    try:
        return json.loads(line)[0]
    except (ValueError, TypeError, IndexError, KeyError):
        return line.rstrip("\n")


async def receiver(conn, answers, label):
    while True:
        line = await conn.readline()
        print(label + "received", line.rstrip("\n"))
        answers.append(counted(line))


async def sender(conn, answers, label):
    count = 0
    while True:
        while answers:
            line = json.dumps([count, answers.pop(0)])
            print(label + "sent", line)
            await conn.write(line)
            count += 1
        await asyncio.sleep(0.05)


async def application(conn_id, label):
    """Serve a client for ever. label: in front of what it prints."""
    conn = await server.client_conn(conn_id)
    print("client", harmless(conn_id), "is connected")
    answers = []
    await asyncio.gather(receiver(conn, answers, label), sender(conn, answers, label))


def settings_and_keys():
    """Returns the client's settings, and the keys of all clients: those of the key file if there is one. Without it
    the client's settings have the one key, and are made with a fresh one if they are absent.

    Raises: OSError; ValueError that says what to do if the two files do not belong together.
    """
    try:
        keys = load_keys(KEY_FILE)
    except OSError as error:
        if error.errno != ENOENT:
            raise
        keys = None
    if keys is None:
        settings, created = read_or_create()
        if created:
            print("made %s with a fresh key: copy it to the client's board" % FILE)
        try:
            return settings, {parse_id(settings["id"]): parse_key(settings.get("key"))}
        except (TypeError, ValueError) as error:
            raise ValueError("%s: %s" % (FILE, error))
    settings = read()
    client_id = settings["id"]
    both = (KEY_FILE, client_id, FILE, quoted(client_id), FILE)
    known = keys.get(client_id)
    if known is None:
        raise ValueError("%s has no key of %s, the client of %s: pb-link keys add %s --settings %s" % both)
    if parse_key(settings.get("key")) not in (known if isinstance(known, list) else [known]):
        raise ValueError("%s has another key of %s than %s: pb-link keys rotate %s --settings %s" % both)
    return settings, keys


async def serve(settings, keys, store):
    await server.run(
        set(keys),
        verbose=True,
        port=settings["port"],
        timeout=settings["timeout_ms"],
        keys=keys,
        store=store,
    )


def restart_on_signal(restart):
    """Call restart() on SIGUSR1, where there are signals."""
    try:
        import signal

        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, restart)
    except (ImportError, AttributeError):
        pass  # MicroPython, or Windows: the demo has one life there


async def main():
    settings, keys = settings_and_keys()
    for client_id in keys:
        asyncio.create_task(application(client_id, harmless(client_id) + " " if len(keys) > 1 else ""))
    store = server.MemoryStore()
    restarts = []  # not empty while a restart is asked for
    while True:
        restarts.clear()
        task = asyncio.create_task(serve(settings, keys, store))
        restart_on_signal(lambda task=task: restarts.append(task.cancel()))
        print("listening on port", settings["port"])
        try:
            await task
        except asyncio.CancelledError:
            if not restarts:  # Ctrl-C
                raise
            print("listener closed")
        await asyncio.sleep(PAUSE_S)


def run():
    """Run the demo until Ctrl-C. Returns the exit status: 1 if the settings or the port are no good, with a line."""
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        return 0
    except (OSError, TypeError, ValueError) as error:  # what `read_or_create` and `server.run` raise
        print("s_app:", harmless(str(error)), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(run())
