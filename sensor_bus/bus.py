"""`SensorBus`: finds the devices of an I2C bus, tells what they are, and polls them.

    bus = SensorBus(MachineI2C(i2c), Records(sensor_types.TYPES))
    asyncio.create_task(bus.run())
    async for sample in bus.samples():
        print(sample.address, sample.data)

One task, the worker, uses the bus. A loop of it has the seed's nine steps, and between two transactions it lets others
run. What is a rule stands in modules of its own: scan.py, status.py, slots.py, power.py. The guide is
docs/sensor-bus.md.
"""

import sys

from primitives.platform import sleep_ms
from protocol import const
from sensor_bus.access import Access
from sensor_bus.address import join
from sensor_bus.bars import Bars
from sensor_bus.clock import PER_MS, Clock
from sensor_bus.config import Config
from sensor_bus.device import IDENTIFY_ATTEMPTS, Device
from sensor_bus.errors import Barred, BusStuck
from sensor_bus.identify import identification
from sensor_bus.requests import MAX_LOW_LOAD, MAX_REQUESTS, Queue
from sensor_bus.scanner import AGAIN_MS, Scanner
from sensor_bus.status import INITIAL, OFFLINE, ONLINE, SPURIOUS
from sensor_bus.subscriptions import Subscribers

MAX_DEVICES = const(50)  # multiplexers and addresses that have answered once included
# A device whose type was not found out is asked again after this time, and so often; then it is told to be online
# without a type, and asked at longer intervals.
IDENTIFY_AGAIN_MS = const(1000)
IDENTIFY_LATE_MS = const(10000)
# After a recovery that has failed, the next one begins after this time.
STUCK_AGAIN_MS = const(500)
_MUX_OFFLINE_AFTER = const(2)
_MICROPYTHON = sys.implementation.name == "micropython"


