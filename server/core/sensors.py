"""The sensors of a client: samples of its buses, decoded and with their times, and commands to them.

    async for reading in conn.sensors():
        print(reading.device, reading.time, reading.values)

The client has a SensorService (sensor_bus/service.py). Its batches come on system channel 2. Each subscriber has a
buffer of its own. A batch leaves the store when each lossless subscriber has asked for what comes after it; what is
not yet processed when the process dies comes again. docs/sensor-bus.md, "At the server", has the contract.
"""

import asyncio
import json
from collections import deque, namedtuple

from primitives.broadcast import Broadcast
from protocol import const
from protocol.errors import LinkError
from sensor_bus.address import join
from sensor_bus.batch import decode_batch, time_of
from sensor_bus.decode import readings, units
from sensor_bus.devbin import decode_devbin
from sensor_bus.info import check_info
from sensor_bus.publish import ONLINE, PENDING_DELETION
from server.core.clock import monotonic_ms
from server.core.sensor_clock import SensorClock

SAMPLES = const(2)
COMMANDS = const(6)
# Readings that a subscriber that is not lossless may be behind. With more, the oldest are dropped and counted.
BEHIND = const(1000)
# Services of a client (each start of one has a number) whose clocks are kept.
LIVES = const(4)
# How long a command may take, if its caller does not say.
COMMAND_MS = const(5000)
# A type that the client could not explain is asked for again after this time.
AGAIN_MS = const(60000)
# Types that are asked for at a time: the others follow when one of these was answered.
ASKED = const(4)
# Devices of a client whose newest Reading is kept, and types that it has explained or not: the oldest make way.
MOST = const(64)
# Readings of one batch: less than its bytes.
_MOST_OF_BATCH = const(1100)

# One reading of a device. device: id, "1_38"; address: with the slot, as in sensor_bus/address.py; type: name;
# time: UTC in s (float); values: {name: value}; units: {name: unit}; invalid: names of values that are not to be
# trusted; status: of publish.py; raw: the sample's bytes; number: of the message, which identifies a repeated one.
# With status PENDING_DELETION it says that the device is gone: without values, and raw is b"".
Reading = namedtuple("Reading", "device bus address type time values units invalid status raw number")


def known_types():
    """Returns the Records of this release: its own types, by whose descriptions samples are decoded."""
    from sensor_bus.records import standard_records

    return standard_records()


def reading_of(bus, address, name, time, info, data, status=ONLINE, number=None):
    """Returns the Readings in one sample: several from a FIFO. info: devInfoJson of its type, or None: not known."""
    known = units(info) if info else {}
    return [
        Reading("%d_%x" % (bus, address), bus, address, name, time + offset_us / 1e6, values, known, invalid, status,
                data, number)
        for offset_us, values, invalid in (readings(info, data) if info else [(0, {}, ())])
    ]  # fmt: skip


def _readings_of(bus, address, name, timed, info, status, number):
    found = []
    for at, data in timed:
        found += reading_of(bus, address, name, at, info, data, status, number)
    return found


def _put(table, key, value):
    """Put a value into a table of at most MOST, in place of those that were put first."""
    table.pop(key, None)
    table[key] = value
    for old in list(table)[:-MOST]:
        del table[old]


class CommandFailed(Exception):
    """The client answered a command with an error. code: str, see sensor_bus/commands.py; text: in words."""

    def __init__(self, code, text):
        super().__init__("%s: %s" % (code, text))
        self.code = code
        self.text = text


