"""Client, bridge and server in one CPython process: AppBase, Bridge and server over real TCP, a fake bus and fake pins.

Unrealistic: a transfer on the bus takes no time and happens between two steps of the event loop, so that nothing is
ever torn while Python looks; interrupts come at once and are never lost; Wi-Fi is always there; the two boards share
one clock and one heap. Realistic: an ESP8266 that is killed leaves its TCP connection half open, it does not boot
while the client's target is on the bus, and noise damages, cuts off or swallows transfers in either direction.
"""

import asyncio
import random
import socket

from esp_link.bridge import Bridge
from i2c_devices.ports import TargetPort
from pb_link.app_base import AppBase
from protocol.mailbox import ADDRESS, ADDRESS_BITS
from server import client_conn
from tests.patience import PATIENCE_S
from tests.server.peer import HOST, KEY, Service, until, within

ENODEV = 19
EIO = 5
PULSE_MS = 5
BOOT_S = 0.02


class Pin:
    """One end of a wire; `joined` ends see each other's falling edges. Keeps its levels in `history`.

    As on a board, only an output drives the wire, and at first it is none."""

    IN, OUT, PULL_UP, IRQ_FALLING = 0, 1, 1, 2

    def __init__(self, on_change=None, mode=None):
        self.mode = mode
        self.pull = None
        self.level = 1
        self.history = []
        self.handler = None
        self.other = None
        self._on_change = on_change

    def irq(self, handler, trigger=0):
        self.handler = handler

    def __call__(self, level=None):
        if level is None:
            return self.level
        if self.mode == self.OUT:
            self._set(level)

    def init(self, mode, pull=None, *, value=None):
        self.mode = mode
        self.pull = pull
        level = 1 if mode == self.IN or value is None else value
        if level != self.level:
            self._set(level)

    def _set(self, level):
        falls = self.level and not level
        self.level = level
        self.history.append(level)
        if self._on_change:
            self._on_change(level)
        if falls and self.other and self.other.handler:
            self.other.handler(self.other)


def wire():
    """Two pins, joined."""
    first, second = Pin(), Pin()
    first.other, second.other = second, first
    return first, second


class Bus:
    """The I2C bus: for the client a factory of targets, for the bridge a controller.

    noise: random.Random, or None; rate: share of the transfers that it spoils.
    """

    def __init__(self):
        self.target = None
        self.transfers = 0
        self.spoilt = 0
        self.noise = None
        self.rate = 0.0

    def open_target(self, *, mem, mem_addrsize):
        assert mem_addrsize == ADDRESS_BITS and self.target is None
        self.target = FakeTarget(self, mem)
        return self.target

    def readfrom_mem_into(self, address, at, buf, addrsize):
        end = at + self._begin(address, addrsize, len(buf))
        buf[: end - at] = self._spoilt(self.target.mem[at:end])
        self._finish(end - at, len(buf))

    def writeto_mem(self, address, at, buf, addrsize):
        end = at + self._begin(address, addrsize, len(buf))
        self.target.mem[at:end] = self._spoilt(bytearray(buf[: end - at]))
        self._finish(end - at, len(buf))

    def _begin(self, address, addrsize, size):
        """Bytes that get through."""
        assert (address, addrsize) == (ADDRESS, ADDRESS_BITS)
        self.transfers += 1
        if self.target is None:
            raise OSError(ENODEV)
        self.kind = self._pick(size)
        if self.kind == "swallowed":
            raise OSError(ENODEV)
        return self.noise.randrange(size) if self.kind == "cut off" else size

    def _pick(self, size):
        if self.noise is None or size == 0 or self.noise.random() >= self.rate:
            return "good"
        self.spoilt += 1
        return self.noise.choice(("damaged", "cut off", "swallowed"))

    def _spoilt(self, data):
        if self.kind == "damaged":
            for _ in range(self.noise.choice((1, 1, 2, 8))):
                data[self.noise.randrange(len(data))] ^= 1 << self.noise.randrange(8)
        return data

    def _finish(self, n, size):
        if self.target.handler:
            self.target.handler(self.target)
        if n < size:
            raise OSError(EIO)


