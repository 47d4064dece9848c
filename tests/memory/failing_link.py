"""A program for MicroPython: a client exchanges lines with a bridge and a server while an allocation of it fails.

    failing -X heapsize=2m -c "import tests.memory.failing_link" FIRST END STEP COUNT [run|console|channel]

For each n from FIRST up to, not including, END, every STEP-th: a fresh client, of which the n-th allocation fails and
the COUNT - 1 behind it, from its first step to the last acknowledgement. Everything must arrive once, in order, in the
time that LIMIT_MS gives, and nothing may come out of the link. END 0: until n is more than a client allocates. The last
line says how many clients there were, how many allocations failed, and how many messages of a channel expired. With
"run" the client's program is AppBase.run, and its first failed allocation is one after start(). With "console" what it
prints goes to the server too, in the end. With "channel" there are messages on a channel beside the lines
(channel_work.py).

Counted is what the link allocates, and asyncio on its behalf. The bridge, the server and the application live in the
same process, and are not counted; they act whenever the client pulses syn, and every POLL_MS. Time passes while all
wait.
"""

import asyncio
import sys

import allocations

from i2c_devices.mailbox_controller import NEW_EPOCH, MailboxController
from i2c_devices.ports import TargetPort
from pb_link.app_base import AppBase
from primitives.platform import ticks_diff, ticks_ms
from protocol import control
from protocol.frame_reader import FrameReader
from protocol.framing import PREFIX
from protocol.handshake import DONE, START
from protocol.line_bytes import bytes_in
from protocol.mailbox import CONTROL, DATA, HEADER
from protocol.responder import Responder
from protocol.sequence import put16
from protocol.server_session import ServerSession
from protocol.session import OPEN, Session
from tests.sessions import idle

FIRST, END, STEP, COUNT = [int(word) for word in sys.argv[1:5]]
RUN = sys.argv[5:] == ["run"]
CHANNEL = sys.argv[5:] == ["channel"]
if CHANNEL:
    from tests.memory import channel_work
CONSOLE = sys.argv[5:] == ["console"]
RUN_NAME = b"only one\x00\x00\x00\x00"
HEADER_BYTES = 5  # in front of the console's text
END_PRINTED = "all has come"
END_TEXT = END_PRINTED.encode()
POLL_MS = 50
LIMIT_MS = 60000
KEY = bytes(range(32))
CONFIG = {
    "port": 8123, "server": "server", "timeout_ms": 60000, "report_s": 0, "ssid": "net", "password": "password",
    "key": KEY, "max_line": 2048,
}  # fmt: skip
# Short ones, one that is cut into fragments, and one behind it.
LINES = ["%d" % i + "x" * size for i, size in enumerate((5, 60, 1700, 20))]


class Pin:
    IN, OUT, OPEN_DRAIN, PULL_UP = 0, 1, 2, 3
    IRQ_FALLING = 2
    handler = None

    def __init__(self, on_change=None):
        self._on_change = on_change

    def init(self, mode, pull=None, value=None):
        self(1 if value is None else value)

    def irq(self, handler, trigger=None):
        allocations.pause()
        self.handler = handler
        allocations.resume()

    def __call__(self, level=None):
        if level is not None and self._on_change:
            self._on_change(level)
        return 1


class Target:
    """machine.I2CTarget: one object, and one for its interrupt."""

    def __init__(self, mem, mem_addrsize):
        allocations.pause()
        self.mem = mem
        self.handler = None
        world.target = self
        allocations.resume()

    def irq(self, handler):
        irq = [handler]
        allocations.pause()
        self.handler = handler
        allocations.resume()
        return irq

    def deinit(self):
        world.target = None


