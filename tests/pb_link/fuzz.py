"""Frames that no good server sends, into the client's channels and requests: `make fuzz-client`.

Usage: python3 -m tests.pb_link.fuzz [--inputs 100000] [--seed N]

The server has the client's key. It sends records of channels, requests and answers: good ones, cut off, of wrong kinds,
with ids and numbers of others, in any order, between the calls of an application. An exception that the calls do not
promise ends the run, with its seed. So does an answer that was not sent to that request, a handler that runs other than
once for each request accepted, a frame from the client that a good server refuses, memory that is held beyond the
bounds, and a client that cannot be used afterwards with a good server.
"""

import argparse
import asyncio
import contextlib
import io
import json
import os
import random
import sys
import time
from struct import pack

from pb_link.requests import MAX_REQUESTS
from primitives.platform import sleep_ms, ticks_diff, ticks_ms
from protocol.channel_errors import Expired
from protocol.channel_records import (
    ANSWER,
    BRIEF_ANSWER,
    BRIEF_REQUEST,
    CALL,
    CHANNEL,
    CREDIT,
    DROPPED,
    ENTRY,
    ENTRY_BYTES,
    EXPIRES,
    FAILURE,
    FIELD,
    FIELDS,
    FRESH,
    LISTED,
    OPEN,
    REQUEST,
    TYPED,
)
from protocol.frame import MORE, QOS0, FrameSeal
from protocol.framing import MAX_FRAME, PREFIX
from protocol.limits import MAX_LINE, RECEIVE_BYTES
from protocol.requests import RequestFailed, RequestTimeout, ident
from protocol.server_session import ServerSession
from tests.pb_link.channel_app import App
from tests.server.fuzz import Fuzz

# What the application uses the channels for. Nobody has opened NONE.
ASKS, ANSWERS, MESSAGES, NONE = 20, 21, 22, 23
USED = (ASKS, ANSWERS, MESSAGES)
LIMIT = FIELDS - FIELD  # bytes of a time limit in front of an id
BRIEF = {REQUEST | EXPIRES: BRIEF_REQUEST, ANSWER: BRIEF_ANSWER}
LONG_MS = 60000
MAX_FRAMES = 200  # that a client may send at once
MAX_CALLS = 12
ROUNDS = 40  # of exchanges with the good server, until its request is answered


class FoundError(AssertionError):
    """What no server may get the client to do."""


