"""Random traffic on many channels, with all that may fail, from a seed; and what must hold afterwards.

    python3 -m tests.protocol.channel_traffic 0 1000        runs these seeds, and names those that fail

What may fail: frames, either end, the memory of either end; the server may be another one with another store, and the
first one again. Not here: messages that are not read while both the client restarts and the server is another one. They
count as accepted by then (section 6).
"""

import linecache
import random
import re
import sys

from protocol.limits import MAX_FRAME, MIN_FRAME
from tests.protocol.channel_wire import ChannelEnd, Kept
from tests.protocol.wire import FAULTS, Wire

# Lines of the modules below that take memory.
TAKES_MEMORY = re.compile(
    r"bytes\(|\.append\(|unpack_from|pack_into|memoryview\(|bytearray\(|extend\(|= Channel\(|_line_in\(|line = \("
    r"|lines\[-?\w+\] = |self\.told = told"
)
MODULES = (
    "channel.py", "channel_receiver.py", "channel_sender.py", "channels.py", "receiver.py", "sender.py",
    "server_session.py", "session.py",
)  # fmt: skip
SIZES = (0, 0, 1, 5, 10, 30, 100, 300, 1500, 8000)
LIMITS_MS = (0, 1, 3, 20, 300, 20000)


class Shortage:
    """Memory that runs out once, `after` so many lines that take some."""

    def __init__(self):
        self.after = None
        self.count = 0  # how often it has run out

    def call(self, function, *args):
        if self.after is None:
            return function(*args)
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            return function(*args)
        finally:
            sys.settrace(before)

    def _enter(self, frame, event, arg):
        folder, _, name = frame.f_code.co_filename.rpartition("/")
        return self._line if folder.endswith("/protocol") and "/tests/" not in folder and name in MODULES else None

    def _line(self, frame, event, arg):
        if event == "line" and self.after is not None:
            if TAKES_MEMORY.search(linecache.getline(frame.f_code.co_filename, frame.f_lineno)):
                self.after -= 1
                if self.after < 0:
                    self.after = None
                    self.count += 1
                    raise MemoryError("none left, for this test")
        return self._line


class ShortEnd(ChannelEnd):
    """A ChannelEnd that may have no memory to receive or to send. Its connection ends then."""

    short = None  # Shortage

    def __init__(self, *args, **more):
        self.sent = {}  # channel -> [(bytes, True, False or TIMED)]
        ChannelEnd.__init__(self, *args, **more)
        self.broken = False

    def begin_life(self):
        ChannelEnd.begin_life(self)
        if self.name == "other":
            self.epoch = b"\x00other  "

    def receive(self, data, now):
        try:
            return self.short.call(ChannelEnd.receive, self, data, now)
        except MemoryError:
            return "no memory to receive"

    def frames(self, now):
        encode = self.session.encode_into
        self.session.encode_into = lambda *args: self.short.call(encode, *args)
        try:
            return ChannelEnd.frames(self, now)
        except MemoryError:
            self.broken = True
            return []
        finally:
            del self.session.encode_into


TIMED = 2


def content(message):
    """A message without the time that was left."""
    return message if isinstance(message, bytes) else message[0][2:]


