"""Joins a sensor bus to the link: samples go to the server, and the server's commands come back.

    bus = SensorBus(port, records)
    service = SensorService(app, bus)
    app.create_task(service.run())       # beside bus.run()

Samples go on system channel 2 in batches (batch.py), commands are requests on system channel 6 (commands.py). With
qos=False, the default, a slow or absent link gets the newest sample of each device, and the others are dropped and
counted. With qos=True each sample goes exactly once, as long as the link takes them as fast as they come; what waits is
bounded, and what the bus's ring then overwrites is counted. That a device is gone is told behind its last sample, once,
and is never dropped. docs/sensor-bus.md, "Over the link".
"""

import asyncio
import gc
import os

from primitives.platform import sleep_ms
from protocol import const
from sensor_bus.batch import HEAD, NAME_HEAD, SPAN, encode_batch
from sensor_bus.publish import DEVICE_HEAD, ENVELOPE, ONLINE, PENDING_DELETION, SAMPLE_HEAD, encode_devbin
from sensor_bus.subscriptions import Sample

SAMPLES = const(2)
COMMANDS = const(6)
# After a batch the next one goes no sooner than this. What comes when none has gone for so long waits for LOOK_MS.
HOLD_MS = const(250)
# A batch has no more bytes than fit into one frame of the session, names and headers included.
BATCH_BYTES = const(900)
# Bytes of samples that may wait with qos=True. Then no further ones are taken from the bus.
WAITING_BYTES = const(4000)
# Beyond its bytes, a sample costs this of what may wait.
SAMPLE_COST = const(24)
# It is looked this often whether samples have come, so that those of several devices share a batch, and whether the
# channel can be used again.
LOOK_MS = const(50)
_SEQUENCES = const(256)


