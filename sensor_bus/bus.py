"""`SensorBus`: finds the devices of an I2C bus, tells what they are, and polls them.

    from sensor_bus.bus import MachineI2C, Records, SensorBus

    bus = SensorBus(MachineI2C(i2c), Records(sensor_types.TYPES))
    asyncio.create_task(bus.run())
    async for sample in bus.samples():
        print(sample.address, sample.data)

One task, the worker, uses the bus. A loop of it has the seed's nine steps, and between two transactions it lets others
run. What is a rule stands in modules of its own: scan.py, status.py, slots.py, power.py. What few
buses need, or seldom, is loaded when it is needed. The guide is
docs/sensor-bus.md.
"""

import sys

from primitives.platform import sleep_ms
from protocol import const
from sensor_bus.access import Access
from sensor_bus.clock import PER_MS, Clock
from sensor_bus.config import Config
from sensor_bus.device import IDENTIFY_ATTEMPTS, Device
from sensor_bus.faults import BusStuck
from sensor_bus.identify import ODD, Identification
from sensor_bus.loading import forget, load
from sensor_bus.port import MachineI2C  # noqa: F401 - for programs: all that one needs is from this module
from sensor_bus.records import POLL, Records  # noqa: F401
from sensor_bus.scanner import AGAIN_MS, Scanner
from sensor_bus.status import INITIAL, OFFLINE, ONLINE, SPURIOUS
from sensor_bus.steps import Steps
from sensor_bus.subscriptions import Subscribers

_MAX_DEVICES = const(50)  # multiplexers and addresses that have answered once included
# A device whose type was not found out is asked again after this time, and so often; then it is told to be online
# without a type, and asked at longer intervals.
_IDENTIFY_AGAIN_MS = const(1000)
_IDENTIFY_LATE_MS = const(10000)
# Polls in a row in which the bus was stuck, from which on the device is blamed: before that another one may hold it.
_HELD = const(3)
_DOUBT_STEP_MS = const(2)  # as slot_access.py has it
_MICROPYTHON = sys.implementation.name == "micropython"


