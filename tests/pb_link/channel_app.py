"""A client whose link's loop does not run: a session of the server is at the other end, and frames go from one to the
other when the test says so."""

from i2c_devices.ports import TargetPort
from pb_link.app_base import AppBase
from primitives.platform import sleep_ms, ticks_diff, ticks_ms
from protocol.frame import FrameSeal
from protocol.framing import MAX_FRAME, PREFIX
from protocol.server_session import ServerSession
from tests.pb_link.idle_pin import Pin

EPOCHS = b"client's", b"server's"
RUN = b"only one\x00\x00\x00\x00"


class App(AppBase):
    unread = (99,)  # channels of which the server accepts nothing by itself

    def __init__(self):
        config = [8123, "server", 1500, 0, "", "", bytes(range(32))]
        super().__init__("a", config, [TargetPort(None), Pin(), Pin(), None])
        self.server = ServerSession(ticks_diff)
        self.read = {}

    def connect(self):
        ours, theirs = FrameSeal(b"c" * 32, b"s" * 32), FrameSeal(b"s" * 32, b"c" * 32)
        self._link.session.attach(ours, EPOCHS[1], MAX_FRAME, ticks_ms())
        self.server.attach(theirs, EPOCHS[0], MAX_FRAME, ticks_ms())
        self.exchange()
        self._link.up = True

    def cut(self):
        self._link.session.detach()
        self.server.detach()
        self._link.up = False
        self._link.changed.pulse()

    def exchange(self):
        """All frames that are due go; the server accepts all but what is on `unread`."""
        client, server = self._link.session, self.server
        for _ in range(6):
            self._move(client, server)
            self._move(server, client)
            for channel in self.server.channels.used:
                while channel.number not in self.unread and channel.front(ticks_ms()) is not None:
                    self.read.setdefault(channel.number, []).append(channel.front_data())
                    self.server.channels.accept(channel, ticks_ms())
        self._link.changed.pulse()

    def _move(self, one, other):
        buf = bytearray(MAX_FRAME)
        while True:
            end = one.encode_into(buf, 0, ticks_ms() + 1000)
            if not end:
                return
            fault = other.receive(memoryview(bytes(buf[PREFIX:end])), ticks_ms())
            assert not fault, fault
            if other is self.server and other.asked:
                other.answer(ticks_ms(), RUN)


async def turns():
    for _ in range(5):
        await sleep_ms(0)