class World:
    """The bridge, the server behind it, and what the two applications have read."""

    def __init__(self):
        self.target = None
        self.syn = Pin(self._on_syn)
        self.ack = Pin()
        self.rst = Pin(self._on_rst)
        self.resets = 0
        self.connections = 0
        self.held = False  # reset is low
        self.up = []  # lines that the server's application has read
        self.down = []
        self.written = 0  # lines of the server's application
        self.console = b""
        self.expired = 0  # messages of a channel, of both ends
        if CHANNEL or CONSOLE:
            self.session = ServerSession(ticks_diff, ack_delay_ms=0)
        else:
            self.session = Session(ticks_diff, ack_delay_ms=0, line_in=bytes_in)
        self.channel = channel_work.Server(self.session) if CHANNEL else None
        self._exchanges = 0
        self._acting = False
        self._power()

    def _power(self):
        self._box = MailboxController(self, 18, self._urandom)
        self._number = 0  # of the present connection
        self._open = False  # it has been told, and not ended
        self._controls = []
        self._drawn = self.resets * 100
        self._hang_up()

    def _urandom(self, n):
        self._drawn += 1
        return self._drawn.to_bytes(n, "big")

    def _on_rst(self, level):
        allocations.pause()
        self.held = level == 0
        if self.held:
            self.resets += 1
            self._power()
        allocations.resume()

    def _on_syn(self, level):
        if level == 0:
            self.look()

    def look(self):
        """Act, and then interrupt the client."""
        if self._acting or self.held or self.target is None:
            return
        self._acting = True
        allocations.pause()
        self._act()
        allocations.resume()
        self._acting = False
        while self._exchanges:
            self._exchanges -= 1
            if self.target is not None and self.target.handler:
                self.target.handler(None)
        if self.ack.handler:
            self.ack.handler(self.ack)

    # machine.I2C

    def readfrom_mem_into(self, address, at, buf, addrsize):
        buf[:] = memoryview(self.target.mem)[at : at + len(buf)]
        self._exchanges += 1

    def writeto_mem(self, address, at, buf, addrsize):
        self.target.mem[at : at + len(buf)] = buf
        self._exchanges += 1

    def _act(self):
        box = self._box
        box.poll()
        events, box.events = box.events, 0
        if events & NEW_EPOCH:
            self._controls = []
            self._hang_up()
        if self._open and box.status.drop == self._number:
            self._controls.append(bytes((control.DOWN, self._number)))
            self._connect()
        while box.can_fetch() and box.fetch():
            self._take(box.kind, bytes(box.payload))
            box.release()
        if box.synchronised:
            self._say()
            box.acknowledge()

    def _hang_up(self):
        self._open = False
        self._replies = []
        self._responder = Responder()
        self._reader = FrameReader()
        self.session.detach()

    def _connect(self):
        self._hang_up()
        self._number = self._number % 255 + 1
        self._open = True
        self.connections += 1
        self._controls.append(bytes((control.UP, self._number)))

    def _take(self, kind, payload):
        if kind == CONTROL:
            if not self._open:
                self._connect()
        elif self._open and self._box.connection == self._number:
            for frame in self._reader.feed(payload):
                if self._frame(bytes(frame)):
                    self._controls.append(bytes((control.DOWN, self._number)))
                    self._connect()
                    return

    def _frame(self, frame):
        """Returns None or a fault."""
        responder = self._responder
        if responder.state == START:
            fault = responder.hello(frame)
            self._replies.append(responder.challenge(KEY, bytes(8), bytes(16)))
            return fault
        if responder.state != DONE:
            fault = responder.proof(frame)
            if not fault:
                self.session.attach(responder.seal, responder.peer_epoch, responder.peer_max_frame, ticks_ms())
            return fault
        fault = self.session.receive(memoryview(frame), ticks_ms())
        if CHANNEL and self.session.asked:
            fault = fault or self.session.answer(ticks_ms(), b"only one" + bytes(4))
        lines = self.session.lines
        while lines:
            self.up.append(str(lines[0], "utf-8"))
            self.session.accept(1, ticks_ms())
        if CONSOLE and not fault:
            self._take_console()
        return fault

    def _take_console(self):
        session = self.session
        if session.asked:
            session.answer(ticks_ms(), RUN_NAME)
        for channel in session.channels.used:
            while channel.front(ticks_ms()) is not None:
                self.console = (self.console + channel.front_data()[HEADER_BYTES:])[-1000:]
                session.channels.accept(channel, ticks_ms())

    def _say(self):
        box, session = self._box, self.session
        if CHANNEL:
            self.channel.act(ticks_ms())
        while session.room_for(2000) and self.written < len(LINES):
            session.append(LINES[self.written].encode(), True)
            self.written += 1
        if not box.can_send():
            if box.sending:
                box.send_again()
            return
        if self._controls:
            record = self._controls.pop(0)
            box.buffer[HEADER : HEADER + len(record)] = record
            box.send(CONTROL, 0, HEADER, len(record))
        elif self._replies:
            reply = self._replies.pop(0)
            start = HEADER + PREFIX
            put16(box.buffer, HEADER, len(reply))
            box.buffer[start : start + len(reply)] = reply
            box.send(DATA, self._number, HEADER, PREFIX + len(reply))
        elif session.state == OPEN or self._responder.state == DONE:
            end = session.encode_into(box.buffer, HEADER, ticks_ms())
            if end > HEADER:
                box.send(DATA, self._number, HEADER, end - HEADER)


