"""What the applications of a run do with requests beside the lines: each end asks on a channel of its own, and answers
on the other one. Several requests wait for their answers at once, some for a short time only, and some are cancelled.
The handlers return, raise, and take their time. See channel_work.py for what a run needs of a work.
"""

import asyncio
import random
from collections import namedtuple
from functools import partial

from protocol.errors import LinkDown, RequestFailed, RequestTimeout
from sim.apps.counted_lines import make_line, shortest
from sim.virtual.channel_work import LIMITS_MS, MEMORY_PAUSE_S
from sim.virtual.request_ledger import (
    ANSWERED,
    CANCELLED,
    CLIENT,
    DOWN,
    FAILED,
    LONG_MS,
    NO_MEMORY,
    OTHER,
    SERVER,
    TIMED_OUT,
)

# How many requests of an end wait at once: one of these. A client takes 8, and the others wait for a place.
AT_ONCE = (1, 3, 10)
# One request in so many has a short time, does not wait for a connection, is cancelled after at most CANCEL_S.
LIMIT_EVERY, NO_WAIT_EVERY, CANCEL_EVERY = 4, 8, 10
CANCEL_S = 1.0
# How a handler answers, and for how long it waits first. 0: it is no async function, or does not wait.
BYTES, TEXT, NOTHING, RAISES, RAISES_LONG = "bytes", "text", "nothing", "raises", "raises long"
WAYS = (BYTES, BYTES, BYTES, TEXT, NOTHING, RAISES, RAISES_LONG)
PAUSES_S = (None, None, None, 0, 0.02, 0.3)

# A request to be made. cancel_s: None: it is not cancelled; way, pause_s: of its handler.
Plan = namedtuple("Plan", "size timeout_ms waits cancel_s way pause_s")


class RequestWork:
    """Args: job: Job; numbers: the channels on which client and server ask; ledger: RequestLedger, which has the number
    of requests."""

    def __init__(self, job, numbers, ledger):
        self.channels = dict(zip((CLIENT, SERVER), numbers))
        self.ledger = ledger
        self._job = job
        self.at_once = random.Random(f"{job.seed} requests").choice(AT_ONCE)

    def tasks(self, app):
        """Returns coroutine functions for a new life of the client's application."""
        self.ledger.begins(CLIENT)
        return [lambda: self._client_answers(app), lambda: self._asks(app, CLIENT)]

    def server_begins(self):
        """A new life of the server's process."""
        self.ledger.begins(SERVER)

    def server_tasks(self, conn):
        """Returns coroutines of the server's application."""
        conn.on_request(self.channels[CLIENT], self._handler(SERVER))
        return [self._asks(conn, SERVER)]

    def plan(self, end, number):
        """Returns the Plan of one end's request. It follows from the run's seed."""
        job = self._job
        chance = random.Random(f"{job.seed} request {end}{number}")
        size = chance.choice((job.size, shortest(self.ledger.lines)))
        limited = not chance.randrange(LIMIT_EVERY)
        timeout_ms = chance.choice(LIMITS_MS) if limited else LONG_MS
        waits = bool(chance.randrange(NO_WAIT_EVERY))
        cancel_s = None if chance.randrange(CANCEL_EVERY) else chance.uniform(0, CANCEL_S)
        return Plan(size, timeout_ms, waits, cancel_s, chance.choice(WAYS), chance.choice(PAUSES_S))

    # Asking

    async def _asks(self, link, end):
        ledger = self.ledger
        free = asyncio.Semaphore(self.at_once)
        tasks = []  # not a TaskGroup: it waits when a board loses its power
        for number in range(ledger.asked(end), ledger.lines):
            await self._job.pause(end, number == ledger.lines - 1)
            await free.acquire()
            tasks.append(asyncio.create_task(self._ask(link, end, number)))
            tasks[-1].add_done_callback(lambda task: free.release())
        await asyncio.gather(*tasks)
        ledger.has_finished(end)

    async def _ask(self, link, end, number):
        """Asks until something else than a MemoryError before the time is up is said."""
        plan = self.plan(end, number)
        attempt = 0
        while True:
            data = make_line(f"{end[0]}{attempt}.", number, plan.size + len(f"{attempt}."), self._job.seed).encode()
            call = self.ledger.asks(end, number, data + bytes((10, 255)), plan.timeout_ms, plan.waits)
            said, what = await self._said(link, end, call, plan)
            self.ledger.told(call, said, what)
            if said != NO_MEMORY or call.is_over:
                return
            attempt += 1
            await asyncio.sleep(MEMORY_PAUSE_S)

    async def _said(self, link, end, call, plan):
        """Makes the call. Returns what it said, and the answer or the text of the failure."""
        task = asyncio.create_task(self._request(link, end, call, plan))
        await asyncio.wait((task,), timeout=plan.cancel_s)
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
        if task.cancelled():
            return CANCELLED, None
        try:
            return ANSWERED, task.result()
        except RequestFailed as error:
            return FAILED, str(error)
        except RequestTimeout:
            return TIMED_OUT, None
        except LinkDown:
            return DOWN, None
        except MemoryError:
            return NO_MEMORY, None

    async def _request(self, link, end, call, plan):
        return await link.request(self.channels[end], call.data, plan.timeout_ms, plan.waits)

    # Answering

    async def _client_answers(self, app):
        while True:
            try:
                app.on_request(self.channels[SERVER], self._handler(CLIENT))
                return
            except MemoryError:
                await asyncio.sleep(MEMORY_PAUSE_S)

    def _handler(self, end):
        return partial(self._handle, end)

    def _handle(self, end, data):
        """The handler of an end: a function, or one that returns a coroutine, as an async function does."""
        run = self.ledger.runs(end, data)
        call = self.ledger.call_of(OTHER[end], data)
        if call is None:
            return b"not of this run"
        plan = self.plan(call.end, call.number)
        if plan.pause_s is None:
            return self._answer(run, call, plan)
        return self._answer_later(run, call, plan)

    async def _answer_later(self, run, call, plan):
        await self._job.before_read(run.end)
        if plan.pause_s:
            await asyncio.sleep(plan.pause_s)
        return self._answer(run, call, plan)

    def _answer(self, run, call, plan):
        head = f"a{run.index}.{call.end[0]}"
        if plan.way in (RAISES, RAISES_LONG):
            text = f"{head}{call.number} does not succeed" + " \u00e4\u20ac" * (50 if plan.way == RAISES_LONG else 0)
            self.ledger.raises(run, ValueError(text))
            raise ValueError(text)
        answer = "" if plan.way == NOTHING else make_line(head, call.number, plan.size + len(head), self._job.seed)
        self.ledger.returns(run, answer.encode())
        if plan.way == NOTHING:
            return None
        return answer if plan.way == TEXT else answer.encode()