class Sensors:
    """The sensors of one client. `Connection.sensors()` returns it, always the same. Args: connection: Connection;
    records: Records: the types that this server knows; tell: function (event, client_id, **details)."""

    def __init__(self, connection, records, tell):
        self.latest = {}  # device id -> its newest Reading
        self.refused = 0  # messages that are no batches, and devices in them that are none or cannot be decoded
        self._connection = connection
        self._records = records
        self._tell = tell
        self._channel = connection.channel(SAMPLES, 1)
        self._clocks = {}  # life -> SensorClock, in order of their first batches
        self._types = {}  # (life, type name) -> (info, None: not known; when to ask again)
        self._asking = {}  # (life, type name) -> task that asks for it
        self._subscribers = []
        self._reader = None

    def __aiter__(self):
        return _Loop(self.readings())

    def readings(self, lossless=True):
        """Returns a Subscription: an async iterator of Readings, in the order in which each device was polled. Its
        caller must close it, also after an error: while a lossless one is open, all others wait for it.

        lossless: True: nothing goes past this subscriber, and the client's samples wait for it. False: it gets the
        newest; what it is more than BEHIND readings behind is dropped, and counted in its `missed`.
        """
        subscription = Subscription(self, lossless)
        self._subscribers.append(subscription)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read())
        return subscription

    def forget(self, subscription):
        """A Subscription is closed."""
        if subscription in self._subscribers:
            self._subscribers.remove(subscription)
        if not self._subscribers and self._reader is not None:
            self._reader.cancel()
            self._reader = None
            for task in self._asking.values():
                task.cancel()

    async def _read(self):
        try:
            async for message in self._channel.messages():
                found = self._decoded(message)
                for reading in found:
                    if reading.status == PENDING_DELETION:
                        self.latest.pop(reading.device, None)
                    else:
                        _put(self.latest, reading.device, reading)
                for subscription in list(self._subscribers):
                    await subscription.put(found)
        except Exception as error:
            them, self._subscribers = self._subscribers, []
            for subscription in them:
                subscription.fail(error)

    def _decoded(self, message):
        """Returns the Readings in a message. One that is no batch is told, counted, and gone; so is a device at no
        address. Samples that their type's description does not fit have no values; that is told and counted too. So
        have those of a type that the client has not explained yet."""
        try:
            life, now, names, envelope = decode_batch(message.data)
            _, _, devices = decode_devbin(envelope)
        except ValueError as error:
            self._refuse(error)
            return []
        clock = self._clock(life)
        clock.note(now, message.received_at / 1000)
        found = []
        for bus, address, number, status, _, samples in devices:
            try:
                join(address & 0xFF, address >> 8)
            except ValueError as error:
                self._refuse(error)
                continue
            name = names.get(number)
            if status == PENDING_DELETION:
                found += reading_of(bus, address, name, clock.utc(now), None, b"", status, message.number)
                continue
            info = None if name is None else self._info(life, name)
            timed = [(clock.utc(time_of(now, stamp)), data) for stamp, data in samples]
            try:
                them = _readings_of(bus, address, name, timed, info, status, message.number)
            except Exception as error:  # the info is the client's: whatever it does, what comes after it must be read
                self._refuse(error)
                them = _readings_of(bus, address, name, timed, None, status, message.number)
            found += them
        return found

    def _refuse(self, error):
        self.refused += 1
        self._tell("sensor_batch_refused", self._connection.client_id, fault=str(error))

    def _clock(self, life):
        clock = self._clocks.get(life)
        if clock is None:
            clock = self._clocks[life] = SensorClock()
            for old in list(self._clocks)[:-LIVES]:
                del self._clocks[old]
                self._types = {key: info for key, info in self._types.items() if key[0] != old}
        return clock

    def _info(self, life, name):
        """Returns the devInfoJson of a type: this server's own, or the client's, which is asked once in each life. None
        until it has answered: nothing waits for that."""
        try:
            return self._records.info_by_name(name)
        except KeyError:
            pass
        key = life, name
        info, again = self._types.get(key, (None, 0))
        if info is None and monotonic_ms() >= again and key not in self._asking and len(self._asking) < ASKED:
            self._asking[key] = asyncio.create_task(self._ask(key))
        return info

    async def _ask(self, key):
        """Ask the client what a type is. It ends within COMMAND_MS."""
        life, name = key
        try:
            info = (await self.command("typeinfo", type=name, wait=False)).get("info")
            check_info(info)
        except (CommandFailed, LinkError, ValueError):
            info = None  # or it is none that samples can be decoded by
        finally:
            del self._asking[key]
        if info is None:
            self._tell("sensor_type_unknown", self._connection.client_id, type=name)
        if life in self._clocks:
            _put(self._types, key, (info, monotonic_ms() + AGAIN_MS))

    def info(self, name):
        """Returns the devInfoJson of a type, if this server or a client's answer so far has it, else None."""
        try:
            return self._records.info_by_name(name)
        except KeyError:
            return next((known for (_, other), (known, _) in self._types.items() if other == name and known), None)

    async def command(self, name, *, answer_ms=COMMAND_MS, wait=True, **arguments):
        """Have the client's service carry out a command, see sensor_bus/commands.py. Returns its answer, a dict.

        answer_ms: longest wait for the answer; wait: False: raise LinkDown at once if the client is absent.
        Raises: CommandFailed; RequestTimeout; RequestFailed: the service fails, or the client has none; ValueError: the
        arguments are too long.
        """
        arguments["cmd"] = name
        request = json.dumps(arguments)
        answer = await self._connection.channel(COMMANDS, 1).request(request, answer_ms, wait)
        try:
            found = json.loads(answer)
        except (ValueError, RuntimeError):  # RecursionError is one: brackets within brackets
            found = None
        if not isinstance(found, dict):
            raise CommandFailed("bad_answer", "the client's answer is no JSON object")
        if "error" in found:
            raise CommandFailed(str(found["error"]), str(found.get("text", "")))
        return found


class _Loop:
    """The Readings of an `async for` over Sensors itself. Nobody else has it, so its end closes
    the Subscription. MicroPython has no __del__: use `readings` and `close` there."""

    def __init__(self, subscription):
        self._subscription = subscription

    def __aiter__(self):
        return self

    def __anext__(self):
        return self._subscription.__anext__()

    def __del__(self):
        self._subscription.close()


class Subscription:
    """An async iterator of Readings. `close` it when it is not needed any longer; leaving a loop does not."""

    def __init__(self, sensors, lossless):
        self.missed = 0  # readings that were dropped
        self._sensors = sensors
        self._lossless = lossless
        self._waiting = deque((), BEHIND + _MOST_OF_BATCH)
        self._changed = Broadcast()
        self._asked = False  # its caller waits: it has done with all that it got
        self._error = None
        self._closed = False

    def __aiter__(self):
        return self

    async def __anext__(self):
        self._asked = not self._waiting
        self._changed.pulse()
        while not self._waiting:
            if self._error is not None:
                raise self._error
            if self._closed:
                raise StopAsyncIteration
            await self._changed.wait()
        self._asked = False
        return self._waiting.popleft()

    def close(self):
        """End it. What it has not returned yet is not lost: the next subscriber gets what no other has."""
        self._closed = True
        self._sensors.forget(self)
        self._changed.pulse()

    # For Sensors

    async def put(self, found):
        """Give it Readings. Returns when a lossless one asks for what comes after them."""
        if not self._lossless:
            for reading in found:
                if len(self._waiting) >= BEHIND:
                    self._waiting.popleft()
                    self.missed += 1
                self._waiting.append(reading)
            self._changed.pulse()
            return
        self._asked = False
        for reading in found:
            self._waiting.append(reading)
        self._changed.pulse()
        while found and not (self._closed or self._asked and not self._waiting):
            await self._changed.wait()

    def fail(self, error):
        self._error = error
        self._changed.pulse()