class Run:
    """One run. It is made from seed alone."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        choice, chance = self.random.choice, self._chance
        self.short = Shortage()
        many = chance(0.25)
        self.numbers = list(range(1, choice((9, 30, 127)) + 1)) if many else [20, 21, 22]
        self.late = [] if many else [23, 24]  # channels that the client opens later, or never
        self.client = ShortEnd("client", True, self.numbers)
        names = ("server", "other") if chance(0.25) else ("server",)
        self.servers = [ShortEnd(name, False, self.numbers + self.late, durable=True) for name in names]
        self.ends = (self.client, *self.servers)
        max_frame = choice((MIN_FRAME, MIN_FRAME + self.random.randrange(40), MAX_FRAME, MAX_FRAME))
        for end in self.ends:
            end.short = self.short
            end.max_frame = max_frame
        self.wire = Wire(self.client, self.servers[0])
        self.client_restarts, self.server_restarts, self.timed = chance(0.3), chance(0.5), chance(0.5)
        self.faulty, self.short_of_memory = choice((0, 0.02, 0.1, 0.3)), chance(0.5)
        self.waited = []  # (end, its life, channel, sender, count, bytes) of messages that can expire
        self.number = 0

    def _chance(self, share):
        return self.random.random() < share

    def run(self):
        for _ in range(self.random.randrange(20, 120)):
            for _ in range(self.random.choice((0, 0, 1, 2, 5))):
                self._send(self.random.choice((self.client, self.wire.server)))
            self._happen()
            self.wire.turn()
            if any([end.broken for end in self.ends]):
                for end in self.ends:
                    end.broken = False
                self.wire.cut("no memory to send")
        self._settle()
        self._check_up()
        self._check_down()
        if not (self.client_restarts or self.server_restarts) and len(self.servers) == 1:
            self._check_truth()

    def _send(self, end):
        self.number += 1
        channels = [number for number in end.numbers if end.session.channels.get(number)]
        number = self.random.choice([0, *channels])
        data = b"%d " % self.number + bytes(self.random.choice(SIZES))
        numbered = self._chance(0.8)
        if not number:
            end.write(data)
            numbered = True
        elif self.timed and self._chance(0.4):
            sender, numbered = end.session.channels.get(number), TIMED
            if end.kept[number].pending or not sender.room_for(len(data) + 2, True):
                return
            count = end.send_timed(number, data, self.wire.now, self.random.choice(LIMITS_MS))
            self.waited.append((end, len(end.lives), number, sender, count, data))
        else:
            end.send(number, data, numbered)
        end.sent.setdefault(number, []).append((data, numbered, len(self.client.lives)))

    def _happen(self):
        wire, chance = self.wire, self._chance
        if chance(self.faulty):
            wire.faults[wire.step + self.random.randrange(6)] = self.random.choice((*FAULTS, "lose", "lose"))
        if chance(0.05):
            end = self.random.choice((self.client, wire.server))
            end.mute = [] if end.mute else self.random.sample(self.numbers, self.random.randrange(1, len(self.numbers)))
        if chance(0.03):
            wire.server.reading = not wire.server.reading
        if self.server_restarts and chance(0.04):
            wire.reboot(wire.server)
        if self.client_restarts and chance(0.03):
            wire.reboot(self.client)
        if len(self.servers) > 1 and chance(0.05):
            self._change_server()
        if self.late and chance(0.05):
            number = self.late.pop(0)
            self.client.numbers.append(number)
            self.client.kept[number] = Kept()
            self.client.session.channels.open(number)
        if self.short_of_memory and chance(0.1):
            self.short.after = self.random.randrange(60)

    def _change_server(self):
        self.wire.cut("another server")
        self.wire.server = self.servers[self.wire.server is self.servers[0]]

    def _settle(self):
        """No faults any longer: all that is left arrives, from each server."""
        self.short.after = None
        self.wire.faults = {}
        for _ in self.servers:
            for end in self.ends:
                end.mute, end.reading = [], True
                end.hand_over(self.wire.now)
            for _ in range(6000):
                self.wire.turn()
                if self._idle():
                    break
            else:
                raise AssertionError("still busy: %s" % self.wire.why[-5:])
            if len(self.servers) > 1:
                self._change_server()

    def _idle(self):
        """True if nothing is left on the channels that the client has opened."""
        for end in (self.client, self.wire.server):
            if end.pending or end.session.lines or end.session._sender.lines:
                return False
            for number in self.client.numbers:
                channel = end.session.channels.get(number)
                if channel and (channel.lines or channel.receiver.lines or end.kept[number].pending):
                    return False
        return True

    def _check_up(self):
        """Each server has got its messages once and in order, and of the client's last life none is missing."""
        arrived = set()
        for server in self.servers:
            for number, got in [*server.got.items(), (0, server.delivered)]:
                sent = iter([data for data, _, _ in self.client.sent.get(number, [])])
                for message in got:
                    assert content(message) in sent, ("twice, or out of order", number, content(message)[:8])
                    arrived.add(content(message))
        for number, sent in self.client.sent.items():
            for data, numbered, life in sent:
                if numbered is True and life == len(self.client.lives):
                    assert data in arrived, ("lost", number, data[:8])

    def _check_down(self):
        for server in self.servers:
            for number, sent in server.sent.items():
                if number and number not in self.client.numbers:
                    continue
                all_sent = [data for data, _, _ in sent]
                got = [content(message) for message in self.client.got.get(number, [])] if number else (
                    self.client.delivered)  # fmt: skip
                got = [data for data in got if data in all_sent]
                if not self.client_restarts:
                    assert got == [data for data in all_sent if data in got], ("twice, or out of order", number)
                if self.client_restarts and len(self.servers) > 1:
                    continue
                for data, numbered, _ in sent:
                    assert numbered is not True or data in got, ("lost", number, data[:8])

    def _check_truth(self):
        """A sender knows of each message that can expire whether it was accepted; and nothing is left over."""
        server = self.servers[0]
        for end, life, number, sender, count, data in self.waited:
            if number not in self.client.numbers or life != len(end.lives):
                continue
            other = server if end is self.client else self.client
            got = [content(message) for message in other.got.get(number, [])]
            assert sender.acknowledged >= count, ("not acknowledged", number, data[:8])
            assert (data in got) != sender.waiting[count], ("untrue", number, data[:8], sender.waiting[count])
        for end in self.ends:
            for channel in end.session.channels.used:
                if channel.number in self.client.numbers:
                    sender, receiver = channel, channel.receiver
                    left = (sender.timed, sender._held, len(sender.lines), receiver._held, len(receiver._charges))
                    assert left == (0, 0, 0, 0, 0), (end.name, channel.number, left)


def main(first, end):
    failed = 0
    for seed in range(first, end):
        try:
            Run(seed).run()
        except Exception as error:
            failed += 1
            print("seed %d: %s %s" % (seed, type(error).__name__, error))
    print("%d seeds, %d failed" % (end - first, failed))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
