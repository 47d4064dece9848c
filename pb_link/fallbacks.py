"""Counts what a look by the clock found in the mailbox, because no edge on ack and no event had told of it."""

from pb_link.limits import EDGE_LATE_MS
from primitives.platform import sleep_ms


class Fallbacks:
    """The counts of both ends. Args: log: function of a text."""

    def __init__(self, log):
        self.client = 0
        self.bridge = 0  # the ESP8266's own count, of syn, as of its newest report
        self._log = log

    async def found(self, announced):
        """Something was found by the clock. Its edge may be on its way: return when it has come, or has been counted.

        Until then the caller gives the bridge no cause for another. announced: function, has an edge or event come?
        """
        for _ in range(EDGE_LATE_MS):
            await sleep_ms(1)
            if announced():
                return
        self.client += 1
        self._log("! found by the clock what no edge had told of: %d times now" % self.client)

    def reported(self, count):
        """The ESP8266 has told its count, since it started."""
        if count > self.bridge:
            self._log("! the ESP8266 found by its clock what syn had not told of: %d times now" % count)
        self.bridge = count
