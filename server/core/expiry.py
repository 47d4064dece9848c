"""Time limits of one client's messages: what may be stored of those that have come, and when to look again.

Nothing here accepts a message: what has expired is accepted with the others, once the store has the numbers. So a
client is never told of a number that the store does not know.
"""

import asyncio
from collections import namedtuple

from primitives.platform import sleep_ms, ticks_diff, ticks_ms
from protocol.channel_records import CALL, DROPPED, EXPIRES, LIMIT, REQUEST
from protocol.channel_sender import is_over
from server.core.clock import utc_ms
from server.core.message import Message

LOOK_MS = 250  # what has expired is dropped at most this much later
_LATE = (b"", EXPIRES, None)  # what is kept of a message that has expired behind one that the store has no room for

# One that has come. data: None if it is only to be accepted, since it is late, or was dropped by the client. left: ms
# until it expires, or None: never.
Come = namedtuple("Come", ("data", "kind", "late", "left"))


def judged(received, now, room):
    """Returns ([Come] of the oldest messages that may be accepted now, deadline at which to look again or None).

    received: `received` of the protocol's Channel; what is late behind the result is emptied there. room: the store has
    room for messages of the channel."""
    found, first = [], None
    for at in range(len(received)):
        message = received[at]
        come = _judge(message, now)
        if len(found) == at and (room or come.data is None):
            found.append(come)
        elif come.late:
            received[at] = _LATE
        elif isinstance(message, tuple):
            first = earlier(first, message[2])
    return found, first


def _judge(message, now):
    if not isinstance(message, tuple):
        return Come(message, 0, False, None)
    data, kind, deadline = message
    if kind & DROPPED:
        return Come(None, kind, False, None)
    if is_over(message, now, ticks_diff):
        return Come(None, kind, True, None)
    if deadline is None:
        return Come(data, kind & CALL, False, None)
    return Come(data[LIMIT:], kind & CALL, False, ticks_diff(deadline, now))


def messages_of(number, messages):
    """Returns [Message] of what the store gets of [Come] on the channel with this number."""
    found, now = [], utc_ms()
    for data, kind, _, left in messages:
        if data is not None:
            time = now if kind != REQUEST else 0 if left is None else now + left
            found.append(Message(number, kind, time, data))
    return found


def earlier(one, other):
    """Returns the earlier one of two times in ticks, each of which may be None: never."""
    if one is None or other is not None and ticks_diff(other, one) < 0:
        return other
    return one


class Alarm:
    """Calls look() when a message may have expired. It is one task, which exists only while there is such a time."""

    def __init__(self, look):
        self._look = look
        self._at = None  # ticks
        self._task = None

    def set(self, at):
        """look() is to be called at this time, in ticks, or at most LOOK_MS later. None: no more than already."""
        if at is None:
            return
        if self._task is None or self._task.done() or ticks_diff(at, self._at) < 0:  # done: its loop has ended
            self.clear()
            self._at = at
            self._task = asyncio.create_task(self._wait(max(LOOK_MS, ticks_diff(at, ticks_ms()))))

    def clear(self):
        """Nothing is waited for any longer."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _wait(self, ms):
        await sleep_ms(ms)
        self._task = None
        self._look()
