"""The server's application of a counted run, on CPython: writes numbered lines, logs what it reads.

The log is that of the client's application. Arguments: lines, bytes a line, seed. Settings: pb_settings.json. On
SIGUSR1 the listener and its connections are closed, and opened again after PAUSE_S.
"""

import asyncio
import signal
import sys

import server
from pb_link.settings import read
from sim.apps.counted_lines import make_line

WAIT_EVERY = 10
PAUSE_S = 1.0


def log(*words):
    print(*words, flush=True)


async def write_lines(conn, lines, size, seed):
    for number in range(lines):
        line = make_line("s", number, size, seed)
        log(">", line)
        await conn.write(line, qos=True, wait=number % WAIT_EVERY == 0)


async def read_lines(conn):
    while True:
        line = await conn.readline()
        log("<", line[:-1])


async def watch(conn):
    seen = 0
    while True:
        if conn.nconns != seen:
            seen = conn.nconns
            log("! connections", seen)
        await asyncio.sleep(0.05)


async def application(client_id, lines, size, seed):
    conn = await server.client_conn(client_id)
    await asyncio.gather(write_lines(conn, lines, size, seed), read_lines(conn), watch(conn))


async def serve(settings, store):
    own, port, timeout_ms = (settings[name] for name in ("id", "port", "timeout_ms"))
    await server.run({own}, True, port, timeout_ms, keys={own: settings["key"]}, store=store, host="127.0.0.1")


async def main():
    settings = read()
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(application(settings["id"], *(int(text) for text in sys.argv[1:4])))
    store = server.MemoryStore()
    while True:
        task = asyncio.create_task(serve(settings, store))
        loop.add_signal_handler(signal.SIGUSR1, task.cancel)
        log("! listening")
        await asyncio.wait((task, running), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            return running.result()  # the application has failed
        try:
            await task
        except asyncio.CancelledError:
            log("! listener closed")
        await asyncio.sleep(PAUSE_S)


if __name__ == "__main__":
    asyncio.run(main())
