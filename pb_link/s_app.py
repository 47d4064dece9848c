"""The server's demo: `python3 -m pb_link.s_app` or `micropython -m pb_link.s_app`.

Answers each line with JSON: [a count of its own, the count of the client demo's line, or the text of any other].
On SIGUSR1 (CPython) it closes its listener and opens it again.
"""

import asyncio
import json
import sys

from pb_link import server
from pb_link.settings import FILE, read_or_create

PAUSE_S = 2  # the listener stays closed for this long


def counted(line):
    """Returns the count in a line of the client demo, or the text of another client's line."""
    try:
        return json.loads(line)[0]
    except (ValueError, TypeError, IndexError, KeyError):
        return line.rstrip("\n")


async def receiver(conn, answers):
    while True:
        line = await conn.readline()
        print("received", line.strip())
        answers.append(counted(line))


async def sender(conn, answers):
    count = 0
    while True:
        while answers:
            line = json.dumps([count, answers.pop(0)])
            print("sent", line)
            await conn.write(line)
            count += 1
        await asyncio.sleep(0.05)


async def application(conn_id):
    conn = await server.client_conn(conn_id)
    print("client", conn_id, "is connected")
    answers = []
    await asyncio.gather(receiver(conn, answers), sender(conn, answers))


async def serve(settings, store):
    await server.run(
        {settings["id"]},
        verbose=True,
        port=settings["port"],
        timeout=settings["timeout_ms"],
        keys={settings["id"]: settings["key"]},
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
    settings, created = read_or_create()
    if created:
        print("made %s with a fresh key: copy it to the client's board" % FILE)
    asyncio.create_task(application(settings["id"]))
    store = server.MemoryStore()
    while True:
        task = asyncio.create_task(serve(settings, store))
        restart_on_signal(task.cancel)
        print("listening on port", settings["port"])
        try:
            await task
        except asyncio.CancelledError:
            print("listener closed")
        await asyncio.sleep(PAUSE_S)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