class FakeTarget:
    def __init__(self, bus, mem):
        self.bus = bus
        self.mem = mem
        self.handler = None

    def irq(self, handler):
        self.handler = handler

    def deinit(self):
        assert self.bus.target is self
        self.bus.target = None


class FakeWifi:
    """`good` says whether the network can be joined."""

    def __init__(self):
        self.good = True

    def up(self):
        return self.good

    async def join(self, ssid, password, leave):
        return self.good


class FakeSocket:
    """What esp_link.tcp.connect returns, over a real socket."""

    def __init__(self, sock, chip):
        self._sock = sock
        self._chip = chip

    def readinto(self, buf):
        try:
            return self._sock.recv_into(buf)
        except BlockingIOError:
            return None

    def write(self, buf):
        try:
            return self._sock.send(buf)
        except BlockingIOError:
            return 0

    def send(self, buf):
        return self._sock.send(buf)

    def setsockopt(self, level, option, value):
        self._sock.setsockopt(level, option, value)

    async def readable(self):
        loop = asyncio.get_running_loop()
        await self._wait(loop.add_reader, loop.remove_reader)

    async def writable(self):
        loop = asyncio.get_running_loop()
        await self._wait(loop.add_writer, loop.remove_writer)

    async def _wait(self, add, remove):
        ready = asyncio.get_running_loop().create_future()
        add(self._sock, lambda: ready.done() or ready.set_result(None))
        try:
            await ready
        finally:
            if self._sock.fileno() >= 0:
                remove(self._sock)

    def close(self):
        """A chip that is reset does not close its connections."""
        if self._chip.on:
            # Somebody may wait: the loop would keep the number, and refuse the next socket that gets it.
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._sock)
            loop.remove_writer(self._sock)
            self._sock.close()
        else:
            self._chip.half_open.append(self._sock)

    def cut(self):
        """The network resets the connection."""
        self._sock.shutdown(socket.SHUT_RDWR)


class KillableBridge(Bridge):
    """Knows its tasks."""

    def __init__(self, *args):
        self.started = []
        super().__init__(*args)

    def _start(self, coroutine):
        self.started.append(super()._start(coroutine))
        return self.started[-1]


class Chip:
    """The ESP8266: runs the Bridge, and loses all that it knows when it is reset."""

    def __init__(self, bus, syn, ack):
        self.bus = bus
        self.syn = syn
        self.ack = ack
        self.wifi = FakeWifi()
        self.on = False
        self.broken = False  # it never boots
        self.boots = 0
        self.strapped = 0  # boots that found scl or sda held
        self.half_open = []
        self.socket = None  # of the present connection
        self.bridge = None
        self.task = None

    def reset(self, level):
        """The reset wire has changed."""
        if level == 0:
            self.kill()
        elif self.bus.target is not None:
            self.strapped += 1
        else:
            asyncio.get_running_loop().call_later(BOOT_S, self.boot)

    def boot(self):
        if self.on or self.broken:
            return
        self.on = True
        self.boots += 1
        self.syn.init(Pin.IN, Pin.PULL_UP)  # as esp_link/main.py
        self.ack.init(Pin.OUT, value=1)
        self.bridge = KillableBridge(
            self.bus,
            self.syn,
            self.ack,
            lambda *wanted: self.wifi.join(*wanted),  # a test may put another one there
            self._connect,
            random.randbytes,
            lambda: 24000,
            lambda: None,
        )
        self.task = asyncio.create_task(self.bridge.run())

    def kill(self):
        """What a reset does to the program."""
        if not self.on:
            return
        self.on = False
        self.syn.irq(None)
        self.task.cancel()
        for task in self.bridge.started:
            task.cancel()
            # Again: one that meets a cancellation by the bridge itself (Uplink.end) is taken for that.
            asyncio.get_running_loop().call_later(BOOT_S / 2, task.cancel)
        self.ack.init(Pin.IN)  # what a reset makes of it

    def restart(self):
        """It crashes and boots by itself."""
        self.kill()
        asyncio.get_running_loop().call_later(BOOT_S, self.boot)

    async def _connect(self, host, port):
        sock = socket.socket()
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (host, port))
        except BaseException:
            sock.close()
            raise
        self.socket = FakeSocket(sock, self)
        return self.socket


