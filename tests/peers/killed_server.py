"""A server application that is killed again and again, and that does everything exactly once all the same.

Usage: python3 killed_server.py FOLDER PORT COUNT: serves clients c00, c01, ..

It keeps `application.log`, of lines that one `write` each appends: what has been written survives the process, if not
the machine. Of each client

    got ID NUMBER LINE      from lines(commit="after"): the number tells a line that is seen again
    had ID LINE             from readline(), of every fourth client: no number, and no second time
    begun ID N, done ID N   around write() of the line "sN": a next process goes on after the last one that was begun

So the one line whose write had not returned may or may not be sent: nobody can know, and no line is sent twice.
"""

import asyncio
import os
import sys
from collections import defaultdict

from server import client_conn, run

KEYS = {f"c{i:02d}": f"{i:02x}" * 32 for i in range(100)}
LINE_S = 0.02  # between two lines to a client


def reads_once(client_id):
    """True if the application reads this client with readline."""
    return int(client_id[1:]) % 4 == 3


class Log:
    def __init__(self, path):
        self.last = defaultdict(lambda: -1)  # (word, id) -> number
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        with open(path) as file:
            for words in map(str.split, file):
                if words[0] in ("got", "begun"):
                    self.last[words[0], words[1]] = int(words[2])

    def append(self, *words):
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())


async def read(log, client_id):
    conn = await client_conn(client_id)
    if reads_once(client_id):
        while True:
            log.append("had", client_id, (await conn.readline())[:-1])
    last = log.last["got", client_id]
    lines = conn.lines(commit="after")
    async for line in lines:
        if lines.number > last:
            log.append("got", client_id, lines.number, line[:-1])
        else:
            log.append("again", client_id, lines.number, line[:-1])


async def write(log, client_id):
    conn = await client_conn(client_id)
    number = log.last["begun", client_id]
    while not os.path.exists("stop"):
        number += 1
        log.append("begun", client_id, number)
        await conn.write(f"s{number}", wait=number % 5 == 0)
        log.append("done", client_id, number)
        await asyncio.sleep(LINE_S)
    log.append("finished", client_id)


async def main(folder, port, count):
    os.chdir(folder)
    log = Log("application.log")
    ids = sorted(KEYS)[:count]
    tasks = [asyncio.create_task(work(log, client_id)) for client_id in ids for work in (read, write)]
    await run(ids, port=port, keys={client_id: KEYS[client_id] for client_id in ids}, host="127.0.0.1")
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
