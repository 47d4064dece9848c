"""An ESP8266 on a bench: the real Bridge between a client's mailbox and servers that do what the test says.

The client's side is a real MailboxTarget, kept alive by a task that does nothing of its own accord. Unrealistic as the
fakes of tests/link/harness.py are; sockets are lists of bytes. Run it on the virtual clock.
"""

import asyncio
import random
import socket

from esp_link.bridge import Bridge
from i2c_devices.mailbox_target import MailboxTarget
from i2c_devices.ports import TargetPort
from protocol import control
from protocol.config_record import encode_config
from protocol.mailbox import CONTROL, DATA, FRAME_END, KIND
from tests.link.harness import Bus, FakeWifi, wire
from tests.link.virtual import now_ms

CONFIG = (8123, "server", 1500, 0, "net", "secret")
UP = control.UP
DOWN = control.DOWN


class FakeTcp:
    """What esp_link.tcp.connect returns. `space` bytes are still taken by `write`; None: any number."""

    def __init__(self):
        self.space = None
        self.no_delay = None  # as it was set last
        self.sent = b""
        self.sent_at = []  # (time, bytes) of each write
        self.waiting = b""
        self.ended = False
        self.broken = False
        self.closed = False
        self._change = asyncio.Event()

    # The server's side

    def feed(self, data):
        self.waiting += data
        self._change.set()

    def end(self):
        self.ended = True
        self._change.set()

    def reset(self):
        self.broken = True
        self._change.set()

    def drain(self, space=None):
        self.space = space
        self._change.set()

    # The bridge's side

    def readinto(self, buf):
        assert not self.closed
        if self.broken:
            raise OSError(104)
        n = min(len(buf), len(self.waiting))
        buf[:n] = self.waiting[:n]
        self.waiting = self.waiting[n:]
        return n if n or self.ended else None

    def write(self, buf):
        assert not self.closed
        if self.broken:
            raise OSError(104)
        n = len(buf) if self.space is None else min(self.space, len(buf))
        if n:
            self.sent += bytes(buf[:n])
            self.sent_at.append((now_ms(), bytes(buf[:n])))
        if self.space is not None:
            self.space -= n
        return n

    def send(self, buf):
        assert not buf and not self.closed  # `no_delay` asks whether it is broken
        if self.broken:
            raise OSError(104)
        if self.space == 0:
            raise OSError(11)
        return 0

    def setsockopt(self, level, option, value):
        assert not self.broken and not self.closed  # it would crash the chip
        assert (level, option) == (socket.IPPROTO_TCP, socket.TCP_NODELAY)
        self.no_delay = value

    async def readable(self):
        await self._until(lambda: self.waiting or self.ended or self.broken)

    async def writable(self):
        await self._until(lambda: self.space is None or self.space or self.broken)

    async def _until(self, condition):
        await asyncio.sleep(0)  # the real one suspends always
        while not condition():
            self._change.clear()
            await self._change.wait()

    def close(self):
        self.closed = True


