"""The bridge: serves the mailbox, keeps Wi-Fi and the server connected,
reports, and watches over itself.

    mailbox task       woken by syn, by the uplink and by the clock
    connection task    Wi-Fi, then one server connection after the other
    housekeeping task  clock of the others, keepalives, watchdog

An exception in any task, or a task that hangs, ends `run`, and main.py resets
the chip. Nothing is lost by it.
"""

import gc

from esp_link import limits
from esp_link.uplink import Uplink
from i2c_devices.mailbox_controller import MailboxController
from primitives.platform import Flag, sleep_ms
from primitives.supervisor import Supervisor
from primitives.timeout import Timeout
from protocol import control
from protocol.mailbox import CONTROL, DATA, HEADER, KIND


class Bridge:
    """Args:
    memory: i2c_devices.memory_controller.MemoryController of the client's mailbox.
    syn: Pin, input: a falling edge asks to look at the mailbox.
    ack: Pin, output, idle high: pulsed low when the mailbox has been used.
    wifi: esp_link.wifi.Wifi.
    open_connection: asyncio.open_connection, or something like it.
    random16: function that returns a random number 1..65535.
    mem_free: function that collects garbage and returns the free heap, bytes.
    feed: function of no arguments that feeds the watchdog.
    """

    def __init__(self, memory, syn, ack, wifi, open_connection, random16, mem_free, feed):
        self._box = MailboxController(memory, random16)
        self._ack_pin = ack
        self._wifi = wifi
        self._mem_free = mem_free
        self._feed = feed
        self._wake = Flag()
        self._wake_ref = self._wake.set
        self._asked = True  # syn has asked, or there is another reason to poll
        self._on_syn_ref = self._on_syn
        syn.irq(self._on_syn_ref, syn.IRQ_FALLING)
        self._tasks = Supervisor()
        self._uplink = Uplink(self._box, self._wake_ref, open_connection, self._tasks.start)
        self._config = None
        self._controls = []  # records for the client, oldest first
        self._control_buf = bytearray(HEADER + control.REPORT_BYTES)
        self._control_view = memoryview(self._control_buf)
        self._poll = Timeout(limits.ABSENT_POLL_MS)
        self._busy = Timeout(limits.BUSY_FOR_MS)
        self._rewrite = Timeout(limits.REWRITE_MS)
        self._silent = Timeout(limits.CLIENT_SILENT_MS)
        self._silent.expire()
        self._beat = 0
        self._mailbox_seen = Timeout(limits.TASK_HUNG_MS)
        self._uplink_seen = Timeout(limits.UPLINK_HUNG_MS)
        self._report = None
        self._reports = 0

    def _on_syn(self, pin):
        self._asked = True
        self._wake.set()

    async def run(self):
        """Run until something fails. Raises what ended it."""
        self._tasks.start(self._serve_mailbox())
        self._tasks.start(self._keep_connected())
        while self._tasks.fault is None:
            await sleep_ms(limits.HOUSEKEEPING_MS)
            self._housekeeping()
        raise self._tasks.fault

    def _housekeeping(self):
        self._feed()
        if self._mailbox_seen.expired() or self._uplink_seen.expired():
            raise RuntimeError("a task hangs")
        self._uplink.tick(self._client_present())
        if self._poll.expired() or (self._box.out_length and self._rewrite.expired()):
            self._wake.set()
        if self._uplink.up:
            self._uplink_seen.restart()
        if self._report and self._report.expired():
            self._report.restart()
            self._queue_report()

    def _client_present(self):
        return self._box.synchronised and not self._silent.expired()

    # Mailbox

    async def _serve_mailbox(self):
        while True:
            await self._wake.wait()
            while self._serve():
                await sleep_ms(0)

    def _serve(self):
        """One pass over the mailbox. Returns True if another one makes sense at once."""
        box = self._box
        self._mailbox_seen.restart()
        used = self._look()
        if box.can_receive():
            used = True
            if box.receive():
                self._busy.restart()
        if box.received and not self._uplink.writing:
            self._dispatch()
        if box.synchronised:
            self._settle_outgoing()
            used |= self._send()
            box.acknowledge()
        if used:
            self._ack_pin(0)
            self._ack_pin(1)
        return box.can_receive()

    def _look(self):
        """Read STATUS if it is time or somebody asked. Returns True if it was read."""
        box = self._box
        unconfirmed = box.out_length and self._rewrite.expired()
        if not (self._asked or unconfirmed or self._poll.expired()):
            return False
        self._asked = False
        if not box.poll():
            self._lost_client()
        elif unconfirmed and box.out_length:
            self._rewrite.restart()
            box.send_again()
        self._poll.ms = self._poll_ms()
        self._poll.restart()
        if box.status.beat != self._beat:
            self._beat = box.status.beat
            self._silent.restart()
        if box.synchronised and box.status.drop and box.status.drop == self._uplink.number:
            self._uplink.end()
        return True

    def _poll_ms(self):
        if not self._box.synchronised:
            return limits.ABSENT_POLL_MS
        return limits.IDLE_POLL_MS if self._busy.expired() else limits.BUSY_POLL_MS

    def _lost_client(self):
        """The mailbox could not be read, or belongs to another life."""
        if not self._box.synchronised and self._config:
            self._config = None
            self._controls.clear()
            self._uplink.release_inbox()
            self._uplink.end()

    def _dispatch(self):
        box = self._box
        if box.kind & KIND == DATA:
            if self._uplink.up and box.connection == self._uplink.number:
                self._uplink.forward()
                return
        elif box.payload[0] == control.CONFIG:
            self._configure(control.decode_config(box.payload))
        box.received = 0

    def _configure(self, config):
        if config is None or config == self._config:
            return
        self._config = config
        report_s = config[3]
        self._report = Timeout(report_s * 1000) if report_s else None
        self._uplink.end()

    def _settle_outgoing(self):
        if self._uplink.in_flight and not self._box.out_length:
            self._uplink.release_inbox()

    def _send(self):
        """Send the next control record, or what came from the server."""
        box = self._box
        if box.out_length:
            return False
        if self._controls:
            record = self._controls.pop(0)
            end = HEADER + len(record)
            self._control_buf[HEADER:end] = record
            box.send(self._control_view, 0, CONTROL, 0, len(record))
        elif self._uplink.length:
            uplink = self._uplink
            uplink.in_flight = True
            box.send(uplink.buffer(), uplink.start, DATA, uplink.number, uplink.length)
        else:
            return False
        self._rewrite.restart()
        self._busy.restart()
        return True

    # Records for the client

    def _queue(self, record):
        if self._config is None:
            return
        if len(self._controls) >= limits.MAX_CONTROLS:
            self._drop_oldest_report()
        self._controls.append(record)
        self._wake.set()

    def _drop_oldest_report(self):
        for i, record in enumerate(self._controls):
            if record[0] == control.REPORT:
                self._controls.pop(i)
                return
        raise RuntimeError("the client takes no records")

    def _queue_report(self):
        record = bytearray(control.REPORT_BYTES)
        free = self._mem_free()
        control.encode_report_into(record, 0, self._uplink.count, self._reports, free)
        self._reports += 1
        self._queue(record)

    # Wi-Fi and server

    async def _keep_connected(self):
        first = True  # no connection yet since the client configured us
        pause_ms = limits.RECONNECT_FIRST_MS
        while True:
            self._uplink_seen.restart()
            config = self._config
            if config is None or not self._client_present():
                first = first or config is None
                await sleep_ms(limits.HOUSEKEEPING_MS)
                continue
            port, server, timeout_ms, _, ssid, password = config
            if not await self._wifi.join(ssid, password):
                if first:
                    self._queue(bytes((control.BAD_WIFI,)))
                await sleep_ms(limits.WIFI_RETRY_MS)
                continue
            good = Timeout(limits.GOOD_CONNECTION_MS)
            try:
                await self._uplink.connect(server, port)
                await self._connected(timeout_ms)
                first = False
            except OSError:
                if first:
                    self._queue(bytes((control.BAD_SERVER,)))
                good.restart()
            gc.collect()
            if good.expired():
                pause_ms = limits.RECONNECT_FIRST_MS
            await sleep_ms(pause_ms)
            pause_ms = min(2 * pause_ms, limits.RECONNECT_LAST_MS)

    async def _connected(self, timeout_ms):
        number = self._uplink.number
        self._queue(bytes((control.UP, number)))
        await self._uplink.serve(timeout_ms)
        self._queue(bytes((control.DOWN, number)))
