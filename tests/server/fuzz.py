"""Bytes that nobody means, into everything of the server that reads from the network: `make fuzz-server`.

Usage: python3 -m tests.server.fuzz [--inputs 1000000] [--seed N]

Inputs are chance, or good ones with changes, for: the framing, the handshake, an open session, the connection of a
micropython-iot client, both protocols of Web I2C. Any exception but those that the modules promise ends the run, with
the seed and the input; so does memory that grows.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import sys
import time
from struct import pack

from primitives.platform import ticks_diff
from protocol.channel_records import CHANNEL, ENTRY, ENTRY_BYTES, EXPIRES, FRESH, LAST, LISTED, OPEN, TYPED
from protocol.errors import LinkError
from protocol.frame import MORE, QOS0, FrameSeal
from protocol.frame_reader import FrameReader
from protocol.framing import MAX_FRAME
from protocol.handshake import Initiator
from protocol.limits import MAX_LINE, RECEIVE_BYTES
from protocol.line_bytes import decode_line
from protocol.lines import encode_line
from protocol.responder import Responder
from protocol.server_session import ServerSession
from server.core.expiry import judged
from server.core.message import Message
from server.core.registry import Registry
from server.core.resuming import Resuming
from server.gateways.micropython_iot.adapter import Client
from server.stores.memory import MemoryStore
from tests.remote_i2c.web import fuzz_door
from tests.server.store_calls import a_line

KEY = bytes(range(32))
DOORS = 0.1  # of the inputs are for the doors of remote I2C, which take longest
GROWTH_KIB = 40000  # from a tenth of the run on


class Impatient:
    peer = "here"
    takes_farewell = False
    may_wait = False


class Notes:
    """The notes of a client, kept by nobody."""

    def get(self, name):
        return ""

    def put(self, name, note, at_once=False):
        pass


class Sink:
    """Takes what is written."""

    def __init__(self):
        self.transport = self

    def write(self, data):
        pass

    def put(self, data):
        pass

    notes = Notes()

    async def drain(self):
        pass


def plain_too_long(number):
    """A fragment that fills a frame: several of them are longer than the longest message."""
    return bytes((number,)) + bytes(1200)


class Fuzz:
    def __init__(self, chance):
        self.random = chance

    def bytes(self, longest=64):
        return self.random.randbytes(self.random.randrange(longest))

    def changed(self, data):
        """A good input with some bytes altered, removed or added."""
        data = bytearray(data)
        for _ in range(self.random.choice((0, 1, 1, 2, 5))):
            at = self.random.randrange(len(data) + 1)
            what = self.random.randrange(3)
            if what == 0 and at < len(data):
                data[at] = self.random.choice((0, 0xFF, self.random.randrange(256), data[at] ^ 1 << at % 8))
            elif what == 1:
                del data[at : at + self.random.randrange(1, 4)]
            else:
                data[at:at] = self.bytes(8)
        return bytes(data)

    # What is fed. Each returns its input, and raises nothing.

    def framing(self):
        data = self.random.choice((self.bytes(400), self.changed(b"\0\0\0\5abcde\0\0" * 5)))
        reader = FrameReader()
        at = 0
        while at < len(data):
            size = self.random.randrange(1, 60)
            for frame in reader.feed(memoryview(data)[at : at + size]):
                bytes(frame)
            at += size
        return data

    def handshake(self):
        initiator = Initiator("client", KEY, b"e" * 8, b"n" * 16)
        responder = Responder()
        hello = self.changed(initiator.hello())
        if responder.hello(hello):
            return hello
        responder.fits(KEY)
        welcome = responder.challenge(KEY, b"s" * 8, b"m" * 16)
        proof = initiator.welcome(welcome)[0] or self.bytes(40)
        proof = self.changed(proof)
        responder.proof(proof)
        return hello + proof

    async def session(self):
        """Frames with a good MAC and any content, as only a client with the key could send them."""
        near, far = FrameSeal(b"1" * 32, b"2" * 32), FrameSeal(b"2" * 32, b"1" * 32)
        session = ServerSession(ticks_diff)
        store = MemoryStore()
        state = await store.claim("client")
        for line in (b"x", b"y" * 100):
            session.append(line, True)
            await store.put("client", state.owner, a_line(line))
            state.was_put(0)
        for entry in ((b"message",), (bytes(2) + b"late", EXPIRES, 30)):
            session.channels.open(20).append(entry[0], True, *entry[1:])
            await store.put("client", state.owner, Message(20, 0, 0, entry[0]))
            state.was_put(20)
        session.known_until(session.end)
        resuming = Resuming("client", Registry().events, None, lambda epoch: None)
        resuming.begin(store)
        resuming.attach(Impatient(), state.epoch, b"e" * 8)
        session.attach(near, b"e" * 8, MAX_FRAME, 0)
        out = bytearray(MAX_FRAME)
        fed, opened = [], set()
        runs = self.random.choice((b"", state.run + bytes(4), self.random.randbytes(24)))
        good = bytes((0x10, self.random.randrange(2))) + bytes(16) + bytes((255, len(runs) // 12)) + runs
        anything = b"\x10" + self.random.randbytes(18) + bytes((len(runs) // 12,)) + runs
        if self.random.random() < 0.5:
            good = bytes((good[0], good[1] | LISTED)) + good[2:]
        resume = self.random.choice((good, good, self.random.choice((self.changed(good), anything))))
        for number in range(self.random.randrange(1, 8)):
            if number == 0 and self.random.random() < 0.9:
                content = resume
            elif number == 1 and resume[1] & LISTED and self.random.random() < 0.8:
                content = self.channel_list()
            else:
                content = self.channel_content(opened) if self.random.random() < 0.7 else self.content()
            frame = bytearray(content[: MAX_FRAME - 20] + bytes(8))
            far.seal(frame, 0, len(frame) - 8)
            fed.append(bytes(frame))
            if session.receive(memoryview(frame), number * 7):
                break
            for line in session.lines:  # no reader may raise
                if encode_line(decode_line(line)) != line:
                    raise AssertionError(f"{line} is not read as it was sent")
            fault = resuming.answer(state, session) if session.asked else None
            if session.asked and not fault:
                fault = await resuming.realign(state, session, lambda base: None)
            if fault:
                break
            if session.lines and self.random.random() < 0.5:
                session.accept(1, number * 7)
            self.look_at_channels(session, number * 7)
            while session.encode_into(out, 0, number * 7):
                pass
        return b"|".join(fed)

    def content(self):
        data = bytes((0x11, 0, 0, 0, 0, 0, 0, 200)) + b"\0\3abc\x40\2de\x80\1f\0\1g"
        return self.random.choice((self.changed(data), self.changed(data), self.bytes(200) or b"\x11"))

    def channel_list(self):
        entries = b"".join([bytes((number,)) + self.entry() for number in self.random.choice(((20,), (20, 21), ()))])
        return self.random.choice((bytes, self.changed))(b"\x15\x01" + entries)

    def entry(self):
        """Of a channel: the peer knows none of our messages, or numbers by chance."""
        fresh = pack(ENTRY, FRESH, 0, 0, 0, 200, 0)
        return self.random.choice((fresh, fresh, pack(ENTRY, 0, 0, 0, 0, 200, 0), self.random.randbytes(ENTRY_BYTES)))

    def channel_content(self, opened):
        """Records of channels 20 and 21, most of them good by themselves. opened: set of those that were opened."""
        records = []
        for _ in range(self.random.randrange(1, 9)):
            number = self.random.choice((20, 21))
            if number not in opened and self.random.random() < 0.9:
                opened.add(number)
                records.append(bytes((number | TYPED, OPEN)) + self.entry())
            else:
                good = self.random.random() < 0.9
                records.append(self.random.choice(self.messages(number) if good else self.faults(number)))
        data = bytes((self.random.choice((0x11, 0x11, 0x11, 0x13, 0x14)), 0, 0, 0, 0, 0, 0, 200))
        for record in records:
            flags = self.random.choice((CHANNEL,) * 8 + (CHANNEL | QOS0, CHANNEL | MORE))
            data += pack(">H", flags | len(record)) + record
        return self.random.choice((bytes, bytes, bytes, self.changed))(data)

    def messages(self, number):
        plain, typed = bytes((number,)), bytes((number | TYPED,))
        return (
            plain, plain + b"plain", plain + self.bytes(300), typed + b"\x01\0\x05late", typed + b"\x08",
            typed + b"\x02\0\0\0\1request", typed + b"\x07\1\0\0\0\0\1failure",
            typed + b"\x80\0\0\0\0\xc8", typed + b"\x80\0\0\0\0\x40\0\0\0\1",
        )  # fmt: skip

    def faults(self, number):
        typed = bytes((number | TYPED,))
        return (
            b"", typed, typed + b"\x80", typed + b"\x80\0\1\0\x17\xc8", typed + b"\x81" + self.entry(), b"\x16none",
            typed + b"\x10", typed + b"\x01\0\0", typed + b"\x82", b"\x80\x81" + self.entry(), b"\0line",
            plain_too_long(number),
        )  # fmt: skip

    def look_at_channels(self, session, now):
        """As the server's application does. What a client can have it keep is bounded."""
        channels = session.channels
        if len(channels.used) > LAST:
            raise AssertionError(f"{len(channels.used)} channels")
        for channel in channels.used:
            held = sum([len(one) if isinstance(one, bytes) else len(one[0]) for one in channel.received])
            if held > RECEIVE_BYTES + MAX_LINE:
                raise AssertionError(f"{held} bytes are held of channel {channel.number}")
            channel.expire(now)
            come, _ = judged(channel.received, now, self.random.random() < 0.7)
            channel.after([one.late for one in come])
            for one in come[: self.random.randrange(5)]:
                if one.data is not None:
                    Message(channel.number, one.kind, now, one.data)
                channel.accept(one.late)
            channels.tell(channel, now)

    async def micropython_iot(self):
        client = Client("old", Registry(), MemoryStore(), 1000)
        client._writer = client._inside = client._transport = client._connection = Sink()
        client._zero_seen = False
        lines = self.changed(b"00first\n01a\n\n01\n02b\n\xff\n" * 2)
        try:
            for line in lines.split(b"\n"):
                if line:
                    await client._received(line)
        except LinkError:
            pass  # the connection ends
        return lines

    async def one(self):
        if self.random.random() < DOORS:
            await self.random.choice((fuzz_door.own, fuzz_door.others))(self)
            return
        what = self.random.randrange(4)
        if what > 1:
            await (self.session, self.micropython_iot)[what - 2]()
        else:
            (self.framing, self.handshake)[what]()


async def run(inputs, seed, show=None):
    """Returns growth of memory in KiB. Raises: what got through."""
    begin_kib = None
    for number in range(inputs):
        chance = random.Random(seed + number)
        try:
            await Fuzz(chance).one()
        except Exception:
            print(f"fuzz: an exception with --seed {seed + number} --inputs 1", file=sys.stderr)
            raise
        if number == inputs // 10:
            begin_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if show is not None and number % 10000 == 0:
            show(number)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begin_kib


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1000000)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(5), "big"))
    options = parser.parse_args()
    begin = time.monotonic()
    print(f"seed {options.seed}", file=sys.stderr)
    grown = asyncio.run(run(options.inputs, options.seed, lambda n: print(f"\r{n} ", end="", file=sys.stderr)))
    result = {"inputs": options.inputs, "grown_kib": grown, "seconds": round(time.monotonic() - begin, 1)}
    print(json.dumps(result))
    return 1 if grown > GROWTH_KIB else 0


if __name__ == "__main__":
    sys.exit(main())
