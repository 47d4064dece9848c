"""What no good page sends, into both protocols of Web I2C: a part of `make fuzz-server`."""

import asyncio
from struct import pack

from remote_i2c.errors import PLACES
from remote_i2c.shared import SharedBus
from remote_i2c.web import chirimen, frames
from remote_i2c.web.access import Access
from remote_i2c.web.calls import NAMES
from remote_i2c.web.session import ChirimenSession, Counts, Cut, Limits, OwnSession
from tests.remote_i2c.fake_bus import FakeBus

ALLOWED = {0x48}
TOKEN = b"sixteen bytes or more"
LIMITS = Limits(in_flight=4, per_second=1e9, reserve=1e9, refusals=5)
TURNS = 200  # of the loop, until what is under way has been answered


class Script:
    """A socket: gives the messages, and the end when all that was taken has been answered. pauses: function () that
    returns the turns of the loop before a message."""

    def __init__(self, messages, counts, pauses):
        self._pauses = pauses
        self._messages = list(messages)
        self._counts = counts
        self.answers = []

    async def receive(self):
        if self._messages:
            for _ in range(self._pauses()):
                await asyncio.sleep(0)
            return self._messages.pop(0)
        for _ in range(TURNS):
            if self._counts.done + self._counts.failed == self._counts.taken:
                break
            await asyncio.sleep(0)
        return None

    async def send(self, data):
        self.answers.append(data)


async def own(fuzz):
    """Returns the messages. fuzz: a Fuzz of tests/server/fuzz.py."""
    chance = fuzz.random
    hello = bytes((frames.HELLO, frames.VERSION)) + TOKEN
    messages = [hello if chance.random() < 0.9 else fuzz.changed(hello)]
    messages += [_own_message(fuzz) for _ in range(chance.randrange(12))]
    access = Access("127.0.0.1", TOKEN.decode())
    make = lambda ports, socket, counts: OwnSession(
        ports, LIMITS, socket, counts, admits=access.admits_token, names={1: "1"}
    )
    answers = await _play(make, messages, lambda: chance.choice((0, 0, 1, 20)))
    for answer in answers[:1]:
        _see(messages[0] == hello and answer[0] == frames.WELCOME, f"{messages[0]} is welcomed")
    asked = [message[1:5] for message in messages[1:] if isinstance(message, bytes)]
    for answer in answers[1:]:
        _see(answer[1:5] in asked, f"{answer} answers nothing")
        asked.remove(answer[1:5])
        if answer[0] == frames.FAILED:
            _see(answer[5] < len(NAMES) and answer[6] < len(PLACES), f"{answer} has no name")
            answer[8 + answer[7] :].decode()
    return messages


def _own_message(fuzz):
    chance = fuzz.random
    kind = chance.choice((frames.WRITE, frames.READ, frames.WRITE_READ, frames.PROBE))
    address = chance.choice((0x48, 0x48, 0x50, 0xFF, chance.randrange(256)))
    good = pack(">BIHB", kind, chance.randrange(1 << 32), chance.choice((1, 1, 1, 2)), address)
    if kind in (frames.READ, frames.WRITE_READ):
        good += pack(">H", chance.choice((1, 2, 0, 8192, 65535)))
    if kind in (frames.WRITE, frames.WRITE_READ):
        good += fuzz.bytes(20)
    return chance.choice((*[good] * 12, fuzz.changed(good), fuzz.changed(good), fuzz.bytes(12), "text"))


async def others(fuzz):
    """The same with CHIRIMEN's protocol."""
    chance = fuzz.random
    messages = [_chirimen_message(fuzz) for _ in range(chance.randrange(12))]
    make = lambda ports, socket, counts: ChirimenSession(ports, LIMITS, socket, counts, port=1)
    answers = await _play(make, messages, lambda: chance.choice((0, 0, 1, 20)))
    asked = [message[:4] for message in messages if isinstance(message, bytes)]
    for answer in answers:
        _see(answer[:4] in asked and len(answer) > 4, f"{answer} answers nothing")
        asked.remove(answer[:4])
    return messages


def _chirimen_message(fuzz):
    chance = fuzz.random
    function = chance.choice((chirimen.OPEN, chirimen.WRITE, chirimen.READ, chirimen.READ_REGISTER, 0x10))
    good = bytes((1, chance.randrange(256), 0, function, chance.choice((0x48, 0x48, 0x50, 0xFF))))
    data = fuzz.bytes(20)
    good += {chirimen.WRITE: bytes((len(data),)) + data, chirimen.READ_REGISTER: b"\x10\x02"}.get(function, b"\x01")
    return chance.choice((*[good] * 12, fuzz.changed(good), fuzz.changed(good), fuzz.bytes(12), "text"))


async def _play(make, messages, pauses):
    bus, counts = FakeBus({0x48: bytearray(256), 0x50: bytearray(256)}), Counts()
    socket = Script(messages, counts, pauses)
    session = make({1: SharedBus(bus, ALLOWED)}, socket, counts)
    try:
        await session.run()
        _see(counts.done + counts.failed == counts.taken, "a call was not answered")
    except Cut:
        pass
    for _, transfer in bus.log:
        _see(all(message.address in ALLOWED for message in transfer), f"{transfer} reached the bus")
    return socket.answers


def _see(good, text):
    if not good:
        raise AssertionError(text)
