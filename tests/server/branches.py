"""A client, and servers whose stores are copied, restored and swapped behind its back, without loops, time and TCP.

What happened is known here, line by line and branch by branch; the code under test knows only what it has stored or
remembers. Unrealistic: a connection carries whole frames in no time, and a store is in memory and copied in no time.
"""

import copy
import os

from protocol.frame import FrameSeal
from protocol.framing import MAX_FRAME, PREFIX
from protocol.line_bytes import bytes_in
from protocol.server_session import ServerSession
from protocol.session import OPEN, Session
from server.core.message import line as a_line
from server.core.resuming import Resuming
from server.stores.memory import MemoryStore
from tests.sessions import idle

CLIENT = "a"


def diff(a, b):
    return a - b


def now(coroutine):
    """The result of a coroutine that does not suspend."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it has suspended")


class Disk:
    """A store, and what truly happened to it. `copy.deepcopy` makes a branch."""

    def __init__(self):
        self.store = MemoryStore(1 << 30, 1 << 30)
        self.put = []  # lines ever put into the outbox, in this branch
        self.received = []  # and ever received
        self.told_lost = 0

    def copy(self):
        return copy.deepcopy(self)


class Server:
    """A process on a disk."""

    def __init__(self, disk):
        self.disk = disk
        self.events = []  # (lines, unknown) of store_rolled_back
        self.state = now(disk.store.claim(CLIENT))
        self.session = ServerSession(diff)
        state = self.state
        self.session.restore(state.peer_epoch, state.cursors[0], state.bases[0], state.lines)
        self.base = state.bases[0]
        self.resuming = Resuming(CLIENT, self, None, lambda epoch: None)
        self.resuming.begin(disk.store)

    def tell(self, event, client_id, **details):
        assert client_id == CLIENT
        if event == "same_id":  # two clients are told apart by their epochs: tests/server/core/test_rivals.py
            return
        assert event == "store_rolled_back"
        self.events.append((details["lines"], details["unknown"]))

    def write(self, line):
        now(self.disk.store.put(CLIENT, self.state.owner, a_line(line)))
        self.state.was_put(0)
        self.disk.put.append(line)
        self.session.append(line, True)

    def attach(self, channel, welcomed, epoch):
        self.resuming.attach(_Transport(), welcomed, epoch)
        self.session.attach(channel, epoch, MAX_FRAME, 0)

    def acknowledged_until(self, base):
        self.base = base

    def cursors(self):
        """As the store is to have them."""
        return self.state.cursors_with(0, self.session.expected)

    def work(self):
        """What the storing task does."""
        session, store, owner = self.session, self.disk.store, self.state.owner
        if session.asked:
            fault = self.resuming.answer(self.state, session)
            if session.asked and not fault:
                fault = now(self.resuming.realign(self.state, session, self.acknowledged_until))
            assert not fault, fault
        if self.resuming.wants:
            now(self.resuming.note_run(self.state))
        lines = session.lines[:]
        if lines:
            cursors = self.cursors()
            now(store.receive(CLIENT, owner, session.peer_epoch, cursors, [a_line(data) for data in lines]))
            self.state.was_received(session.peer_epoch, cursors)
            self.disk.received += lines
            session.accept(len(lines), 0)
        if session.base != self.base:
            now(store.acknowledge(CLIENT, owner, {0: session.base}))
            self.state.was_acknowledged({0: session.base})
            self.base = session.base


class _Transport:
    peer = "here"
    takes_farewell = False
    may_wait = False  # the tests of pace are others


class Client:
    """One life of it."""

    def __init__(self):
        self.epoch = os.urandom(8)
        self.session = Session(diff, line_in=bytes_in)
        self.written = []
        self.read = []  # handed over

    def write(self, line):
        self.written.append(line)
        self.session.append(line, True)

    def acknowledged(self):
        """What it knows to be in the server's store."""
        return self.written[: self.session.acknowledged]

    def hand_over(self, count):
        for _ in range(min(count, len(self.session.lines))):
            self.read.append(self.session.lines[0])
            self.session.accept(1, 0)


class Connection:
    """Between the two. It may be left at any time: then both sides detach."""

    def __init__(self, client, server):
        self.client, self.server = client, server
        self.time = 0
        keys = os.urandom(32), os.urandom(32)
        self.welcomed = now(server.disk.store.peek(CLIENT))[1]
        server.attach(FrameSeal(*keys), self.welcomed, client.epoch)
        client.session.attach(FrameSeal(*keys[::-1]), self.welcomed, MAX_FRAME, 0)

    def exchange(self, to_server=1000, to_client=1000, reading=1000):
        """At most so many frames each way; then the server stores, and the client's application reads, what came."""
        self.time += 10000  # whatever is due may leave; nobody has waited for long
        self._move(self.client.session, self.server.session, to_server)
        self.server.work()
        self._move(self.server.session, self.client.session, to_client)
        self.client.hand_over(reading)

    def _move(self, one, other, frames):
        buf = bytearray(MAX_FRAME)
        for _ in range(frames):
            end = one.encode_into(buf, 0, self.time)
            if not end:
                return
            fault = other.receive(memoryview(bytes(buf[PREFIX:end])), self.time)
            assert not fault, "a connection ended with a fault: " + fault

    def cut(self):
        self.client.session.detach()
        self.server.session.detach()

    def drain(self):
        for _ in range(200):
            self.exchange()
            if self.client.session.state == OPEN and self._idle():
                return
        raise AssertionError("it does not come to an end")

    def _idle(self):
        ends = (self.client.session, self.server.session)
        return all(idle(end) and not end.lines for end in ends)

