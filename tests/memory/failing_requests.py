"""A program for MicroPython: a client asks its server, and answers it, while an allocation of it fails.

    failing -X heapsize=2m -c "import tests.memory.failing_requests" STEP COUNT

For each n from 1, every STEP-th, until it is more than a client allocates: a fresh client, of which the n-th allocation
fails and the COUNT - 1 behind it. Each request must be seen once and be answered once, and each handler must run at
most once: a request whose handler did not run, or did not end, gets a failure. The last line says how many clients
there were, and how many allocations failed. Counted is what the two calls allocate, and asyncio on their behalf. The
link's loop does not run: see tests/pb_link/channel_app.py. Time passes while all wait.
"""

import asyncio
import sys

import allocations

from primitives.platform import sleep_ms, ticks_diff, ticks_ms
from protocol.channel_records import ANSWER, CALL, FAILURE, REQUEST
from protocol.requests import ident_of
from tests.pb_link.channel_app import App

STEP, COUNT = [int(word) for word in sys.argv[1:3]]
LIMIT_MS = 20000
NUMBERS = (b"0", b"1", b"2")
REQUESTS = len(NUMBERS)
CHANNEL, THEIR_CHANNEL = 99, 98  # the server asks on the second one


class Client(App):
    unread = (CHANNEL, THEIR_CHANNEL)

    def __init__(self):
        super().__init__()
        self.answers = []
        self.ran = []
        self.failed = None

    async def ask_all(self):
        while len(self.answers) < REQUESTS:
            try:
                answer = await self.request(CHANNEL, NUMBERS[len(self.answers)], LIMIT_MS)
            except MemoryError:  # it was not asked
                continue
            except Exception as error:
                self.failed = error
                return
            allocations.pause()
            self.answers.append(answer)
            allocations.resume()

    async def handler(self, data):
        allocations.pause()
        self.ran.append(data)
        allocations.resume()
        await sleep_ms(1)
        return data


def seen_by_the_server(app, seen):
    """Answer what the client has asked."""
    channel = app.server.channels.get(CHANNEL)
    while channel is not None and channel.front(ticks_ms()) is not None:
        entry = channel.received[0]
        seen.append(channel.front_data())
        channel.append(ident_of(entry) + b"answer to " + seen[-1], True, ANSWER)
        app.server.channels.accept(channel, ticks_ms())


async def play(n):
    """Returns (how many allocations failed, None or what is wrong)."""
    app, seen, answered = Client(), [], []
    channels = app.channel(CHANNEL), app.channel(THEIR_CHANNEL)
    for channel in channels:  # the modules are loaded: failing_imports.py is about that
        channel.requests()
    app.on_request(THEIR_CHANNEL, app.handler)
    app.connect()
    theirs = app.server.channels.get(THEIR_CHANNEL)
    for i in range(REQUESTS):
        theirs.append(b"nam%d%d" % (i, i), True, REQUEST)
    asking = asyncio.create_task(app.ask_all())
    begin = ticks_ms()
    allocations.fail(n, COUNT)
    while not asking.done() or len(answered) < REQUESTS:
        if ticks_diff(ticks_ms(), begin) > LIMIT_MS:
            break
        take_answers(app, answered)
        seen_by_the_server(app, seen)
        app.exchange()
        allocations.resume()
        await asyncio.sleep_ms(1)
        allocations.pause()
    faults = allocations.failed()
    for channel in channels:
        task = channel.requests()._task
        if task:
            task.cancel()
    app._link.closed = True
    allocations.fail(0, 0)
    await asyncio.sleep_ms(1)
    return faults, wrong(app, seen, answered, faults)


def wrong(app, seen, answered, faults):
    """Returns None, or what is wrong."""
    error = app.failed or app._link._tasks.fault
    if error:
        sys.print_exception(error)
        return "%r came out" % error
    if tuple(seen) != NUMBERS or app.answers != [b"answer to " + number for number in NUMBERS]:
        return "asked %r, answered %r" % (seen, app.answers)
    if [name for name, _, _ in answered] != [b"nam" + number for number in NUMBERS]:
        return "the server got %r" % answered
    if len(app.ran) != len(set(app.ran)):
        return "ran %r" % app.ran
    for name, data, kind in answered:
        if kind == ANSWER and data != name[3:] or kind == FAILURE and not faults:
            return "the server got %r" % answered
    return None


def take_answers(app, answered):
    """What the client's handler has answered: `exchange` accepts it."""
    channel = app.server.channels.get(THEIR_CHANNEL)
    while channel is not None and channel.front(ticks_ms()) is not None:
        entry = channel.received[0]
        answered.append((ident_of(entry), channel.front_data(), entry[1] & CALL))
        app.server.channels.accept(channel, ticks_ms())


async def main():
    clients = failed = 0
    n = 1
    while True:
        faults, fault = await play(n)
        if fault:
            print("allocation %d: %s" % (n, fault))
            return
        if not faults:
            break
        clients += 1
        failed += faults
        n += STEP
    print("%d clients, %d allocations failed" % (clients, failed))


asyncio.run(main())