class SensorBus:
    """Args: port: MachineI2C or LinuxI2C; records: Records; config: dict, see config.py; reset: function () that resets
    all multiplexers by their reset lines and leaves these inactive, if config has mux.rstPin, mux.rstPins or muxRstPin.
    It is called here too. Raises: ValueError, which names the item."""

    refused = 0  # answers of addresses for which there was no place
    bars = None  # Bars, once an address was barred
    slots = None  # SlotScanner, if there are multiplexers or power switches
    _queue = None  # of raw requests, once there was one
    _stuck_until = None  # when the bus is to be freed again, after a recovery that has failed, 100 us
    _hiatus = 0
    _paused = False

    def __init__(self, port, records, config=None, *, reset=None):
        self.records = records
        self.config = config = Config(config)
        if config.mux_reset != (reset is not None):
            raise ValueError("mux.rstPin, rstPins or muxRstPin and reset= belong together: give both, or neither")
        self.failing = config.lockup is not None  # the device of lockupDetect is not there
        self.now = Clock().now  # function (): the bus's time, 100 us since it was made
        self._devices = {}  # address -> Device
        self.at = self._devices.get  # function (address): the Device there, or None
        self.all = self._devices.values
        self.subscribers = Subscribers(self._devices)
        # samples(on_gone=None). on_gone: function (Device), called when one is gone: of it no sample comes any longer.
        self.samples = self.subscribers.samples
        self.events = self.subscribers.events
        lists = load("catalog").scan_lists(records, config.boost)
        forget("catalog")
        if config.mux_enabled or config.expanders:
            self.scanner = self.slots = load("slot_scanner").SlotScanner(self, port, lists, reset, self.subscribers)
        else:
            self.scanner = Scanner(self, Access(port), lists)
        self._access = self.scanner.access
        self._steps = Steps()  # of the poll that runs

    # For the application. `samples()` and `events()` return an async iterator each, see subscriptions.py.

    def devices(self):
        """Returns [(address, number of the type or None, status)] of all that is there, multiplexers left out."""
        return [
            (address, device.type, device.status)
            for address, device in self._devices.items()
            if device.status == ONLINE and not self.is_mux(address)
        ]

    def device(self, address):
        """Returns the Device at this address. Raises: KeyError."""
        if address not in self._devices:
            raise KeyError("no device is at address %x" % address)
        return self._devices[address]

    async def request(self, address, write=b"", size=0, *, timeout_ms=1000):
        """Write bytes to a device, then read `size` bytes from it, in one transaction. Returns the bytes.

        Raises: Barred, NoAnswer, TimedOut, BusStuck, QueueFull, see errors.py; ValueError."""
        return await self._raw().ask(address, write, size, timeout_ms)

    async def exclusive(self, use, timeout_ms=1000):
        """Have use(i2c) done on the main bus between two transactions. i2c: the port's machine.I2C.

        It must be short, and raise no other OSError than ETIMEDOUT: a wire was held. Raises: QueueFull, TimedOut: it
        may be done yet; BusStuck, also if the bus is stuck behind it; OSError(ETIMEDOUT)."""
        await self._raw().exclusive(use, timeout_ms)

    def _raw(self):
        """Returns the Queue of raw requests, which is loaded for the first."""
        if self._queue is None:
            self._queue = load("requests").Queue(self)
        return self._queue

    def bar(self, address, ms):
        """Leave a device alone for so long: no polls, no scan, no requests. 0: no longer."""
        load("changes").bar(self, address, ms)

    def pause(self):
        """Neither scan nor poll from now on. Requests are still carried out."""
        self._paused = True

    def resume(self):
        """End a pause. Polls of that time are not made up for."""
        self._paused = False
        now = self.now()
        for device in self._devices.values():
            if device.due is not None and device.due < now and device.pause is None:
                device.due = now

    def hiatus(self, ms):
        """Do nothing at all for so long."""
        self._hiatus = self.now() + ms * PER_MS

    def rescan(self):
        """Scan all addresses fast, from now on."""
        self.scanner.plan.rescan()

    def configure(self, address, *, interval_us=None, samples=None):
        """Set how often a device is polled, and how many samples are kept of it. Raises: KeyError, ValueError."""
        load("changes").configure(self, self.device(address), interval_us, samples)

    def add_type(self, record):
        """Add a type. Args: record: dict, as in JSON. Returns its number. Raises: ValueError.

        What stands at its addresses and has no type is looked at again."""
        return load("changes").add_type(self, record)

    # The worker.

    async def run(self):
        """Work until cancelled. One task at a time may do so."""
        for device in self._devices.values():
            device.pause = None  # what was read of a poll when the worker was cancelled is not known
        access = self._access
        while True:
            await self._yield()  # 1
            if self.now() < self._hiatus:  # 2
                continue
            if access.usable() and not self._paused:
                await self.scanner.step()  # 3
            if access.usable() and self._queue is not None:
                await self._queue.serve(access)  # 4
            if self.slots is not None:
                await self.slots.serve()  # 5, 6, 7
            if access.usable() and not self._paused:
                await self._serve_devices()  # 8
            if access.stuck:
                await self._serve_stuck()  # 9

    async def _yield(self):
        """Let others run, until something is due, but not longer than loopYieldMs."""
        now = self.now()
        until = now + self.config.yield_ms * PER_MS
        if now < self._hiatus or self._access.stuck:
            pass
        elif self._access.doubt is not None:
            until = min(until, now + _DOUBT_STEP_MS * PER_MS)
        elif self._queue is not None and len(self._queue):
            until = now
        elif not self._paused:
            for device in self._devices.values():
                if self.is_barred(device.address, now):
                    continue
                if device.due is not None:
                    until = min(until, device.next())
                if device.job is not None:
                    until = min(until, device.job.resume)
        left = max(0, until - now)
        await sleep_ms(-(-left // PER_MS) if _MICROPYTHON else left / PER_MS)

    # For the scanner.

    def admit(self, address):
        """An address has answered for the first time. Returns False if there is no place for it."""
        if len(self._devices) >= _MAX_DEVICES:
            self.refused += 1
            return False
        device = self._devices[address] = Device(address)
        device.note(True)
        return True

    def note(self, device, answered):
        """Note an answer of a device, or a failure, and what follows."""
        change = device.note(answered)
        if change == ONLINE:
            self._found(device)
        elif change == OFFLINE:
            self.gone(device)
        elif change == SPURIOUS:
            del self._devices[device.address]
        elif not answered and not device.busy:
            self.scanner.again(device.address)

    def _found(self, device):
        if device.address == self.config.lockup:
            self.failing = False
        if self.slots is not None and self.slots.found(device):
            return
        self._tell("found", device)
        if self.config.identify:
            self.identify(device)
        else:
            self._tell("online", device)

    def gone(self, device):
        """Nothing is at the address of a device any longer."""
        address = device.address
        if self._devices.pop(address, None) is None:
            return
        self.scanner.forget(address)
        if address == self.config.lockup:
            self.failing = True
        if self.slots is not None and self.slots.gone(address) or device.status == INITIAL:
            return
        self._tell("offline", device)
        self.subscribers.forget(device, True)
        self._tell("gone", device)

    def _tell(self, kind, device):
        self.subscribers.tell(kind, device.address, device.type)

    # 8: identifications and polls.

    async def _serve_devices(self):
        for device in list(self._devices.values()):
            now = self.now()
            if device.job is not None and now >= device.job.resume and not self.is_barred(device.address, now):
                await self._serve_job(device)
            if not self._access.usable():
                return
        for _ in range(_MAX_DEVICES):
            device = self.next_poll(self.now())
            if device is None or not self._access.usable():
                return
            await self._poll(device)

    def identify(self, device):
        """Begin to find out the type of a device."""
        device.job = Identification(self.records, device, self.now())

    async def _serve_job(self, device):
        """Do the next transaction of an identification."""
        job, answered = device.job, None
        if job.wanted is not None:
            try:
                await self._access.transfer(device.address, job.wanted[0], job.wanted[1])
                answered = True
            except OSError as error:
                if not isinstance(error, BusStuck):
                    self._access.forget_path(device.address >> 8)
                if isinstance(error, BusStuck) or device.type is not None and device.check != ODD:
                    self._identify_later(device)
                    return
                answered = False
            if self._devices.get(device.address) is not device:
                return
        try:
            job.go_on(answered, self.now())
        except StopIteration as end:
            now, number, known = self.now(), end.value, device.type
            if known is None and number is None:
                await self._not_identified(device)
                return
            device.job = device.check = None
            # None: nobody knows what it is now. It is left alone from now on.
            if number is not None and self.config.check_ms:
                device.check = now + self.config.check_ms * PER_MS
            if known is None:
                device.set_up(number, self.records, now)
                self._tell("identified", device)
                self._tell("online", device)
            elif number != known and number is not None:
                self.gone(device)
                self.scanner.again(device.address, 0)

    async def _not_identified(self, device):
        """It is nothing that is known, or it does not answer any longer."""
        try:
            answered = await self._access.probe(device.address)
        except BusStuck:
            self._identify_later(device)
            return
        except OSError:
            answered = False
        self.note(device, answered)
        if self._devices.get(device.address) is device:
            self._identify_later(device)

    def _identify_later(self, device):
        """An identification has failed, or the bus was stuck in it: begin it anew after a time, so that a device that
        holds the bus leaves time for the others. In doubt no device is to blame: it begins anew at once."""
        job, pause_ms = device.job, 0
        if device.type is not None:  # after its next poll
            device.job = None
            return
        if self._access.doubt is None:
            job.attempts += 1
            if job.attempts == IDENTIFY_ATTEMPTS:
                self._tell("online", device)
            pause_ms = _IDENTIFY_AGAIN_MS if job.attempts < IDENTIFY_ATTEMPTS else _IDENTIFY_LATE_MS
        job.begin(self.records, device, self.now() + pause_ms * PER_MS)

    def next_poll(self, now):
        """Returns the device that is to be polled now: the one that is late by most of its interval; None: none."""
        found, most = None, 0
        for device in self._devices.values():
            due = device.next()
            if due is None or due > now or self.is_barred(device.address, now):
                continue
            late = (now - due + 1) / device.interval
            if found is None or late > most:
                found, most = device, late
        return found

    async def _poll(self, device):
        """Do a poll, or as much of it as there is up to its next pause."""
        address, steps, pause = device.address, self._steps, device.pause
        try:
            await self._access.open(address >> 8)
            now = self.now()
            # The rest of a poll that waited for longer than an interval (a pause, a bar) would get a stamp that is old.
            if pause is not None and now > pause[0] + device.interval:
                device.pause, device.due, pause = None, now, None
            _, time, at, space, count = pause or (None, now, 1, device.ring.space(), 0)
            steps.begin(self.records.field(device.type, POLL), at)
            while steps.next():
                size = steps.size(space)
                if size or steps.write:
                    into = space[count : count + size] if size else None
                    await self._access.transfer(address, steps.write, into)
                    if self._devices.get(address) is not device:
                        return
                    if size and not steps.matches(into) and self.config.check_ms:
                        device.check = ODD
                count += size
                if steps.pause_ms:
                    device.pause = self.now() + steps.pause_ms * PER_MS, time, steps.at, space, count
                    return
            # One that was moved to the main bus answers in its old slot as well.
            moved = address >> 8 and await self.slots.is_outside(address)
        except OSError as error:
            if device.pause is not None:
                device.pause = None
            if self._access.doubt is not None:
                return
            device.due = self.now() + min(device.interval, AGAIN_MS * PER_MS)
            if isinstance(error, BusStuck):
                device.held += 1
                if device.held < _HELD:
                    return
            else:
                self._access.forget_path(address >> 8)
                if device.check is not None:
                    device.check = 0  # another one may be plugged in here
            self.note(device, False)
            return
        if device.pause is not None:
            device.pause = None
        if moved:
            if self._access.usable():
                self.gone(device)
            return
        if device.held:
            device.held = 0
        now = self.now()
        device.end_poll(now)
        self.note(device, True)
        if device.check is not None and device.job is None and now >= device.check:
            self.identify(device)
        if count:
            device.ring.put(time, space, count)
            self.subscribers.changed.wake()

    # 9: a bus that is stuck.

    async def _serve_stuck(self):
        until = self._stuck_until
        if until is not None and self.now() < until:
            return
        try:
            recovery = load("recovery")
        except MemoryError:
            return  # it stays stuck, and this is tried again
        self._stuck_until = until = await recovery.recover(self, self._access, self.subscribers, until is not None)
        if until is None:
            forget("recovery")

    # Smaller ones.

    def is_barred(self, address, now):
        """Returns whether an address is barred now."""
        return self.bars is not None and self.bars.has(address, now)

    def is_mux(self, address):
        """Returns whether a multiplexer stands at this address."""
        return self.slots is not None and self.slots.is_mux(address)
