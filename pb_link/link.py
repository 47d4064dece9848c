"""The client's loop: mailbox below, session above, one step for both.

`run` sleeps until the bridge has used the mailbox, the application has written or read, or time is up; then a step
takes what has come, gives what is to go, and sees whether the ESP8266 is alive. Before each step, and after each frame,
other tasks have their turn. `app_base.py` has the application's calls.

Any allocation in a step may fail. Then `_recover`, which allocates nothing, gives up the connection, and with it what
the step has left half done; what must outlive that, a transfer or a new bridge, is ticked off when it was dealt with.
"""

from i2c_devices.mailbox_target import CONNECTION_AT, KIND_AT, MailboxTarget
from i2c_devices.ports import drive, let_go, release
from pb_link import limits
from pb_link.bridge_watch import BridgeWatch
from pb_link.fallbacks import Fallbacks
from pb_link.loading import forget, half_loaded, opening_class
from pb_link.notifier import Notifier
from pb_link.shortage import Shortage
from primitives.broadcast import Broadcast
from primitives.nonces import Nonces
from primitives.platform import sleep_ms, ticks_diff, ticks_ms
from primitives.supervisor import Supervisor
from primitives.timed_flag import TimedFlag
from primitives.timeout import Timeout
from protocol import const, control
from protocol.control_client import decode_report
from protocol.digest import hmac
from protocol.frame_reader import FrameReader
from protocol.limits import EPOCH_BYTES, NONCE_BYTES
from protocol.link_errors import LinkDown
from protocol.mailbox import CONTROL, DATA, FRAME_END, KIND, SLOTS
from protocol.session import DETACHED, OPEN, Session

_W_SILENT = const(6)  # code of DOWN: docs/protocol.md section 7