class Client(App):
    """The application. chance: random.Random."""

    unread = ()

    def __init__(self, chance):
        super().__init__()
        self.random = chance
        self.sent = {}  # id -> {(kind, bytes)} of what has come for it, and may be its answer
        self.asked = []  # ids of our requests
        self.accepted = []  # (id, bytes) of the requests that were accepted
        self.begun = []  # bytes of those that the handler has got
        self.answered = []  # ids of those that we have answered
        self.calls = []  # tasks of calls
        self.on_request(ANSWERS, self.handler)
        self.channel(ASKS).requests()
        self.channel(MESSAGES)._for_messages()
        self._watch()

    def _watch(self):
        """Notes what passes between the channels and who uses them."""
        channels = self._link.channels
        accept = channels.accept

        def accepted(channel, now):
            entry = channel.received[0]
            kind = entry[1] & CALL if isinstance(entry, tuple) else 0
            at = LIMIT if kind and entry[1] & EXPIRES else 0
            if channel.number == ASKS and kind in (ANSWER, FAILURE):
                self.sent.setdefault(entry[0][at : at + FIELD], set()).add((kind, entry[0][at + FIELD :]))
            elif channel.number == ANSWERS and kind == REQUEST:
                self.accepted.append((entry[0][at : at + FIELD], entry[0][at + FIELD :]))
            accept(channel, now)

        channels.accept = accepted
        for number, names in ((ANSWERS, self.answered), (ASKS, self.asked)):
            self._watch_appends(channels.get(number), names)

    def _watch_appends(self, channel, names):
        append = channel.append

        def appended(data, numbered, kind=0, *more):
            if kind & CALL == REQUEST:
                names.append(bytes(data[LIMIT : LIMIT + FIELD]))
            elif channel.number == ANSWERS:
                names.append(bytes(data[:FIELD]))
            return append(data, numbered, kind, *more)

        channel.append = appended

    def handler(self, data):
        self.begun.append(data)
        way = self.random.randrange(5)
        if way == 0:
            raise ValueError("\u00e9" * self.random.randrange(300))
        if way == 1:
            return self.later(data)
        return (data, None, 5)[way - 2]

    async def later(self, data):
        await sleep_ms(0)
        return data * self.random.choice((1, 1, 300))

    # Calls, each a task

    def act(self):
        """Makes a call, or cancels one."""
        self.calls = [call for call in self.calls if not self.ended(call)]
        what = self.random.randrange(6)
        if what == 0 and self.calls:
            self.random.choice(self.calls).cancel()
        elif len(self.calls) < MAX_CALLS:
            make = (self.ask, self.ask, self.ask, self.send, self.take)[max(0, what - 1)]
            self.calls.append(asyncio.create_task(make()))

    def ended(self, call):
        """True if a call has ended. Raises: what the call does not promise."""
        if call.done() and not call.cancelled() and call.exception() is not None:
            if not isinstance(call.exception(), (RequestFailed, RequestTimeout, Expired, asyncio.TimeoutError)):
                raise call.exception()
        return call.done()

    async def ask(self):
        """Checks the answer, which is one that has come for the id of this request."""
        body = self.random.randbytes(self.random.choice((0, 3, 3, 400)))
        requests = self.channel(ASKS).requests()
        waiting = set(requests._waiting)
        call = asyncio.create_task(self.request(ASKS, body, self.random.choice((1, 20, LONG_MS, LONG_MS))))
        await sleep_ms(0)
        names = [name for name in requests._waiting if name not in waiting]
        try:
            answer = await call
        finally:
            call.cancel()
        if names and (ANSWER, answer) not in self.sent.get(names[0], ()):
            raise FoundError(f"{answer} is no answer to {names[0]}")

    async def send(self):
        data = self.random.randbytes(self.random.choice((0, 5, 200)))
        await self.channel(MESSAGES).send(data, self.random.random() < 0.8, False, self.random.choice((None, 5, 5000)))

    async def take(self):
        await self.channel(MESSAGES).receive(self.random.choice((None, 1)))

    def check(self):
        """What holds whatever has come."""
        channels = self._link.channels.used
        if [channel.number for channel in channels if channel.number not in USED]:
            raise FoundError("a channel that nobody has opened")
        for channel in channels:
            held = sum(len(one) if isinstance(one, bytes) else len(one[0]) for one in channel.received)
            if held > RECEIVE_BYTES + MAX_LINE:
                raise FoundError(f"{held} bytes are held of channel {channel.number}")
        if len(self.channel(ASKS).requests()._waiting) > MAX_REQUESTS:
            raise FoundError("too many requests wait")
        if self.begun != [data for _, data in self.accepted][: len(self.begun)]:
            raise FoundError(f"a handler has got {self.begun[-3:]}, and accepted was {self.accepted[-3:]}")
        if len(self.accepted) > len(self.begun) + 1:
            raise FoundError("a request was accepted and has not begun")
        if self.answered != [name for name, _ in self.accepted][: len(self.answered)]:
            raise FoundError("an answer has the id of another request")


