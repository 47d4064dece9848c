"""The consoles of clients: what they have printed, kept in memory, and what an operator types for their REPL.

A client with a console sends what is printed there on channel 3: docs/protocol.md section 4. Of each client the newest
text is kept, up to KEPT characters, until the server ends: a console is no durable data. Input goes only to a client
whose key allows it, and that takes it.
"""

import asyncio
import codecs
import json
import time
from collections import deque, namedtuple
from struct import unpack_from

from protocol.lines import NUMBERS, diff30
from server.core.registry import CONSOLE
from server.core.shown import harmless, quoted

CHANNEL = CONSOLE
_TAKES_INPUT = 0x01
_HEADER = 5
KEPT = 1 << 16  # characters of the newest lines of one client; each line counts LINE_COST more
LINE_COST = 64
MAX_LINE = 1024  # characters: a longer one is cut into several
MAX_BEHIND = 1000  # pieces that a caller may be behind; with more it is disconnected
MAX_INPUT = 256  # bytes of one message of input
INPUT_MS = 10000  # input that the client has not taken by then is dropped: it is not to be executed much later

# lines: [(number, UTC in s, line)]; begun: the line that is not complete; number: of the newest line, 0: there was
# none; missed: lines that came after the number that was asked for, and are not kept or were too many; used: the client
# has a console.
News = namedtuple("News", "lines begun number missed used")


class Consoles:
    """Args: registry: Registry; may_use_repl: function (id): True if the client's key allows it."""

    def __init__(self, registry, may_use_repl):
        self._registry = registry
        self._may_use_repl = may_use_repl
        self._clients = {}
        registry.taken_at_once[CHANNEL] = self.take

    def take(self, client_id, data):
        """Take a message of a client."""
        if len(data) < _HEADER:
            return  # nothing that a client of this release sends
        self._of(client_id).take(data)

    def note(self, event, client_id, details):
        """Tell those who type whether the client is there. It is a subscriber of events."""
        if event in ("connected", "disconnected") and client_id in self._clients:
            self._clients[client_id].tell_typists({"note": f"{client_id} is {event}"})

    def lines(self, client_id, count, since_s):
        """Returns [(UTC in s, line)] of the newest lines. count: at most; since_s: not older than this, or None."""
        return self._of(client_id).newest(count, since_s)

    def news(self, client_id, number=0, most=KEPT):
        """Returns the News: what has come after the line with this number, the newest lines, at most so many."""
        return self._of(client_id).news(number, most)

    async def follow(self, client_id, reader):
        """An async generator of (UTC in s, line): those to come, until the caller of `reader` disconnects."""
        queue = _Queue("lines")
        gone = asyncio.create_task(reader.read(1))
        async for entry in queue.entries(self._of(client_id).followers, gone):
            yield entry

    async def repl(self, client_id, reader):
        """An async generator of answers: {"text": what the client prints}, {"note": for the operator}.

        What is typed comes from `reader`, lines of JSON: {"input": ".."}. Raises: ValueError: there is no REPL.
        """
        self._refuse_input(client_id)
        if not self._registry.get(client_id).connected_here():
            raise ValueError(f"{harmless(client_id)} is not connected")
        events = self._registry.events
        queue = _Queue("pieces of text")
        typing = asyncio.create_task(self._pass_on(client_id, reader, queue))
        events.tell("repl_opened", client_id)
        try:
            async for answer in queue.entries(self._of(client_id).typists, typing):
                yield answer
        finally:
            events.tell("repl_closed", client_id)

    async def _pass_on(self, client_id, reader, queue):
        """Send what is typed to the client, until the caller disconnects."""
        while True:
            request = await reader.readline()
            if not request.endswith(b"\n"):
                return
            if not await self.type(client_id, json.loads(request)["input"]):
                queue.put({"note": f"{client_id} is not connected: this was not sent"})

    async def type(self, client_id, text):
        """Send what is typed to the client. Returns False, and sends nothing, if it is not connected.

        Raises: ValueError: nothing may be typed for it."""
        self._refuse_input(client_id)
        connection = self._registry.get(client_id)
        if not connection.connected_here():
            return False
        data = text.encode()
        for at in range(0, len(data), MAX_INPUT):
            piece = data[at : at + MAX_INPUT]
            await connection.channel(CHANNEL, 1).send(piece, wait=False, ttl_ms=INPUT_MS)
        return True

    def refuses_input(self, client_id):
        """Returns why nothing may be typed for this client, in words, or None."""
        name = quoted(client_id)
        if not self._may_use_repl(client_id):
            return (
                f"the key of {harmless(client_id)} does not allow the REPL: pb-link keys rotate {name} --repl"
                " gives it a key that does"
            )
        takes_input = self._of(client_id).takes_input
        if takes_input is None:
            return (
                f"{harmless(client_id)} has sent nothing to its console since the server started: its program needs"
                " AppBase(.., console=True, repl=True)"
            )
        if not takes_input:
            return f"{harmless(client_id)} takes no input: its program needs AppBase(.., repl=True)"
        return None

    def _refuse_input(self, client_id):
        reason = self.refuses_input(client_id)
        if reason is not None:
            raise ValueError(reason)

    def _of(self, client_id):
        return self._clients.setdefault(client_id, _Console())


