"""Tells a client the time when it asks on channel 4: docs/protocol.md section 6. Neither store nor application is used.

It answers when the question comes, whatever the store does: what passes in between is the client's error.
"""

from primitives.platform import ticks_ms
from protocol.time_messages import TIME_CHANNEL, decode_question, encode_answer
from server.core.clock import monotonic_ms, system_utc_ms

# Answers to one client in this time. Further questions are dropped.
ANSWERS = 10
PERIOD_MS = 10000


class TimeService:
    """For one client."""

    def __init__(self):
        self._since = 0  # time of the first answer that counts
        self._count = 0  # answers since

    def answer(self, channels):
        """Take what has come on the channel, and answer it. channels: of the session. Returns True if there was
        something."""
        channel = channels.get(TIME_CHANNEL)
        if channel is None or not channel.received:
            return False
        while channel.front(ticks_ms()) is not None:
            number = decode_question(channel.front_data())
            channels.accept(channel, ticks_ms())
            if number is not None and self._may_answer() and channel.ready:
                data = encode_answer(number, system_utc_ms())
                if channel.room_for(len(data)):
                    channel.append(data, False)
        return True

    def _may_answer(self):
        now = monotonic_ms()
        if not 0 <= now - self._since < PERIOD_MS:
            self._since, self._count = now, 0
        self._count += 1
        return self._count <= ANSWERS
