"""What an application is told of the devices of a bus. Loaded for the first who asks for it."""

from collections import deque, namedtuple

from protocol import const
from sensor_bus.subscriptions import Subscription

# Events that a subscriber may be behind. With more, the oldest are dropped and counted.
EVENTS = const(32)

# kind: "found", "identified", "online", "offline", "gone", "lost", "stuck" or "freed"; address: None for the two last
# ones; type: number, or None: not known.
Event = namedtuple("Event", ("kind", "address", "type"))


class Events(Subscription):
    """An async iterator of Event, from now on."""

    def __init__(self, subscribers, them):
        super().__init__(subscribers, them)
        self._waiting = deque((), EVENTS)

    def put(self, *event):
        """Args: kind, address, number of the type."""
        if len(self._waiting) == EVENTS:
            self._waiting.popleft()
            self.missed += 1
        self._waiting.append(Event(*event))

    def get_nowait(self):
        """Returns the oldest Event that it has not returned, or None."""
        return self._waiting.popleft() if self._waiting else None