class HostileServer:
    """Makes frames. Args: chance: random.Random; client: Client, whose ids it knows."""

    def __init__(self, chance, client):
        self.random = chance
        self.client = client
        self.fuzz = Fuzz(chance)
        self.opened = set()

    def frames(self):
        """Returns what it sends on one connection: contents of frames, without MAC."""
        some = self.random.randrange(1, 14)
        first = self.resume()
        yield first if self.random.random() < 0.95 else self.content()
        if first[1] & LISTED and self.random.random() < 0.9:
            yield self.channel_list()
        for _ in range(some):
            yield self.content() if self.random.random() < 0.9 else self.fuzz.content()

    def resume(self):
        flags = self.random.choice((0, 0, 1, 2)) | self.random.choice((0, LISTED))
        good = bytes((0x10, flags)) + bytes(16) + bytes((255, 0))
        return good if self.random.random() < 0.9 else (self.fuzz.changed(good) + bytes(2))[:MAX_FRAME]

    def channel_list(self):
        numbers = self.random.choice(((), (ASKS, ANSWERS, MESSAGES), (ASKS,), (ANSWERS, MESSAGES)))
        entries = b"".join(bytes((number,)) + self.entry() for number in numbers)
        self.opened.update(numbers)
        return self._perhaps_changed(b"\x15\x01" + entries, 0.1)

    def entry(self):
        if self.random.random() < 0.1:
            return self.random.randbytes(ENTRY_BYTES)
        return pack(ENTRY, self.random.choice((0, FRESH)), 0, 0, 0, self.random.choice((0, 2, 200)), 0)

    def content(self):
        """A frame of records of channels."""
        data = bytes((self.random.choice((0x11, 0x11, 0x13, 0x14, 0x12)), 0, 0, 0, 0, 0, 0, 200))
        for _ in range(self.random.randrange(1, 7)):
            number = self.random.choice((ASKS, ASKS, ANSWERS, ANSWERS, MESSAGES, NONE))
            if number == NONE and self.random.random() < 0.9:
                number = ASKS
            if number not in self.opened and self.random.random() < 0.95:
                self.opened.add(number)
                data += self._record(bytes((number | TYPED, OPEN)) + self.entry(), 0)
            data += self._message(number)
        return self._perhaps_changed(data, 0.05)[: MAX_FRAME - 20]

    def _message(self, number):
        """The records of one message, or something like it."""
        kinds = (REQUEST,) if number == ANSWERS else (ANSWER, ANSWER, FAILURE)
        kind = self.random.choice(kinds) if self.random.random() < 0.85 else self.random.choice((0, 2, 4, 6, 8, 1, 16))
        if self.random.random() < 0.08:
            return self._record(bytes((number | TYPED, CREDIT)) + self.credit(), 0)
        body = self._name() if kind & CALL else b""
        if kind and self.random.random() < 0.2:
            kind |= EXPIRES
            body = pack(">H", self.random.choice((0, 1, 5, 5000, 0xFFFF))) + body
        if kind & DROPPED:
            body = b""
        else:
            body += self.random.choice((b"", b"body", b"\xff\xfe", self.random.randbytes(self.random.choice((9, 300)))))
        if self.random.random() < 0.05:
            body = body[: self.random.randrange(len(body) + 1)]
        header = bytes((number | TYPED, kind)) if kind else bytes((number,))
        flags = QOS0 if self.random.random() < 0.05 else 0
        if kind in BRIEF and self.random.random() < 0.7:  # the type in the record's header, as a server of ours has it
            header, flags = bytes((number,)), flags | BRIEF[kind]
        if len(body) > 40 and self.random.random() < 0.3:  # in two fragments, or the first one alone
            last = self._record(bytes((number,)) + body[20:], flags) if self.random.random() < 0.9 else b""
            return self._record(header + body[:20], flags | MORE) + last
        return self._record(header + body, flags)

    def _name(self):
        """An id: that of a request which waits, or waited, or of none. None that will be used: it would be answered."""
        waiting = list(self.client.channel(ASKS).requests()._waiting)
        known = self.random.choice((waiting, waiting, waiting, self.client.asked)) or [bytes(FIELD)]
        name = self.random.choice(known)
        if self.random.random() < 0.2:
            name = ident(int.from_bytes(name, "big") + self.random.choice((-1, -1, 1 << 31)))
        return name

    def credit(self):
        credits = (0, 0, 200), (0, 0, 0), (1, 40, 200), (3, 9, 9), (0xFFFF, 0xFFFF, 255)
        return pack(">HHB", *self.random.choice(credits))

    def _record(self, payload, flags):
        return pack(">H", CHANNEL | flags | len(payload) & 0x7FF) + payload

    def _perhaps_changed(self, data, share):
        return (self.fuzz.changed(data) or b"\x11") if self.random.random() < share else data