class App(AppBase):
    """An application that repeats a call that has met a MemoryError."""

    def __init__(self, *args):
        super().__init__(*args, console=CONSOLE)
        self.done = 0
        self.told = None
        self.kept = []  # what `resumed` was told
        self.started = False
        self.channel_work = channel_work.Client(self, world.channel) if CHANNEL else None

    def start(self):
        allocations.pause()
        self.started = True
        for task in (self._write(), self._read()):
            self.create_task(task)
        if CHANNEL:
            self.create_task(self.channel_work.write())
            self.create_task(self.channel_work.read())
        allocations.resume()

    async def server_ok(self, up):
        self.told = up

    async def resumed(self, kept):
        allocations.pause()
        self.kept.append(kept)
        allocations.resume()

    def finished(self):
        """True if it has done all, and nothing is under way."""
        if not (self.done == 2 and idle(world.session) and self.told and self.kept):
            return False
        return not CHANNEL or self.channel_work.idle()

    async def _write(self):
        allocations.pause()
        calls = [(self.write, line) for line in LINES]
        calls.insert(2, (self.reboot,))
        allocations.resume()
        while calls:
            try:
                await calls[0][0](*calls[0][1:])
            except MemoryError:
                continue
            calls.pop(0)
        self.done += 1

    async def _read(self):
        while len(world.down) < len(LINES):
            try:
                line = await self.readline()
            except MemoryError:
                continue
            if CONSOLE:
                print("application: a line has come")
            allocations.pause()
            world.down.append(line)
            allocations.resume()
        self.done += 1


def shown(app):
    """True if the console has all, or there is none. What is in transit when a connection ends is lost: the end is
    printed until it has come."""
    if not CONSOLE or END_TEXT in world.console:
        return True
    allocations.pause()
    channels = app._link.channels
    waits = channels is not None and channels.waiting()
    allocations.resume()
    if not waits:
        print(END_PRINTED)
    return False


async def exchange(n):
    """Returns None, or what is wrong."""
    global world
    world = World()
    app = App("id", CONFIG, [TargetPort(Target), world.syn, world.ack, (world.rst, 0, 5)])
    link = asyncio.create_task(app.run() if RUN else app.await_msg())
    begin = ticks_ms()
    while RUN and not app.started:
        await asyncio.sleep_ms(POLL_MS)
        world.look()
    allocations.fail(n, COUNT)
    allocations.resume()
    while not link.done():
        allocations.pause()
        finished = app.finished() and shown(app)
        allocations.resume()
        if finished:
            break
        await asyncio.sleep_ms(POLL_MS)
        if ticks_diff(ticks_ms(), begin) > LIMIT_MS:
            break
        world.look()
    allocations.pause()
    ended = link.done()
    finished = app.finished()
    app.close()
    try:
        await link
    except Exception as error:
        sys.print_exception(error)
        return "%r came out of the link" % error
    if ended:
        return "the link has ended"
    if world.up != LINES or world.down != [line + "\n" for line in LINES]:
        return "up %r, down %r" % ([line[:2] for line in world.up], [line[:2] for line in world.down])
    if not finished:
        return "it hangs: %d, %r, %r, %r" % (app.done, idle(world.session), app.told, app.kept)
    if app.kept[0] or False in app.kept[1:]:  # of the first session, and of no other
        return "resumed was told %r" % app.kept
    if CONSOLE and END_TEXT not in world.console:
        return "the console has %r" % world.console
    if asyncio.core._io_queue.map:
        return "a flag is left"
    if CHANNEL:
        world.expired = app.channel_work.expired()
        return app.channel_work.fault()
    return None


async def main():
    clients = failed = expired = 0
    n = FIRST
    while not END or n < END:
        fault = await exchange(n)
        if fault:
            print("allocation %d: %s" % (n, fault))
            return
        if n and not allocations.failed() and not END:
            break
        clients += 1
        failed += allocations.failed()
        expired += world.expired
        if n == 0:
            counts = allocations.counted(), world.connections, world.resets, expired
            print("%d allocations, %d connections, %d resets, %d expired" % counts)
            return
        n += STEP
    print("%d clients, %d allocations failed, %d expired" % (clients, failed, expired))


world = None
asyncio.run(main())
