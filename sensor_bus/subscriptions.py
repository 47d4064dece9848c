"""What an application gets of a bus: samples and events, each subscriber from a buffer or place of its own."""

from collections import namedtuple

from primitives.timed_flag import Sleepers
from protocol import const
from sensor_bus.loading import load

# Of samples, and of events.
MAX_SUBSCRIBERS = const(8)

# address: with its slot; type: number in bus.records; time: at the start of the poll, 100 us, as bus.now(); stamp: its
# low 16 bits; data: what was read, and then the constants of the device.
Sample = namedtuple("Sample", ("address", "type", "time", "stamp", "data"))


class Subscribers:
    """Those of one bus. Args: devices: dict of the bus, address -> Device."""

    def __init__(self, devices):
        self.devices = devices
        self.changed = Sleepers()
        self._of_samples = []
        self._of_events = []

    def samples(self, on_gone=None):
        return self._add(self._of_samples, Samples(self, self._of_samples, on_gone))

    def events(self):
        return self._add(self._of_events, load("events").Events(self, self._of_events))

    def _add(self, them, one):
        if len(them) >= MAX_SUBSCRIBERS:
            raise RuntimeError("the bus has %d subscribers already: close one of them" % MAX_SUBSCRIBERS)
        them.append(one)
        return one

    def tell(self, kind, address, number):
        for one in self._of_events:
            one.put(kind, address, number)
        self.changed.wake()

    def forget(self, device, gone=False):
        """The ring of a device is a new one, or the device is gone."""
        for one in self._of_samples:
            one.forget(device)
            if gone and one.on_gone is not None:
                one.on_gone(device)


class Subscription:
    def __init__(self, subscribers, them):
        self.missed = 0  # samples or events that it did not take in time
        self._subscribers = subscribers
        self._them = them
        self._closed = False

    def __aiter__(self):
        return self

    async def __anext__(self):
        while True:
            found = self.get_nowait()
            if found is not None:
                return found
            if self._closed:
                raise StopAsyncIteration
            await self._subscribers.changed.sleep()

    def close(self):
        """End it: who waits for the next one gets StopAsyncIteration."""
        if not self._closed:
            self._closed = True
            self._them.remove(self)
            self._subscribers.changed.wake()


class Samples(Subscription):
    """An async iterator of Sample, of each device in their order, from now on. on_gone: see SensorBus.samples."""

    def __init__(self, subscribers, them, on_gone):
        super().__init__(subscribers, them)
        self.on_gone = on_gone
        self._places = {}  # device -> place of the next one in its ring
        for device in subscribers.devices.values():
            if device.ring is not None:
                self._places[device] = device.ring.end

    def get_nowait(self):
        """Returns the oldest Sample that it has not returned, or None."""
        best, best_time = None, 0
        for device in self._subscribers.devices.values():
            ring = device.ring
            if ring is None:
                continue
            place = self._places.get(device, 0)
            if place < ring.oldest():
                self.missed += ring.oldest() - place
                place = self._places[device] = ring.oldest()
            if place < ring.end:
                time = ring.time(place)
                if best is None or time < best_time:
                    best, best_time = device, time
        if best is None:
            return None
        place = self._places.get(best, 0)
        self._places[best] = place + 1
        return Sample(best.address, best.type, best_time, best_time & 0xFFFF, best.ring.data(place, best.constants))

    def forget(self, device):
        """It goes without the samples that were not taken: they count as missed."""
        if device.ring is not None:
            self.missed += device.ring.end - self._places.pop(device, 0)