class _Console:
    """The console of one client."""

    def __init__(self):
        self.takes_input = None  # True or False once the client has told
        self.followers = set()  # of _Queue, for lines
        self.typists = set()  # of _Queue, for text as it comes
        self._lines = deque()  # (UTC in s, line)
        self._came = deque()  # of each, by a clock that nobody sets
        self._size = 0
        self._count = 0  # of all lines so far
        self._begun = ""  # the line that is not complete
        self._expected = None  # offset of the next byte
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def newest(self, count, since_s):
        """See Consoles.lines. The last one may not be complete."""
        found = list(self._lines)
        if since_s is not None:
            begin = time.monotonic() - since_s
            found = found[sum(came < begin for came in self._came) :]
        if self._begun:
            found.append((time.time(), self._begun))
        return found[-count:] if count else []

    def news(self, number, most):
        """See Consoles.news."""
        new = max(0, self._count - number)
        shown = min(new, most, len(self._lines))
        first = self._count - shown
        lines = [(first + at + 1, *self._lines[at - shown]) for at in range(shown)]
        return News(lines, self._begun, self._count, new - shown, self.takes_input is not None)

    def take(self, data):
        flags, offset = unpack_from(">BI", data, 0)
        self.takes_input = bool(flags & _TAKES_INPUT)
        if offset != (self._expected or 0):
            self._tell_gap(offset)
        self._expected = (offset + len(data) - _HEADER) & NUMBERS
        text = self._decoder.decode(data[_HEADER:]).replace("\r\n", "\n")
        if text:
            self.tell_typists({"text": text})
            self._add(text)

    def _tell_gap(self, offset):
        """offset: that of the text that follows, which is not the expected one."""
        if self._expected is None:
            text = f"[{offset} bytes before this are not known here]"
        elif offset and diff30(offset, self._expected) > 0:
            text = f"[{diff30(offset, self._expected)} bytes are missing]"
        else:  # it counts from 0 again
            text = "[the client has started again]"
        self._decoder.reset()
        self._add(("\n" if self._begun else "") + text + "\n")
        self.tell_typists({"note": text[1:-1]})

    def _add(self, text):
        *complete, self._begun = (self._begun + text).split("\n")
        for line in complete:
            self._keep(line)
        while len(self._begun) > MAX_LINE:
            self._keep(self._begun[:MAX_LINE])
            self._begun = self._begun[MAX_LINE:]

    def _keep(self, line):
        entry = time.time(), line.rstrip("\r")
        self._lines.append(entry)
        self._came.append(time.monotonic())
        self._count += 1
        self._size += len(line) + LINE_COST
        while self._size > KEPT:
            self._size -= len(self._lines.popleft()[1]) + LINE_COST
            self._came.popleft()
        for queue in list(self.followers):
            queue.put(entry)

    def tell_typists(self, answer):
        for queue in list(self.typists):
            queue.put(answer)


class _Queue:
    """What is on its way to one caller. what: of entries, for people."""

    def __init__(self, what):
        self._what = what
        self._queue = asyncio.Queue()

    def put(self, entry):
        if self._queue.qsize() < MAX_BEHIND:
            self._queue.put_nowait(entry)
        elif self._queue.qsize() == MAX_BEHIND:
            self._queue.put_nowait(None)

    async def entries(self, queues, ending):
        """Yields the entries from now on, while this is in `queues` (set), until the task `ending` is done.

        Raises: ValueError: too many have not been taken; what the task raises."""
        queues.add(self)
        try:
            while True:
                getting = asyncio.create_task(self._queue.get())
                await asyncio.wait((getting, ending), return_when=asyncio.FIRST_COMPLETED)
                if not getting.done():
                    getting.cancel()
                    ending.result()
                    return
                if getting.result() is None:
                    raise ValueError(f"more than {MAX_BEHIND} {self._what} were not taken: the next ones are not shown")
                yield getting.result()
        finally:
            ending.cancel()
            queues.discard(self)
