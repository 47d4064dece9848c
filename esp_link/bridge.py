"""The bridge: serves the mailbox, keeps Wi-Fi and the server connected,
reports, and watches over itself.

    mailbox task       woken by syn, by the uplink and by the clock
    connection task    Wi-Fi, then one server connection after the other
    housekeeping task  clock of the others, keepalives, watchdog

An exception in any task, or a task that hangs, ends `run`, and program.py resets
the chip. Nothing is lost by it.
"""

from esp_link.uplink import Uplink
from i2c_devices.mailbox_controller import MailboxController
from primitives.countdowns import Countdowns
from primitives.platform import Flag, core, sleep_ms
from protocol import const, control

# The mailbox is looked at this often when nothing asks for it: a beat for the
# client, and what a lost syn edge costs.
_IDLE_POLL_MS = const(1000)
# And this often while transfers move or have just moved.
_BUSY_POLL_MS = const(250)
_BUSY_FOR_MS = const(2000)
# Nothing answered on the bus: the client boots, or is not there.
_ABSENT_POLL_MS = const(200)
# A transfer that the client has not confirmed is written again after this.
_REWRITE_MS = const(100)
# The client's beat changes every 500 ms; this long without a change, and the
# bridge no longer tells the server that the client is there.
_CLIENT_SILENT_MS = const(3000)
# STATUS is seen before the edge on syn that tells of it: so much later at most.
_EDGE_LATE_MS = const(5)
# The grain of the times above.
_HOUSEKEEPING_MS = const(50)
# Pause after a round of attempts to join the Wi-Fi network.
_WIFI_RETRY_MS = const(2000)
# Between two connections: the first pause, doubled after each failure or
# short connection up to the last. A connection of GOOD ms was not short.
_RECONNECT_FIRST_MS = const(250)
_RECONNECT_LAST_MS = const(4000)
_GOOD_CONNECTION_MS = const(5000)
# After so many attempts in a row without a session the network that is joined is left for the configured one, if that
# is another. Later: once this one has led to the server, which is more likely to be away then (ten minutes at least).
# The chip forgets the network that is left.
_TRIES = const(4)
_LATER_TRIES = const(160)
# A task that has not shown itself for this long is taken for hung; joining
# Wi-Fi and connecting may take their time.
_MAILBOX_HUNG_MS = const(5000)
_CONNECTION_HUNG_MS = const(60000)
# A payload of so many bytes for the client does not occupy the buffer until it
# is confirmed: an acknowledgement of the session, most control records.
_SMALL_PAYLOAD = const(22)
# Control records that wait for the client; the oldest report gives way.
_MAX_CONTROLS = const(8)

# Codes of BAD_SERVER: docs/protocol.md section 7. Those that are not here come from `tcp.connect`.
_W_NOT_KNOWN = const(0)
_W_NO_LISTENER = const(1)
_W_NO_ANSWER = const(2)

# Of protocol/mailbox.py, control.py and i2c_devices/mailbox_controller.py. Written out, they take no heap and no time.
_C_ADDRESS = const(0x12)
_C_HEADER = const(10)
_C_PAYLOAD = const(1068)
_C_DATA = const(0x00)
_C_CONTROL = const(0x40)
_C_KIND = const(0xC0)
_C_FRAME_END = const(0x01)
_C_USED = const(1)
_C_LOST = const(2)
_C_NEW_EPOCH = const(4)
_C_SIGNAL = const(0x08)

# Of what control.decode_config returns.
_I_PORT = const(0)
_I_SERVER = const(1)
_I_TIMEOUT_MS = const(2)
_I_REPORT_S = const(3)
_I_SSID = const(4)
_I_PASSWORD = const(5)

# The countdowns, behind the two of the uplink.
_T_POLL = const(2)
_T_BUSY = const(3)
_T_REWRITE = const(4)
_T_CLIENT_SILENT = const(5)
_T_MAILBOX_HUNG = const(6)
_T_CONNECTION_HUNG = const(7)
_T_BRIEF = const(8)  # the connection has not lasted for _GOOD_CONNECTION_MS yet
_T_REPORT = const(9)
_T_COUNT = const(10)