class FakeClient:
    """The client's mailbox, and what has come through it."""

    def __init__(self, bus, syn, ack):
        self._syn = syn
        self._wake = asyncio.Event()
        self.box = MailboxTarget(TargetPort(bus.open_target), random.randrange(65536), self._wake.set)
        ack.irq(self._on_ack)
        self.acks = 0
        self.controls = []  # records that tell what happens
        self.releases = []  # what RELEASE says, once a CONFIG
        self.stream = []  # (connection, bytes)
        self._offers = []
        self.beating = True
        self.epochs = 0
        self._task = None

    def _on_ack(self, pin):
        self.acks += 1

    def open(self):
        self.box.open()
        self._task = asyncio.create_task(self._run())

    def close(self):
        """It loses power."""
        self._task.cancel()
        self.box.close()

    def configure(self, config=CONFIG):
        self._offers.append((CONTROL, 0, encode_config(*config)))
        self._wake.set()

    def send(self, connection, data, ends_frame=True):
        self._offers.append((DATA | FRAME_END if ends_frame else DATA, connection, data))
        self._wake.set()

    def drop(self, connection):
        self.box.drop(connection)
        self._wake.set()

    async def _run(self):
        beat_at = pulse_at = now_ms()
        while True:
            self._wake.clear()
            if self.box.poll():
                self.epochs += 1
            for kind, connection, payload in self.box.transfers():
                if kind & KIND == CONTROL:
                    told = self.releases if payload[0] == control.RELEASE else self.controls
                    told.append(bytes(payload))
                else:
                    self.stream.append((connection, bytes(payload)))
            self._offer()
            if self.beating and now_ms() - beat_at >= 500:
                beat_at = now_ms()
                self.box.beat()
            if self.box.publish() or (self.box.pending() and now_ms() - pulse_at >= 250):
                pulse_at = now_ms()
                self._syn(0)
                self._syn(1)
            try:
                async with asyncio.timeout(0.1):  # wait_for may swallow a cancellation
                    await self._wake.wait()
            except asyncio.TimeoutError:
                pass

    def _offer(self):
        while self._offers:
            slot = self.box.slot()
            if slot is None:
                return
            kind, connection, data = self._offers.pop(0)
            memory, at = slot
            memory[at : at + len(data)] = data
            self.box.offer(kind, connection, len(data))

    def received(self):
        return b"".join(data for _, data in self.stream)

    def kinds(self):
        return [record[0] for record in self.controls]


class Bench:
    """Use: `async with Bench() as bench`. `answer` says what a server does: "accept", "refuse", "hang", an OSError."""

    def __init__(self, client=True):
        self.bus = Bus()
        self.client_syn, syn = wire()
        ack, client_ack = wire()
        self.wifi = FakeWifi()
        self.answer = "accept"
        self.attempts = []  # (time, host, port)
        self.sockets = []
        self.free = 25000
        self.rssi = 31  # the chip has joined no network
        self.feeds = 0
        ack.init(ack.OUT, value=1)  # as esp_link/start.py and the link do
        self.client_syn.init(ack.OUT, value=1)
        self._pins = syn, ack
        self.bridge = None
        self._client_pins = self.client_syn, client_ack
        self.client = None
        self._with_client = client

    def _feed(self):
        self.feeds += 1

    async def _connect(self, host, port):
        self.attempts.append((now_ms(), host, port))
        if self.answer == "refuse":
            raise OSError(111)
        if isinstance(self.answer, OSError):
            raise self.answer
        if self.answer == "hang":
            await asyncio.Event().wait()
        self.sockets.append(FakeTcp())
        return self.sockets[-1]

    async def __aenter__(self):
        self.bridge = Bridge(
            self.bus,
            *self._pins,
            lambda *wanted: self.wifi.join(*wanted),  # a test may put another one there
            self._connect,
            random.randbytes,
            lambda: self.free,
            self._feed,
            lambda: self.rssi,
        )
        self.task = asyncio.create_task(self.bridge.run())
        if self._with_client and self.client is None:
            self.new_client()
        return self

    async def __aexit__(self, *error):
        self.task.cancel()
        await asyncio.wait([self.task])

    def new_client(self):
        """A client gets power."""
        self.client = FakeClient(self.bus, *self._client_pins)
        self.client.open()

    @property
    def socket(self):
        return self.sockets[-1]

    async def connected(self, config=CONFIG):
        """Configure; wait until the client knows of the connection. Returns its number."""
        self.client.configure(config)
        await self.until(lambda: UP in self.client.kinds())
        return self.client.controls[-1][1]

    async def pause(self, ms):
        await asyncio.sleep(ms / 1000)

    async def until(self, condition, ms=20000):
        for _ in range(ms // 10):
            if condition():
                return
            await self.pause(10)
        raise AssertionError(f"not within {ms} ms")