class Input:
    """One input: a client, a few connections to a hostile server, and one to a good server."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.reached = {"records": 0, "faults": 0, "answers": 0, "runs": 0}

    async def play(self):
        client = self.client = Client(self.random)
        for number in range(self.random.choice((1, 1, 2, 3))):
            await self._connection(client, b"hostile%d" % (number if self.random.random() < 0.3 else 0))
        self.reached["answers"] = sum(len(found) for found in client.sent.values())
        self.reached["runs"] = len(client.begun)
        await self._served(client)
        await self._end(client)

    async def _connection(self, client, epoch):
        session, link = client._link.session, client._link
        ours, theirs = FrameSeal(b"c" * 32, b"s" * 32), FrameSeal(b"s" * 32, b"c" * 32)
        session.attach(ours, epoch, MAX_FRAME, ticks_ms())
        for content in HostileServer(self.random, client).frames():
            if self.random.random() < 0.5:
                client.act()
            await self._turn(client)
            frame = bytearray(content + bytes(8))
            theirs.seal(frame, 0, len(frame) - 8)
            fault = session.receive(memoryview(frame), ticks_ms())
            self.reached["faults" if fault else "records"] += 1
            if fault:
                break
            link.up = True
            link.changed.pulse()
            self._send(session)
            await self._turn(client)
        client.cut()
        if session.renumbered():
            self.reached["renumbered"] = 1
        await self._turn(client)

    async def _turn(self, client):
        for _ in range(self.random.choice((1, 3, 6))):
            await sleep_ms(0)
        client.check()

    def _send(self, session):
        """What the client has to send goes nowhere."""
        buf = bytearray(MAX_FRAME)
        for _ in range(MAX_FRAMES):
            if session.encode_into(buf, 0, ticks_ms() + 1000) <= PREFIX:
                return
        raise FoundError("the client has no end of frames")

    async def _served(self, client):
        """A good server is told nothing wrong, and answered and asked as if nothing had been."""
        client.server = ServerSession(ticks_diff)
        client.connect()
        call = asyncio.create_task(client.request(ASKS, b"good", LONG_MS))
        client.server.channels.open(ANSWERS).append(b"good" + b"once", True, REQUEST)
        asked = None
        for _ in range(ROUNDS):
            await self._turn(client)
            client.unread = USED
            client.exchange()
            for channel in client.server.channels.used:
                while channel.front(ticks_ms()) is not None:
                    asked = self._of_client(client, channel) or asked
                    client.server.channels.accept(channel, ticks_ms())
            for waits in client.calls:
                client.ended(waits)
            if call.done() and asked:
                break
        if not call.done() or call.result() != b"good answer":
            raise FoundError("a good server cannot answer")
        if not asked or client.begun.count(b"once") != 1:
            raise FoundError("a good server is not answered")
        client.check()

    @staticmethod
    def _of_client(client, channel):
        """Answers a request of the client. Returns the answer to the server's."""
        entry = channel.received[0]
        if isinstance(entry, tuple) and channel.number == ASKS and entry[1] & CALL == REQUEST:
            if channel.room_for(40):
                channel.append(entry[0][LIMIT : LIMIT + FIELD] + b"good answer", True, ANSWER)
        elif isinstance(entry, tuple) and channel.number == ANSWERS and entry[0][:FIELD] == b"good":
            return entry
        return None

    async def _end(self, client):
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            if not task.cancelled() and task.exception() is not None:
                client.ended(task)


def run(inputs, seed, show=None):
    """Plays so many inputs. Returns what they have reached, by name. Raises: what got through."""
    reached = {}
    for number in range(inputs):
        one = Input(seed + number)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                asyncio.run(one.play())
        except BaseException:
            print(f"fuzz: an exception with --seed {seed + number} --inputs 1", file=sys.stderr)
            raise
        for name, count in one.reached.items():
            reached[name] = reached.get(name, 0) + count
        if show is not None and number % 1000 == 0:
            show(number)
    return reached


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(5), "big"))
    options = parser.parse_args()
    begin = time.monotonic()
    print(f"seed {options.seed}", file=sys.stderr)
    reached = run(options.inputs, options.seed, lambda n: print(f"\r{n} ", end="", file=sys.stderr))
    result = {"inputs": options.inputs, "seconds": round(time.monotonic() - begin, 1), **reached}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