class App(AppBase):
    """Records what the link tells it."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.starts = 0
        self.ups = []
        self.reports = []
        self.failures = []

    def start(self):
        self.starts += 1

    async def server_ok(self, up):
        self.ups.append(up)

    async def report(self, data):
        self.reports.append(data)

    async def bad_wifi(self):
        self.failures.append("wifi")

    async def bad_server(self):
        self.failures.append("server")


class System:
    """All of it. Use: `async with System() as system`.

    Args:
        port: where the bridge connects to; None: the server.
        timeout: ms of silence on the server hop.
        report_s: seconds between reports.
        rst: False: there is no reset wire.
        store: of the server; None: in memory.
    """

    def __init__(self, *, port=None, timeout=3000, report_s=0, rst=True, app=App, key=KEY, store=None):
        self.service = Service(timeout=timeout, store=store)
        self.bus = Bus()
        syn, bridge_syn = wire()
        ack, bridge_ack = wire()
        self.syn, self.ack = syn, ack
        self.chip = Chip(self.bus, bridge_syn, bridge_ack)
        self.rst = Pin(self.chip.reset)
        self.app = app(
            "a",
            [port or self.service.port, HOST, timeout, report_s, "", "", key],
            [TargetPort(self.bus.open_target), syn, ack, (self.rst, 0, PULSE_MS) if rst else None],
        )
        self.conn = None
        self.link = None

    async def __aenter__(self):
        """Everything is powered; the server may still be starting."""
        self.service.start()
        self.chip.boot()
        self.link = asyncio.create_task(self.app.await_msg())
        return self

    async def connected(self):
        """The server's Connection of the client, once it is connected."""
        self.conn = await within(client_conn("a"))
        await until(self.app.status, "the client's link")
        return self.conn

    async def __aexit__(self, *error):
        self.app.close()
        self.chip.kill()
        await asyncio.wait([self.link], timeout=PATIENCE_S)
        if not error[0] and self.link.done() and not self.link.cancelled() and self.link.exception():
            raise self.link.exception()
        for sock in self.chip.half_open:
            sock.close()
        await self.service.__aexit__()
        for sock in self.chip.half_open:
            sock.close()


async def exchange(system, up, down, *, meanwhile=None):
    """Send the lines of up to the server and those of down to the client, while meanwhile() does its harm.

    Asserts that all arrive, each once and in order.
    """
    conn = system.conn or await system.connected()
    faults = asyncio.create_task(meanwhile()) if meanwhile else None
    results = await within(
        asyncio.gather(
            _write_all(system.app, up),
            _write_all(conn, down),
            _read(conn, len(up)),
            _read(system.app, len(down)),
        ),
        60,
    )
    if faults:
        await within(faults, 60)
    assert results[2] == up
    assert results[3] == down
    # Nothing is left that would be one too many.
    await within(system.app.write("end"))
    await within(conn.write("end", wait=False))
    assert await within(conn.readline()) == "end\n"
    assert await within(system.app.readline()) == "end\n"


async def _write_all(end, lines):
    for line in lines:
        await end.write(line, wait=False)


async def _read(end, count):
    return [await end.readline() for _ in range(count)]


def numbered(count, size=0, prefix=""):
    return [f"{prefix}{i:06d}" + "x" * size + "\n" for i in range(count)]
