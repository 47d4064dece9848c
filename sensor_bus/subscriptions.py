"""What an application gets of a bus: samples and events, each subscriber from a buffer or place of its own."""

from collections import deque, namedtuple

from primitives.broadcast import Broadcast
from protocol import const

# Events that a subscriber may be behind. With more, the oldest are dropped and counted.
EVENTS = const(32)
# Of samples, and of events.
MAX_SUBSCRIBERS = const(8)

# address: with its slot; type: number in bus.records; time: at the start of the poll, 100 us, as bus.now(); stamp: its
# low 16 bits; data: what was read, and then the constants of the device.
Sample = namedtuple("Sample", ("address", "type", "time", "stamp", "data"))

# kind: "found", "identified", "online", "offline", "gone", "lost", "stuck" or "freed"; address: None for the two last
# ones; type: number, or None: not known.
Event = namedtuple("Event", ("kind", "address", "type"))


class Subscribers:
    """Those of one bus. Args: devices: dict of the bus, address -> Device."""

    def __init__(self, devices):
        self.devices = devices
        self.changed = Broadcast()
        self._of_samples = []
        self._of_events = []

    def samples(self):
        return self._add(self._of_samples, Samples(self, self._of_samples))

    def events(self):
        return self._add(self._of_events, Events(self, self._of_events))

    def _add(self, them, one):
        if len(them) >= MAX_SUBSCRIBERS:
            raise RuntimeError("the bus has %d subscribers already: close one of them" % MAX_SUBSCRIBERS)
        them.append(one)
        return one

    def tell(self, kind, address, number):
        for one in self._of_events:
            one.put(Event(kind, address, number))
        self.changed.pulse()

    def forget(self, device):
        """A device is gone, or its ring is a new one."""
        for one in self._of_samples:
            one.forget(device)


class _Subscription:
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
            await self._subscribers.changed.wait()

    def close(self):
        """End it: who waits for the next one gets StopAsyncIteration."""
        if not self._closed:
            self._closed = True
            self._them.remove(self)
            self._subscribers.changed.pulse()


class Samples(_Subscription):
    """An async iterator of Sample, of each device in their order, from now on."""

    def __init__(self, subscribers, them):
        super().__init__(subscribers, them)
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


class Events(_Subscription):
    """An async iterator of Event, from now on."""

    def __init__(self, subscribers, them):
        super().__init__(subscribers, them)
        self._waiting = deque((), EVENTS)

    def put(self, event):
        if len(self._waiting) == EVENTS:
            self._waiting.popleft()
            self.missed += 1
        self._waiting.append(event)

    def get_nowait(self):
        """Returns the oldest Event that it has not returned, or None."""
        return self._waiting.popleft() if self._waiting else None