class Bridge:
    """The bridge between one client and its server.

    Args:
    i2c: machine.I2C or machine.SoftI2C: the controller of the bus that the client is on.
    syn: Pin, input: a falling edge asks to look at the mailbox.
    ack: Pin, output, idle high: pulsed low when the mailbox has been used.
    join: coroutine function (ssid, password, leave) -> int: esp_link.wifi.join of the chip's station.
    connect: coroutine function (host, port) -> socket: esp_link.tcp.connect, or its like. `join` and this may raise
        MemoryError when called, since they may load a module: as any other exception, it ends `run`.
    urandom: os.urandom, or its like.
    mem_free: function that collects garbage and returns the free heap, bytes.
    feed: function of no arguments that feeds the watchdog.
    rssi: function that returns the strength of the Wi-Fi signal, dBm, or 0 or more: there is none. None: nobody asks.
    """

    def __init__(self, i2c, syn, ack, join, connect, urandom, mem_free, feed, rssi=None):
        self._box = MailboxController(i2c, _C_ADDRESS, urandom, small=_SMALL_PAYLOAD)
        self._ack_pin = ack
        self._join = join
        self._mem_free = mem_free
        self._feed = feed
        self._rssi = rssi
        self._wake = Flag()
        self._asked = True  # syn has asked, or there is another reason to poll
        syn.irq(self._on_syn, syn.IRQ_FALLING)
        self._tasks = []  # that have not been seen to have ended
        self._times = times = Countdowns(_T_COUNT)
        self._uplink = Uplink(connect, self._wake.set, self._start, times)
        self._config = None
        self._told = 0  # the failure that the client knows of, since it was configured or there was a connection
        self._controls = []  # records for the client, oldest first
        self._fetched = True  # the last attempt to fetch a transfer did not fail
        self._received_last = False  # the directions take turns with the buffer
        self._beat = 0
        self.fallbacks = 0  # looks by the clock that found what syn had not told of
        self._by_clock = False  # the clock has asked for a look, and syn has not since
        self._found = False  # the last look is one of the fallbacks, unless the edge was on its way
        times.start(_T_MAILBOX_HUNG, _MAILBOX_HUNG_MS)
        times.start(_T_CONNECTION_HUNG, _CONNECTION_HUNG_MS)
        self._reports = 0

    def _on_syn(self, pin):
        self._asked = True
        self._by_clock = False
        self._wake.set()

    async def run(self):
        """Run until something fails. Raises what ended it."""
        self._start(self._serve_mailbox())
        self._start(self._keep_connected())
        while True:
            await sleep_ms(_HOUSEKEEPING_MS)
            self._housekeeping()
            tasks = self._tasks
            i = 0
            while i < len(tasks):  # all that have ended: a socket that is often full leaves one each time
                if tasks[i].done():
                    try:
                        await tasks.pop(i)  # raises what it ended with
                    except core.CancelledError:
                        pass
                else:
                    i += 1

    def _start(self, coroutine):
        """Run the coroutine as a task whose exception ends the bridge. Returns the task."""
        task = core.create_task(coroutine)
        self._tasks.append(task)
        return task

    def _housekeeping(self):
        self._feed()
        times = self._times
        times.tick()
        if self._uplink.up:
            times.start(_T_CONNECTION_HUNG, _CONNECTION_HUNG_MS)
        if times.over(_T_MAILBOX_HUNG) or times.over(_T_CONNECTION_HUNG):
            raise RuntimeError("a task hangs")
        self._uplink.tick(self._client_present())
        if times.over(_T_POLL) or self._unconfirmed():
            self._by_clock = not self._asked
            self._wake.set()
        if self._config and self._config[_I_REPORT_S] and times.over(_T_REPORT):
            times.start(_T_REPORT, self._config[_I_REPORT_S] * 1000)
            if self._rssi and (rssi := self._rssi()) < 0:
                self._queue(bytes((_C_SIGNAL, rssi & 0xFF)))
            record = bytearray(control.REPORT_BYTES)
            control.encode_report_into(
                record, 0, self._uplink.count, self._reports, self._mem_free(), self.fallbacks
            )
            self._reports += 1
            self._queue(record)

    def _client_present(self):
        return self._box.synchronised and not self._times.over(_T_CLIENT_SILENT)

    def _unconfirmed(self):
        return self._box.sending and self._times.over(_T_REWRITE)

    # Mailbox

    async def _serve_mailbox(self):
        while True:
            await self._wake
            again = True
            while again:
                again = self._serve()
                if self._found:
                    self._found = False
                    await sleep_ms(_EDGE_LATE_MS)
                    if not self._asked:
                        self.fallbacks += 1
                await sleep_ms(0)  # also when `_wake` is set already: Wi-Fi and the other tasks want the chip

    def _serve(self):
        """One pass over the mailbox. Returns True if another one makes sense at once."""
        box, times = self._box, self._times
        times.start(_T_MAILBOX_HUNG, _MAILBOX_HUNG_MS)
        self._look()
        if self._found:  # before the client has another cause to pulse syn, see whether the edge was on its way
            return True
        if not self._uplink.writing:
            box.release()  # the server's socket has taken what was received
        if box.synchronised and (self._received_last or not self._can_fetch()):
            self._send()
        # With another exchange the pass would take longer than Wi-Fi may wait.
        if not box.events & _C_USED and self._can_fetch():
            self._received_last = True
            asked, self._asked = self._asked, False  # before it is read: an edge that comes meanwhile is of later news
            self._fetched = box.fetch()
            if asked and not self._fetched:
                self._asked = True
            self._heed_status()
            if self._fetched:
                times.start(_T_BUSY, _BUSY_FOR_MS)
                # As good as a beat, and after a reset half a second sooner.
                times.start(_T_CLIENT_SILENT, _CLIENT_SILENT_MS)
                self._dispatch()
        if box.synchronised:
            box.acknowledge()
        events = box.events
        box.events = 0
        if events & _C_NEW_EPOCH:  # of client or bridge: what was agreed belongs to the old one
            self._config = None
            self._controls.clear()
            self._uplink.end()
        if events & _C_LOST:
            self._asked = True
            self._wake.set()
        if events & _C_USED:
            self._ack_pin(0)
            self._ack_pin(1)
        if not box.answers:  # at the next look, not at once: the client is gone, or the bus is held
            times.start(_T_POLL, _ABSENT_POLL_MS)
            return False
        return self._can_fetch() or self._can_send()

    def _can_fetch(self):
        # A keepalive may still be on its way into the socket: the transfer comes after it.
        return not self._uplink.writing and self._box.can_fetch()

    def _can_send(self):
        box = self._box
        there = self._controls or self._uplink.readable
        return bool(there) and box.synchronised and box.can_send()

    def _look(self):
        """Read STATUS if it is time or somebody asked."""
        box = self._box
        unconfirmed = self._unconfirmed()
        if not (self._asked or unconfirmed or self._times.over(_T_POLL)):
            return
        if self._fetched and self._can_fetch() and not unconfirmed:
            return  # the next STATUS comes with that
        by_clock = self._by_clock and box.synchronised
        self._asked = self._by_clock = False
        if unconfirmed:
            self._times.start(_T_REWRITE, _REWRITE_MS)
        status = box.status
        seen = status.end << 16 | status.next << 8 | status.drop
        if box.poll():
            if by_clock and status.end << 16 | status.next << 8 | status.drop != seen:
                self._found = True
            if unconfirmed and box.sending:
                box.send_again()
        self._fetched = True
        ms = _BUSY_POLL_MS
        if not box.synchronised:
            ms = _ABSENT_POLL_MS
        elif self._times.over(_T_BUSY):
            ms = _IDLE_POLL_MS
        self._times.start(_T_POLL, ms)
        self._heed_status()

    def _heed_status(self):
        """Act on the rest of a STATUS, which was polled or has come with a transfer."""
        box = self._box
        if box.status.beat != self._beat:
            self._beat = box.status.beat
            self._times.start(_T_CLIENT_SILENT, _CLIENT_SILENT_MS)
        if box.synchronised and self._uplink.up and box.status.drop == self._uplink.number:
            self._uplink.end()

    def _dispatch(self):
        """Act on the transfer that was received."""
        box = self._box
        if box.kind & _C_KIND == _C_DATA:
            if self._uplink.up and box.connection == self._uplink.number:
                self._uplink.write(box.payload, bool(box.kind & _C_FRAME_END))
        else:
            self._configure(box.payload)
        if not self._uplink.writing:
            box.release()

    def _configure(self, record):
        config = control.decode_config(record)
        if config is None or config == self._config:
            return
        self._config = config
        self._times.start(_T_REPORT, config[_I_REPORT_S] * 1000)
        self._told = 0
        self._uplink.end()
        self._queue(control.RELEASE_RECORD)

    def _send(self):
        """Send the next control record, or what came from the server."""
        box = self._box
        if not box.can_send():
            return
        if self._controls:
            length = len(self._controls[0])
            box.buffer[_C_HEADER : _C_HEADER + length] = self._controls.pop(0)
            box.send(_C_CONTROL, 0, _C_HEADER, length)
        elif self._uplink.readable:
            start, length = self._uplink.read(box.buffer, box.view, _C_HEADER, _C_HEADER + _C_PAYLOAD)
            if not length:
                return
            box.send(_C_DATA, self._uplink.number, start, length)
        else:
            return
        self._received_last = False
        self._times.start(_T_REWRITE, _REWRITE_MS)
        self._times.start(_T_BUSY, _BUSY_FOR_MS)

    # Records for the client

    def _queue(self, record):
        if self._config is None:
            return
        controls = self._controls
        if len(controls) >= _MAX_CONTROLS:
            for i, old in enumerate(controls):
                if old[0] in (control.REPORT, _C_SIGNAL):
                    controls.pop(i)
                    break
            else:
                raise RuntimeError("the client takes no records")
        controls.append(record)
        self._wake.set()

    # Wi-Fi and server

    async def _keep_connected(self):
        pause_ms = _RECONNECT_FIRST_MS
        # Attempts that are left with this ssid and password: the client may start anew, or go to another server.
        tries = ssid = password = None
        while True:
            self._times.start(_T_CONNECTION_HUNG, _CONNECTION_HUNG_MS)
            config = self._config
            if config is None or not self._client_present():
                await sleep_ms(_HOUSEKEEPING_MS)
                continue
            if config[_I_SSID] != ssid or config[_I_PASSWORD] != password:
                tries = _TRIES
                ssid = config[_I_SSID]
                password = config[_I_PASSWORD]
            joined = await self._join(ssid, password, tries <= 0)
            if self._config is not config:
                continue  # that was for another client, or before it changed its mind
            if joined <= 0:
                self._tell_once(control.BAD_WIFI, -joined if joined > -8 else _W_NOT_KNOWN)  # the chip may say 255
                await sleep_ms(_WIFI_RETRY_MS)
                continue
            tries -= 1
            tell = joined == 1 or tries > _TRIES  # else another network is to be tried before anybody is told
            if await self._connected(config, tell):
                self._times.start(_T_BRIEF, _GOOD_CONNECTION_MS)
                number = self._uplink.number
                self._queue(bytes((control.UP, number)))
                why = await self._uplink.serve(config[_I_TIMEOUT_MS])
                if not why:
                    tries = _LATER_TRIES
                self._queue(bytes((control.DOWN, number, why if tell else 0)))
                pause_ms = _RECONNECT_FIRST_MS if self._times.over(_T_BRIEF) else pause_ms
            await sleep_ms(pause_ms)
            pause_ms = min(2 * pause_ms, _RECONNECT_LAST_MS)

    async def _connected(self, config, tell):
        """Open a connection to the server; returns True if it is open. tell: the client is told if not."""
        try:
            await self._uplink.open(config[_I_SERVER], config[_I_PORT])
        except OSError as error:
            if self._config is config and tell:
                why = error.args and error.args[0]
                if why in (104, 111):  # ECONNRESET, which lwIP has for a refused connection; ECONNREFUSED
                    why = _W_NO_LISTENER
                elif why in (103, 110, 113):  # ECONNABORTED, ETIMEDOUT, EHOSTUNREACH
                    why = _W_NO_ANSWER
                elif why not in (2, 3, 4):
                    why = _W_NOT_KNOWN
                self._tell_once(control.BAD_SERVER, why)
            return False
        self._told = 0
        return True

    def _tell_once(self, kind, why):
        """Tell the client of a failure, unless it was the last one as well."""
        failure = kind << 8 | why
        if self._told != failure:
            self._told = failure
            self._queue(bytes((kind, why)))