class SensorService:
    """Args: app: AppBase; bus: SensorBus; qos: see above; hold_ms: see HOLD_MS; number: of the bus, 1..15, in the ids
    of its devices; commands: False: the server may only listen; allow_raw: the server may send raw requests to
    devices and add types; topic: the first byte of each devbin envelope after its magic number, 0..255."""

    def __init__(self, app, bus, *, qos=False, hold_ms=HOLD_MS, number=1, commands=True, allow_raw=True, topic=0):
        if not 1 <= number <= 15:
            raise ValueError("the number of a bus must be 1..15, not %r" % number)
        self.dropped = 0  # samples that newer ones of their device have replaced
        self.sent = 0  # samples
        self._app = app
        self._bus = bus
        self._qos = qos
        self._hold_ms = hold_ms
        self._number = number
        self._topic = topic
        self._life = int.from_bytes(os.urandom(4), "big")
        self._sequence = 0
        self._device_sequences = {}
        self._told = {}  # address -> type: devices of which a sample waits or has gone, and not yet that they are gone
        self._waiting = []  # samples, oldest first; one without data (None) says that its device is gone
        self._bytes = 0
        self._stalled = False  # the link takes no batch now
        self._taken = asyncio.Event()
        self._commands = (commands, allow_raw)

    async def run(self):
        """Serve until cancelled. Raises what the link raises when it is closed."""
        serve, allow_raw = self._commands
        if serve:
            from sensor_bus.commands import Commands

            commands = Commands(self._bus, self._number, allow_raw)
            self._app.channel(COMMANDS, 1).on_request(commands.answer)
        samples = self._bus.samples(self._note_gone)
        there = {address: number for address, number, _ in self._bus.devices()}
        for address, number in list(self._told.items()):
            if there.get(address) != number:  # since the service was last run
                self._tell_gone(address, number)
        tasks = [asyncio.create_task(one) for one in (self._take(samples), self._send())]
        try:
            await asyncio.gather(*tasks)
        finally:
            samples.close()
            for task in tasks:
                task.cancel()

    async def _take(self, samples):
        async for sample in samples:
            self._add(sample)
            while self._qos and self._bytes >= WAITING_BYTES:
                self._taken.clear()
                await self._taken.wait()

    def _add(self, sample):
        if not self._qos and (self._stalled or self._bytes >= WAITING_BYTES):
            self._make_way(sample.address)
        self._put(sample)
        self._told[sample.address] = sample.type

    def _put(self, sample):
        self._waiting.append(sample)
        self._bytes += _cost(sample)

    def _make_way(self, address):
        """Drop the oldest waiting sample of this device; if there is none and no room, that of any device."""
        samples = [(at, other) for at, other in enumerate(self._waiting) if other.data is not None]
        index = next((at for at, other in samples if other.address == address), None)
        if index is None:
            if self._bytes < WAITING_BYTES or not samples:
                return
            index = samples[0][0]
        self._bytes -= _cost(self._waiting.pop(index))
        self.dropped += 1

    def _note_gone(self, device):
        """A device is gone. So many notices wait as there are devices and samples that wait, at most."""
        if device.address in self._told:
            self._tell_gone(device.address, self._told[device.address])

    def _tell_gone(self, address, number):
        if not self._qos:  # what was told of the device before is of no use any longer
            for at, other in enumerate(self._waiting):
                if other.address == address and other.data is None:
                    self._bytes -= _cost(self._waiting.pop(at))
                    break
        now = self._bus.now()
        self._put(Sample(address, number, now, now & 0xFFFF, None))
        self._told.pop(address)

    async def _send(self):
        channel = self._app.channel(SAMPLES, 1)
        hold_ms = self._hold_ms
        pause_ms = look_ms = min(hold_ms, LOOK_MS)
        while True:
            await sleep_ms(pause_ms)
            pause_ms = hold_ms if self._waiting else look_ms
            while self._waiting:
                if not self._qos and not channel.usable():
                    self._stalled = True
                    await sleep_ms(LOOK_MS)
                    continue
                try:
                    await self._send_some(channel)
                except MemoryError:  # nothing was sent, and the samples wait
                    gc.collect()
                    await sleep_ms(LOOK_MS)

    async def _send_some(self, channel):
        """Send a batch of the oldest samples. Raises: MemoryError: they wait as before."""
        count = self._count()
        taken, rest = self._waiting[:count], self._waiting[count:]
        batch = self._encoded(taken)
        cost = sum([_cost(sample) for sample in taken])
        samples = sum([sample.data is not None for sample in taken])
        self._waiting = rest
        self._bytes -= cost
        self._stalled = not self._qos  # until it has its place in the channel
        try:
            await channel.send(batch, qos=self._qos or samples < count, wait=False)
        except MemoryError:
            taken.extend(self._waiting)
            self._waiting = taken
            self._bytes += cost
            raise
        self._stalled = False
        self.sent += samples
        self._taken.set()

    def _count(self):
        """Returns how many of the oldest samples go into the next batch."""
        low = high = self._waiting[0].time
        types, open_records, size = set(), set(), HEAD + ENVELOPE
        for count, sample in enumerate(self._waiting):
            low, high = min(low, sample.time), max(high, sample.time)
            if sample.type not in types:
                types.add(sample.type)
                size += NAME_HEAD + len(self._bus.records.name(sample.type).encode())
            if sample.data is None or sample.address not in open_records:
                open_records.add(sample.address)
                size += DEVICE_HEAD
            if sample.data is None:
                open_records.discard(sample.address)
            else:
                size += SAMPLE_HEAD + len(sample.data)
            if count and (size > BATCH_BYTES or high - low >= SPAN):
                return count
        return len(self._waiting)

    def _encoded(self, samples):
        """Returns the batch of these samples. Those of a device are in order of their times; a poll with a pause comes
        with the time of its beginning behind later ones of other devices."""
        records, names, devices = self._bus.records, {}, []
        by_address = {}
        for sample in samples:
            address = sample.address
            names[sample.type] = records.name(sample.type)
            if sample.data is None:
                devices.append((address, sample.type, PENDING_DELETION, self._next_of(address), []))
                by_address.pop(address, None)
                self._device_sequences.pop(address)
                continue
            device = by_address.get(address)
            if device is None:
                device = by_address[address] = (address, sample.type, ONLINE, self._next_of(address), [])
                devices.append(device)
            device[4].append((sample.stamp, sample.data))
        envelope = encode_devbin(self._topic, self._sequence, self._number, devices)
        self._sequence = (self._sequence + 1) % _SEQUENCES
        return encode_batch(self._life, max([sample.time for sample in samples]), names, envelope)


    def _next_of(self, address):
        """Returns the sequence number of a device's next record."""
        sequence = self._device_sequences.get(address, 0)
        self._device_sequences[address] = (sequence + 1) % _SEQUENCES
        return sequence


def _cost(sample):
    return len(sample.data or b"") + SAMPLE_COST