class Link:
    """Args: client_id: str, valid; settings: pb_link.settings.Settings; hardware: (TargetPort, syn Pin, ack Pin, rst
    tuple or None); app: object with a method start() and the coroutines of `notifier.py`; verbose: print one line an
    event; 2: also one a frame."""
    channels = None  # Channels of the session, once the application uses one: channels.py
    frame_log = None  # FrameLog, with verbose=2

    def __init__(self, client_id, settings, hardware, app, verbose):
        port, self._syn, self._ack, self._rst = hardware
        self._id, self._key = client_id, settings.key
        self.config = settings.record()
        self._app, self._verbose = app, verbose
        self.flag = TimedFlag()
        self.nonces = Nonces(hmac, settings.key)
        self._box = MailboxTarget(port, int.from_bytes(self.nonces.draw(2), "big"), self.flag.set)
        self._watch = BridgeWatch()
        self.fallbacks = Fallbacks(self._log)
        self._epoch = None  # until the first connection, whose moment differs after each start
        self.session = Session(ticks_diff, settings.receive_bytes, settings.max_line)
        self.shortage = Shortage(settings.max_line)
        self._reader = FrameReader()
        self._bus_left = True  # the next step opens the target
        self._bridge_is_new = self.send_config = self._received = self._ack_moved = False
        self._reset_task = self.connection = None
        self._number = 0  # of the connection, among the bridge's
        if verbose == 2:
            from pb_link.frame_log import FrameLog

            self.frame_log = FrameLog()
        self.up = self.closed = self.resetting = self._started = False
        self.beat = Timeout(limits.BEAT_MS)
        self.changed = Broadcast()  # something that a call of the application may wait for
        self._tasks = Supervisor(self.flag.set)
        self.create_task = self._tasks.start  # for the application's tasks
        self.notifier = Notifier(app, self._tasks)
        self.failures = None  # Failures since the last session, if any; False: no memory for them, which is said
        self.release_check = None  # ReleaseCheck, if the ESP8266 was ever of another release

    def serve(self, app):
        """Before `run`: call start() and the hooks of app, and run the application's tasks by its create_task()."""
        self._app = self.notifier.app = app
        self.create_task = app.create_task

    def raise_if_closed(self):
        """Raises: LinkDown after `close`."""
        if self.closed:
            raise LinkDown("the link has been closed")

    async def run(self):
        """Run the link until it is closed. Raises what a task, start() or a hook raised."""
        self.raise_if_closed()
        try:
            while not self._get_ready():
                await sleep_ms(limits.MAX_WAIT_MS)
            wait_ms = 0
            while not self.closed:
                await self.flag.wait_ms(wait_ms)
                if self._tasks.fault:
                    break
                wait_ms = limits.MAX_WAIT_MS
                if self.resetting or self.closed:
                    continue
                try:
                    if self._look() and self.flag.by_clock:
                        await self.fallbacks.found(self._announced)
                    for _ in range(SLOTS):  # not without end: `_look` hears the bridge, `_send` answers it
                        if self._received and not (self.resetting or self.closed):
                            self._act()  # the bridge waits for nothing else
                            await sleep_ms(0)
                            self._receive()
                    while self._send():
                        self._act()
                        await sleep_ms(0)
                    if not (self.resetting or self.closed):
                        self._act()
                        wait_ms = self._wait_ms()
                        if self._received:
                            self.flag.set()
                except MemoryError:
                    self._recover()
            # After `close` the calls that waited have ended with a LinkDown: no fault.
            if self._tasks.fault and not (self.closed and isinstance(self._tasks.fault, LinkDown)):
                raise self._tasks.fault
        finally:
            self.close()
            self.flag.close()

    def _get_ready(self):
        """Returns True when the loop can begin, or need not. Its first step opens the bus."""
        try:
            if not self.closed:
                self.flag.open()
                drive(self._syn, 1)
                let_go(self._ack)
                if self._rst is not None and not self.resetting:
                    release(self._rst[0], self._rst[1])
                self._ack.irq(self._on_ack, self._ack.IRQ_FALLING)
        except MemoryError:
            self.shortage.met(0)
            return False
        return True

    def _recover(self):
        """Memory has run out somewhere in a step."""
        if self._number:
            self._box.drop(self._number)
        self._lose_connection()
        self.shortage.met(self.session.expected)

    def close(self):
        """Free the pins and the bus; every waiting call raises LinkDown."""
        if self.closed:
            return
        self.closed = True
        self.up = False
        self.notifier.close()
        if self.resetting:  # the task may not have begun, and then never will
            self._reset_task.cancel()
            release(self._rst[0], self._rst[1])
        self._ack.irq(None)
        self._box.close()
        self._syn(1)
        self.changed.pulse()
        self.flag.set()

    def _on_ack(self, pin):
        self._ack_moved = True
        self.flag.set()

    def _wait_ms(self):
        if self.channels and self.channels.tick(ticks_ms()):
            self.changed.pulse()
        # Without a slot an acknowledgement that is due has to wait: the bridge wakes us.
        timeout = None if self._box.slot() is None else self.session.next_timeout(ticks_ms())
        return limits.MAX_WAIT_MS if timeout is None else min(timeout, limits.MAX_WAIT_MS)

    def _look(self):
        """Take what has come. Returns True if there was something and no edge has told of it."""
        if self._bus_left:
            self._box.open()
            self._bus_left = False
        box = self._box
        announced = self._ack_moved or box.heard
        self._ack_moved = box.heard = False
        status = box.status
        seen = status.next << 8 | status.base
        if box.poll():
            self._bridge_is_new = True
            seen = -1
        elif box.other_layout:
            self._other_release(None, box.other_layout)
        if self._bridge_is_new:
            self._new_bridge()
            self._bridge_is_new = False
        if self.notifier.stuck:
            self.notifier.go_on()
        self._receive()
        if box.used:  # an edge on ack alone proves nothing: the bus may be stuck
            box.used = False
            self._watch.used()
        return status.next << 8 | status.base != seen and not announced

    def _announced(self):
        return self._ack_moved or self._box.heard

    def _act(self):
        """Show what has changed; pulse syn; see whether the ESP8266 is alive."""
        if self.beat.expired():
            self.beat.restart()
            self._box.beat()
        news = self._box.publish()
        if self._watch.pulse_due(self._box.pending(), news):
            self._syn(0)
            self._syn(1)
        if self._watch.reset_due():
            self._revive()

    def _new_bridge(self):
        self._log("= synchronised with the ESP8266")
        self._lose_connection()
        self.send_config = True
        if not self._started:
            self._started = True
            try:
                started = self._app.start()
                if hasattr(started, "send"):  # a coroutine
                    self.create_task(started)
            except MemoryError as error:  # the application's own: it comes out of `run`
                self._tasks.fault = error

    # Receiving

    def _receive(self):
        """Take one transfer, if there is one, and note whether there was."""
        box = self._box
        self._received = box.fetch()
        if self._received:
            kind = box.received[KIND_AT] & KIND
            if kind == CONTROL:
                self._take_control(bytes(box.payload))
            elif kind == DATA and self._number and box.received[CONNECTION_AT] == self._number:
                self._take_stream(box.payload)
            box.accept()  # not before: one that has met an exception comes again

    def _take_control(self, record):
        kind = record[0]
        number = record[1] if len(record) > 1 else 0
        if kind == control.UP and number:
            self._connect(number)
        elif kind == control.DOWN and number and number == self._number:
            self._log("= connection %d ended" % number)
            if len(record) > 2 and record[2]:
                self.failed(control.BAD_SERVER, record[2], False)
            self._lose_connection()
        elif kind == control.REPORT:
            if data := decode_report(record):
                self.fallbacks.reported(data.pop())
                self.notifier.report(data)
        elif kind in (control.BAD_WIFI, control.BAD_SERVER):
            self.failed(kind, number, True)
        elif kind == control.RELEASE and record != control.RELEASE_RECORD:
            self._other_release(record, 0)

    def _other_release(self, record, layout):
        """The ESP8266's firmware is of another release: say so. Args: a RELEASE record; or None, and its layout."""
        try:
            if self.release_check is None:
                from pb_link.release_check import ReleaseCheck  # here, because few ever need it

                self.release_check = ReleaseCheck()
            if record:
                self.release_check.told(record)
            else:
                self.release_check.other_layout(layout)
        except MemoryError:  # a line of log is not worth the connection
            half_loaded("pb_link.release_check")

    def _take_stream(self, data):
        for data in self._reader.feed(data):  # noqa: B020 - no local more: see protocol/receiver.py
            fault = self.connection.receive(data, ticks_ms())
            if fault:
                self._refuse(fault)
                return
            if self.session.state == OPEN:
                self._set_up(True)
                self.changed.pulse()
        if self._reader.fault:
            self._drop(self._reader.fault)

    def _refuse(self, fault):
        self.failed(control.BAD_SERVER, fault, self.session.state == DETACHED)  # in the handshake it is no accident
        self._drop(fault)

    # Connections

    def _connect(self, number):
        self._lose_connection()
        self._log("= connection %d" % number)
        self._box.drop(0)
        self._reader.reset()
        controller_epoch = self._box.status.controller_epoch  # drawn by the ESP8266, whose generator is a good one
        seen = bytes((controller_epoch >> 8, controller_epoch & 0xFF, number))
        if self._epoch is None:
            self._epoch = self.nonces.draw(EPOCH_BYTES, seen)
        nonce = self.nonces.draw(NONCE_BYTES, seen)
        owner = self.frame_log or self
        owner.connection = opening_class()(
            self, owner, self._box.max_payload, self.shortage.max_line, self._id, self._key, self._epoch, nonce
        )
        self.connection = self.frame_log or self.connection
        self._number = number

    def _drop_if_faulty(self):
        fault = self.connection.fault(ticks_ms())
        if fault:
            self.failed(control.BAD_SERVER, _W_SILENT, False)
        elif self.shortage.over():
            fault = "there is room for longer lines again"
        if fault:
            self._drop(fault)

    def _drop(self, reason):
        """Have the bridge close the connection, and open another."""
        self._log("! " + reason)
        self._box.drop(self._number)
        self._lose_connection()

    def _lose_connection(self):
        self.connection = None
        self._number = 0
        self.session.detach()
        if self.session.renumbered():
            self._epoch = None
        self._set_up(False)
        self.changed.pulse()

    def _set_up(self, up):
        if up == self.up:
            return
        self.up = up
        self._log("= server up" if up else "= server down")
        news = self.session.news
        self.notifier.server_ok(up, news is None)
        if up:
            self.failures = self.session.news = None
            if news:
                print("pb_link: " + news)

    def failed(self, kind, why, sure):
        """We have no session, or something has ended it. Args: see Failures.met."""
        if self.up:
            return
        try:
            if not self.failures:
                from pb_link import failures  # here, because it is not to stay in memory

                self.failures = failures.Failures(self, self._id)
                forget("pb_link.failures")
            sure = self.failures.met(kind, why, sure)
        except MemoryError:  # no words, then
            half_loaded("pb_link.failures")
            if self.failures is None:
                self.failures = False  # said once
                print("pb_link: no session", why)
        if sure:
            self.notifier.failed(kind)

    # Sending

    def _send(self):
        """Put one frame that is to go into the mailbox. Returns False if there is none, or no place for it."""
        if self.connection and not self.closed:
            self._drop_if_faulty()
        box = self._box
        slot = box.slot()
        if slot is None:
            return False
        buf, at = slot  # not the mailbox itself: the bridge must not write into what we sign
        if self.send_config:
            buf[at : at + len(self.config)] = self.config
            box.offer(CONTROL, 0, len(self.config))
            self.send_config = False
            return True
        at = self.connection.encode_into(buf, at, ticks_ms()) - at if self.connection else 0
        if at:
            box.offer(DATA | FRAME_END, self._number, at)
        return at > 0

    # The ESP8266

    def _revive(self):
        """It is silent: reset it, at a bounded rate, and say so.

        Without a reset wire it may live and still serve our connection. One that only we forget would
        never be followed by another, so it is asked to drop it.
        """
        if self._watch.alive:
            self._log("! the ESP8266 is silent")
        else:
            next_ms = min(2 * self._watch.boot_ms(), limits.BOOT_LAST_MS)
            print("pb_link: the ESP8266 does not answer. Check its power and firmware, and the wires"
                  " scl, sda, syn, ack, rst. Next attempt in %d s." % (next_ms // 1000))
        if self._rst is not None:
            self._begin_reset()
            return
        if self.connection:
            self._drop("connection %d is given up" % self._number)
        self._watch.was_reset()

    async def reset(self):
        """Reset the ESP8266; returns when the bus is open to it again. Cancelling it does not stop that."""
        if self._rst is None:
            raise OSError("Cannot reset ESP8266.")
        self.raise_if_closed()
        self._begin_reset()
        while self.resetting:
            await self.changed.wait()
            self.raise_if_closed()

    def _begin_reset(self):
        if not self.resetting:
            self._reset_task = self._tasks.start(self._reset())
            self.resetting = True

    async def _reset(self):
        """Free scl and sda, which are boot straps; pulse; leave them alone until they have been sampled."""
        pin, level, pulse_ms = self._rst
        try:
            self._bus_left = True
            self._box.close()
            self._lose_connection()
            try:
                drive(pin, level)
                await sleep_ms(pulse_ms)
            finally:
                release(pin, level)
            self._watch.was_reset()
            self._ack_moved = False
            held = Timeout(limits.STRAP_HOLD_MS)
            while not self._ack_moved and not held.expired():
                await sleep_ms(10)
            if not self.closed:
                self._box.open()
                self._bus_left = False
        except MemoryError:  # the next step opens the bus; if there was no pulse the watch asks for another reset
            self.shortage.met(self.session.expected)
        finally:
            self.resetting = False
            self.changed.pulse()
            self.flag.set()

    def _log(self, text):
        if self._verbose:
            print("pb_link:", text)