class SensorBus:
    """Args: port: MachineI2C or LinuxI2C; records: Records; config: dict, see config.py; reset: function () that resets
    all multiplexers by their reset line, if config has mux.rstPin. Raises: ValueError, which names the item."""

    def __init__(self, port, records, config=None, *, reset=None):
        self.records = records
        self.config = config = Config(config)
        if config.mux_reset != (reset is not None):
            raise ValueError("mux.rstPin and reset= belong together: give both, or neither")
        self.failing = config.lockup is not None  # the device of lockupDetect is not there
        self.refused = 0  # answers of addresses for which there was no place
        self._clock = Clock()
        self._devices = {}  # address -> Device
        self.at = self._devices.get  # function (address): the Device there, or None
        self.all = self._devices.values
        self._subscribers = Subscribers(self._devices)
        self.samples = self._subscribers.samples
        self.events = self._subscribers.events
        self._muxes = self._power = None
        addresses = b""
        if config.mux_enabled:
            from sensor_bus.slots import Multiplexers

            self._muxes = Multiplexers(config.mux_first)
            addresses = bytes(range(config.mux_first, config.mux_last + 1))
        if config.expanders:
            from sensor_bus.power import Expander, Power

            expanders = [Expander(*one) for one in config.expanders]
            self._power = Power(config.groups, expanders, self.now())
        self._mux_addresses = addresses
        self._access = Access(port, self._muxes, reset, self._power, self.now)
        self._scanner = Scanner(self, self._access, self._muxes, self._power, addresses)
        self._queue = Queue(MAX_LOW_LOAD if config.low_load else MAX_REQUESTS)
        self.exclusive = self._queue.exclusive
        self._bars = Bars()
        self.is_barred = self._bars.has  # function (address, now)
        self._hiatus = self._stuck_again = 0
        self._paused = self._was_stuck = False

    # For the application. `samples()` and `events()` return an async iterator each, see subscriptions.py.

    def now(self):
        """Returns the bus's time: 100 us since it was made."""
        return self._clock.now()

    def devices(self):
        """Returns [(address, number of the type or None, status)] of all that is there, multiplexers left out."""
        return [
            (address, device.type, device.status.status)
            for address, device in self._devices.items()
            if device.status.status == ONLINE and not self._is_mux(address)
        ]

    def device(self, address):
        """Returns the Device at this address. Raises: KeyError."""
        if address not in self._devices:
            raise KeyError("no device is at address %x" % address)
        return self._devices[address]

    async def request(self, address, write=b"", size=0, *, timeout_ms=1000):
        """Write bytes to a device, then read `size` bytes from it, in one transaction. Returns the bytes.

        Raises: Barred, NoAnswer, TimedOut, BusStuck, QueueFull, see errors.py; ValueError."""
        join(address & 0x7F, address >> 8)
        if self.is_barred(address, self.now()):
            raise Barred(address)
        return await self._queue.ask(address, write, size, timeout_ms)

    def bar(self, address, ms):
        """Leave a device alone for so long: no polls, no scan, no requests. 0: no longer."""
        self._bars.set(address, ms * PER_MS, self.now())

    def pause(self):
        """Neither scan nor poll from now on. Requests are still carried out."""
        self._paused = True

    def resume(self):
        """End a pause. Polls of that time are not made up for."""
        self._paused = False
        now = self.now()
        for device in self._devices.values():
            if device.due is not None and device.due < now and device.time is None:
                device.due = now

    def hiatus(self, ms):
        """Do nothing at all for so long."""
        self._hiatus = self.now() + ms * PER_MS

    def rescan(self):
        """Scan all addresses fast, from now on."""
        self._scanner.plan.rescan()

    def configure(self, address, *, interval_us=None, samples=None):
        """Set how often a device is polled, and how many samples are kept of it. Raises: KeyError, ValueError."""
        device = self.device(address)
        if device.due is None:
            raise ValueError("the device at address %x is not polled" % address)
        if interval_us is not None:
            if not 1000 <= interval_us <= 3600000000:
                raise ValueError("interval_us must be 1000..3600000000")
            device.interval = interval_us // 100
            if device.time is None:
                device.due = self.now()
            else:  # the poll that runs is finished as it has begun
                device.planned = self.now()
        if samples is not None:
            if not 1 <= samples <= 255:
                raise ValueError("samples must be 1..255")
            self._subscribers.forget(device)
            device.keep(samples)

    def add_type(self, record):
        """Add a type. Args: record: dict, as in JSON. Returns its number. Raises: ValueError.

        What stands at its addresses and has no type is looked at again."""
        number = self.records.add(record)
        self._scanner.plan.set_lists(self.records.scan_lists(self.config.boost))
        for device in self._devices.values():
            if device.type is None and device.status.status == ONLINE and not self._is_mux(device.address):
                device.attempts = 0
                self._identify(device)
        return number

    # The worker.

    async def run(self):
        """Work until cancelled. One task at a time may do so."""
        for device in self._devices.values():
            device.time = None  # what was read of a poll when the worker was cancelled is not known
        while True:
            await self._yield()  # 1
            now = self.now()
            if now < self._hiatus:  # 2
                continue
            if not self._access.stuck:
                if not self._paused:
                    await self._scanner.step()  # 3
                await self._queue.serve(self._access, self._bars, self.now())  # 4
                self._serve_multiplexers()  # 5
                await self._serve_power()  # 6, 7
                if not self._paused:
                    await self._serve_devices()  # 8
            await self._serve_stuck()  # 9

    async def _yield(self):
        """Let others run, until something is due, but not longer than loopYieldMs."""
        now = self.now()
        until = now + self.config.yield_ms * PER_MS
        if now < self._hiatus or self._access.stuck:
            pass
        elif len(self._queue):
            until = now
        elif not self._paused:
            for device in self._devices.values():
                if self.is_barred(device.address, now):
                    continue
                if device.due is not None:
                    until = min(until, device.due)
                if device.job is not None:
                    until = min(until, device.resume)
        left = max(0, until - now)
        await sleep_ms(-(-left // PER_MS) if _MICROPYTHON else left / PER_MS)

    # For the scanner.

    def add(self, address):
        """An address has answered for the first time. Returns False if there is no place for it."""
        if len(self._devices) >= MAX_DEVICES:
            self.refused += 1
            return False
        limit = _MUX_OFFLINE_AFTER if address & 0x7F in self._mux_addresses else None
        device = self._devices[address] = Device(address, limit)
        device.status.note(True)
        return True

    def drop(self, address):
        """What has answered once at an address is none."""
        del self._devices[address]

    def note(self, device, answered):
        """Note an answer of a device, or a failure, and what follows."""
        change = device.status.note(answered)
        if change == ONLINE:
            self._found(device)
        elif change == OFFLINE:
            self._gone(device)
        elif change == SPURIOUS:
            del self._devices[device.address]
        elif not answered and not device.busy:
            self._scanner.again(device.address)

    def _found(self, device):
        address = device.address
        if address == self.config.lockup:
            self.failing = False
        if address & 0x7F in self._mux_addresses:
            if self._muxes.add(address & 0x7F, address >> 8):
                self._scanner.plan.restart(self._muxes.slots())
            return
        if not address >> 8:
            for other in list(self._devices.values()):  # what seemed to be in a slot was this one, or is hidden now
                if other.address >> 8 and other.address & 0x7F == address:
                    self._gone(other)
        self._tell("found", device)
        if self.config.identify:
            self._identify(device)
        else:
            self._tell("online", device)

    def _gone(self, device):
        address = device.address
        if self._devices.pop(address, None) is None:
            return
        self._scanner.forget(address)
        if address == self.config.lockup:
            self.failing = True
        if self._is_mux(address):
            gone = self._muxes.remove(address & 0x7F)
            for other in list(self._devices.values()):
                if other.address >> 8 and self._muxes.owner(other.address >> 8) in gone:
                    self._gone(other)
            self._scanner.plan.restart(self._muxes.slots())
            return
        if device.status.status == INITIAL:
            return
        self._tell("offline", device)
        self._subscribers.forget(device)
        self._tell("gone", device)

    def _tell(self, kind, device):
        self._subscribers.tell(kind, device.address, device.type)

    # 4 to 7.

    def _serve_multiplexers(self):
        address, self._access.mux_failed = self._access.mux_failed, None
        if address is not None and address in self._muxes:
            device = self._devices.get(address | self._muxes.parent(address) << 8)
            if device is not None:
                self.note(device, False)

    async def _serve_power(self):
        if self._power is None:
            return
        self._power.service(self.now())
        for expander in self._power.expanders:
            done = True
            for write in expander.writes():
                try:
                    await self._access.transfer(expander.address, write)
                except OSError:
                    done = False
                    break
            expander.wrote(done)

    # 8: identifications and polls.

    async def _serve_devices(self):
        for device in list(self._devices.values()):
            now = self.now()
            if device.job is not None and now >= device.resume and not self.is_barred(device.address, now):
                await self._serve_job(device)
            if self._access.stuck:
                return
        for _ in range(MAX_DEVICES):
            device = self.next_poll(self.now())
            if device is None or self._access.stuck:
                return
            await self._poll(device)

    def _identify(self, device):
        device.job = identification(self.records, device)
        device.wanted = None
        device.resume = self.now()

    async def _serve_job(self, device):
        """Do the next transaction of an identification."""
        try:
            answered, wanted = None, device.wanted
            if wanted is not None:
                try:
                    await self._access.transfer(device.address, wanted[0], wanted[1])
                    answered = True
                except BusStuck:
                    self._identify(device)  # from its beginning, when the bus is free
                    return
                except OSError:
                    answered = False
                if self._devices.get(device.address) is not device:
                    return
            wanted = device.job.send(answered)
            if isinstance(wanted, tuple):
                device.wanted, device.resume = wanted, self.now()
            else:
                device.wanted, device.resume = None, self.now() + wanted * PER_MS
        except StopIteration as end:
            device.job = None
            await self._identified(device, end.value)

    async def _identified(self, device, number):
        if number is None:
            # Nothing that is known, or it does not answer any longer.
            try:
                answered = await self._access.probe(device.address)
            except OSError:
                answered = False
            self.note(device, answered)
            if self._devices.get(device.address) is not device:
                return
            device.attempts += 1
            if device.attempts == IDENTIFY_ATTEMPTS:
                self._tell("online", device)
            self._identify(device)
            pause_ms = IDENTIFY_AGAIN_MS if device.attempts < IDENTIFY_ATTEMPTS else IDENTIFY_LATE_MS
            device.resume = self.now() + pause_ms * PER_MS
            return
        device.set_up(number, self.records, self.now())
        self._tell("identified", device)
        self._tell("online", device)

    def next_poll(self, now):
        """Returns the device that is to be polled now: the one that is late by most of its interval; None: none."""
        found, most = None, 0
        for device in self._devices.values():
            if device.due is None or device.due > now or self.is_barred(device.address, now):
                continue
            late = (now - device.due + 1) / device.interval
            if found is None or late > most:
                found, most = device, late
        return found

    async def _poll(self, device):
        """Do a poll, or as much of it as there is up to its next pause."""
        try:
            await self._access.open(device.address >> 8)
            # The rest of a poll that waited for longer than an interval (a pause, a bar) would get a stamp that is old.
            now = self.now()
            if device.time is not None and now > device.due + device.interval:
                device.time, device.due = None, now
            if device.time is None:
                device.begin_poll(self.records.poll(device.type), now)
                device.planned = device.due
            steps = device.steps
            while steps.next():
                size = steps.size(device.buf)
                into = device.view[device.count : device.count + size] if size else None
                if size or steps.write:
                    await self._access.transfer(device.address, steps.write, into)
                    if self._devices.get(device.address) is not device:
                        return
                device.count += size
                if steps.pause_ms:
                    device.due = self.now() + steps.pause_ms * PER_MS
                    return
            # One that was moved to the main bus answers in its old slot as well.
            if device.address >> 8 and await self._scanner.is_on_main_bus(device.address):
                device.time = None
                if self._access.stuck:
                    return
                self._gone(device)
                return
        except BusStuck:
            device.time = None
            return
        except OSError:
            device.time = None
            now = self.now()
            device.due = now + min(device.interval, AGAIN_MS * PER_MS)
            self.note(device, False)
            return
        time, device.due = device.time, device.planned
        device.end_poll(self.now())
        self.note(device, True)
        if device.count:
            device.ring.put(time, device.view, device.count)
            self._subscribers.changed.pulse()

    # 9: a bus that is stuck.

    async def _serve_stuck(self):
        if not self._access.stuck:
            return
        now = self.now()
        if now < self._stuck_again:
            return
        slot = self._access.slot
        if await self._access.recover():
            if self._was_stuck:
                self._was_stuck = False
                self._subscribers.tell("freed", None, None)
            return
        self._stuck_again = self.now() + STUCK_AGAIN_MS * PER_MS
        self._access.power_cycle(now)
        if not self._was_stuck:
            self._was_stuck = True
            self._subscribers.tell("stuck", None, None)
        for device in list(self._devices.values()):
            if device.address >> 8 == slot or not slot:
                self._gone(device)

    # Smaller ones.

    def _is_mux(self, address):
        muxes, mux = self._muxes, address & 0x7F
        return muxes is not None and mux in muxes and muxes.parent(mux) == address >> 8
