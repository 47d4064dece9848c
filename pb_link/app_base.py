"""The client's application interface: subclass AppBase.

    class App(AppBase):
        async def start(self):
            while True:
                await self.write(await self.readline())

    asyncio.run(App(conn_id, config, hardware).run())

docs/client.md says what `run` does.
"""

import gc

from pb_link import limits
from pb_link.link import Link
from pb_link.loading import half_loaded
from primitives.finished import finished
from primitives.platform import sleep_ms, ticks_ms
from primitives.timeout import wait_limit
from protocol.lines import encode_line

# What only the start needs: those that start.py forgets. One text takes less memory than a tuple.
_START = (
    "pb_link.start pb_link.settings protocol.config_record protocol.credentials protocol.receive_space i2c_devices.pins"
)


def _load_start():
    """Returns the module start.py, which is not to stay in memory. Raises: MemoryError; the next call may succeed."""
    try:
        from pb_link import start

        return start
    except MemoryError:
        gc.collect()
        for name in _START.split():  # any of them may be half loaded
            half_loaded(name)
        raise


class AppBase:
    """The application of a client: a base class.

    Args:
    conn_id: str, the id by which the server knows this client; a trailing
        newline is dropped.
    config: list (port, server, timeout ms, seconds between reports, ssid,
        password, key) or a dict of the same, and of max_line (`settings.py`).
    hardware: list [i2c, syn, ack, rst]: i2c_devices.ports.TargetPort, two
        Pins, and (Pin, active level, pulse in ms) or None. The link sets the
        pins' modes, whatever they were.
    verbose: True: print one line an event; 2: also one a frame, as docs/protocol.md section 4 names them.
    console: True: what is printed goes to the server too, for `pb-link console`; repl: True: it also takes what is
        typed there, for MicroPython's REPL: docs/console.md.

    The hooks bad_wifi, bad_server, report, server_ok and resumed are called in a task of
    their own, one at a time, and may use the link. While one waits the others
    wait too, and only what is still news is told then: the newest report, and
    the state of the server if it is not what server_ok was told last. What a
    hook raises ends the link and comes out of await_msg, or is shown by run,
    which starts the application again.

    Raises: TypeError, ValueError that name what is wrong; RuntimeError on a
    board without a generator of random bytes (docs/hardware.md).
    """

    def __init__(self, conn_id, config, hardware, verbose=False, console=False, repl=False):
        gc.collect()  # what is loaded now lies where garbage lay, and leaves no hole in the room for the link's buffers
        start = _load_start()
        try:
            validated, more = start.validated(conn_id, config, hardware, console, repl)
        finally:
            start.forget()
        del start  # its memory is free for what the link holds
        self.verbose = verbose
        self._link = Link(*validated, self, verbose)
        for extend in more:
            extend(self._link)
        # A ticket for each write that waits for its place, in the order of the calls; a list when one has had to wait.
        self._line_writers = None

    def start(self):
        """Called when client and ESP8266 are synchronised for the first time, and when `run` starts it again.

        A function, which typically starts the application's tasks by
        create_task; or `async def start`, which is run as such a task.
        """
        raise NotImplementedError("subclasses of AppBase define start()")

    def create_task(self, coroutine):
        """Run a coroutine as a task of the application. Returns the task.

        What it raises comes out of await_msg, or is shown by run, which then
        cancels all such tasks and starts the application again. Whoever awaits
        a task that fails is cancelled.
        """
        return self._link.create_task(coroutine)

    def run(self, watchdog=None):
        """Coroutine: run the link and the application for ever: what the main program awaits.

        It waits for Wi-Fi and server without end, shows what the application
        raises, and starts it again. docs/client.md has the details.

        Args: watchdog: an object with feed(), as machine.WDT, of at least 5 s; fed while the link works.
        """
        gc.collect()
        try:
            from pb_link.runner import Runner
        except MemoryError:
            half_loaded("pb_link.runner")
            raise

        return Runner(self, self._link, watchdog).run()

    def await_msg(self):
        """Coroutine: run the link until something fails. `run` is what goes on.

        Raises: what start(), a task of create_task, `bad_wifi`, `bad_server` or another hook raised.
        """
        return self._link.run()

    async def readline(self, timeout_ms=None):
        """The next line from the server, str with its newline. Waits through outages.

        timeout_ms: the longest wait, 0 to take only what is there; None: no limit.

        Do not put asyncio.wait_for around it: MicroPython's may find that the
        time is up when the line has just been taken and acknowledged, and the
        line is lost. With timeout_ms a line is returned or left for the next call.

        Raises: asyncio.TimeoutError; ValueError; LinkDown after `close`; MemoryError: the line waits for the next call.
        """
        # As small as can be: what this coroutine takes is garbage of each line.
        if timeout_ms is not None or not self._link.session.lines:
            await self._line_comes(timeout_ms)
        return self._take_line()  # all that may fail came before; nothing is awaited between this and the return

    def _take_line(self):
        """Returns the oldest line, which is accepted by that. Allocates nothing."""
        link = self._link
        line = link.session.lines[0]
        if link.session.accept(1, ticks_ms()):
            link.flag.set()
        return line

    async def _line_comes(self, timeout_ms):
        limit = wait_limit(timeout_ms)
        link = self._link
        lines = link.session.lines
        while not lines:
            link.raise_if_closed()
            await link.changed.wait(limit)

    def write(self, line, qos=True, wait=True):
        """Coroutine: send a line to the server; a newline is added if there is none.

        Args:
            line: str, at most 8,192 bytes of UTF-8, or what the server takes, without an inner newline.
            qos: True: delivered exactly once and in order, whatever fails.
                False: at most once and in order; lost if the link is down.
            wait: with qos, return when the server has acknowledged it, and
                all earlier lines; else once it has a place in the window.

        All lines share the window, in the order of the calls, also of several
        tasks. So a line of qos=False never waits while the link is down; while
        it is up, it waits behind earlier lines for a place, as long as the
        server's application does not read.

        Cancelling it while it waits for the acknowledgement does not take the
        line back. Without `wait` or qos the call itself checks the line, and
        takes it if there is a place for it. Raises: TypeError, ValueError for
        a bad line, MemoryError: it is not sent; LinkDown after `close`.
        """
        # A coroutine of its own would be garbage of each line. Once the line has its place none may be made: that could
        # fail.
        wait = wait and qos
        if not wait and self._admit(line, qos) is not None:
            return finished()
        return self._written(line, qos, wait)

    async def _written(self, line, qos, wait):
        target = self._admit(line, qos) if wait else None
        if target is None:
            target = await self._admit_later(line, qos)
        while wait and self._link.session.acknowledged < target:
            try:
                await self._link.changed.wait()
            except MemoryError:  # the line has its place: that is not to be told by an error
                await sleep_ms(limits.MAX_WAIT_MS)
            self._link.raise_if_closed()

    def _admit(self, line, qos):
        """Returns what the session's `append` does, or None if the line has to wait for its place."""
        link = self._link
        session = link.session
        line = encode_line(line, session.peer_max_line)
        if link.closed:
            link.raise_if_closed()
        if self._line_writers or not (qos or link.up) or not session.room_for(len(line)):
            return None
        qos = session.append(line, bool(qos))
        link.flag.set()
        return qos

    async def _admit_later(self, line, qos):
        """Wait until all earlier writes have their place and there is one for this line.

        Returns what `append` does then, and 0 as soon as the line is of qos 0 and the link is not up.
        """
        link = self._link
        line = encode_line(line, link.session.peer_max_line)
        if self._line_writers is None:
            self._line_writers = []
        writers = self._line_writers
        ticket = object()
        writers.append(ticket)
        try:
            while True:
                link.raise_if_closed()
                if not (qos or link.up):
                    return 0  # lost, as promised
                if writers[0] is ticket and link.session.room_for(len(line)):
                    qos = link.session.append(line, bool(qos))
                    link.flag.set()
                    return qos
                await link.changed.wait()
        finally:
            writers.remove(ticket)
            if writers:
                link.changed.pulse()

    def channel(self, number, start=16):
        """Returns the channel with this number, 16..127, always the same object: pb_link/channels.py.

        start: the lowest number that is taken: 1 in this project's own modules, as channels 1..15 are theirs.

        Raises: ValueError; MemoryError: the next call may succeed.
        """
        try:
            from pb_link.channels import channel  # here, because few use it
        except MemoryError:
            half_loaded("pb_link.channels")
            raise

        return channel(self._link, number, start)

    def utc(self, timeout_ms=None, set_rtc=True):
        """Coroutine: ask the server for the time. Returns UTC in ms since 1970, and sets machine.RTC if there is one.

        set_rtc: False: leave machine.RTC alone. timeout_ms: as readline has it, until the answer: docs/channels.md.

        Raises: asyncio.TimeoutError, also if the server has not answered several times; ValueError; LinkDown after
        `close`; RuntimeError: the RTC could not be set in time; MemoryError: the next call may succeed.
        """
        return self.channel(4, 1).utc(timeout_ms, set_rtc)

    def request(self, channel, data, timeout_ms, wait=True):
        """Coroutine: ask the server on this channel. Returns the answer, bytes: `Requests.ask` in requests.py."""
        return self.channel(channel).request(data, timeout_ms, wait)

    def on_request(self, channel, handler):
        """Answer the server's requests on this channel by handler(data): `Requests.serve` in requests.py."""
        self.channel(channel).on_request(handler)

    async def reboot(self):
        """Reset the ESP8266. The link recovers and nothing is lost.

        Raises: OSError if there is no reset wire; LinkDown if `close` comes first.
        """
        await self._link.reset()

    def close(self):
        """Free pins and I2C and end the link's tasks. It cannot be opened again."""
        self._link.close()

    def status(self):
        """True while the server can be reached. A hint: the next moment may differ."""
        return self._link.up

    def fallbacks(self):
        """[of this client, of the ESP8266 as of its newest report]: how often something in the mailbox was found by a
        look of the clock, because no edge had told of it. A figure that grows: a broken wire or lost interrupts."""
        return [self._link.fallbacks.client, self._link.fallbacks.bridge]

    def reason(self):
        """Why there is no Wi-Fi or no session with the server, in words; "" while there is one or nothing is known.

        It names the address, the port or the network. It comes from the ESP8266, or from the server without a proof:
        it is for people. It has been printed as well, once until there is a session.
        """
        failures = self._link.failures
        return failures.reason() if failures else ""

    # To override

    async def bad_wifi(self):
        """Wi-Fi could not be joined with stored and configured credentials; initially only. See `reason`."""
        raise OSError("No initial WiFi connection: " + self.reason())

    async def bad_server(self):
        """The server could not be reached, or refused this client; initially only. See `reason`."""
        raise OSError("No initial server connection: " + self.reason())

    async def report(self, data):
        """data: [connections, report number, free heap of the ESP8266 in bytes]."""
        print("Connects {} Count {} Mem free {}".format(*data))

    async def server_ok(self, up):
        """The server has become reachable (True) or unreachable (False)."""
        print("Server is", "up" if up else "down")

    # Not here, so that it costs nothing: if a subclass has it, it is called when a session has been set up.
    #
    #     async def resumed(self, kept)
    #
    # kept: True: the server remembers us, and nothing is missing. False: we have started, or it is another server or
    # store, and docs/client.md says what may be missing.
