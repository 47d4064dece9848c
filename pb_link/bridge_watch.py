"""Decides whether the ESP8266 is alive, and when it may be reset. It touches no pin.

    BOOTING --used--> ALIVE --silence--> (reset) --> BOOTING
       +----time-out, doubled each time--> (reset) --^

It is silent when it has not used the mailbox for BRIDGE_IDLE_MS, or, with
something for it to fetch and syn pulsed four times, for BRIDGE_PENDING_MS.
The short limit counts only while it is known to answer syn: a broken syn wire
makes the link slow and must not reset a healthy bridge. While the client is
away itself (OWN_ABSENCE_MS between two calls of `reset_due`) no bridge can use
the mailbox, or be seen to: it gets BRIDGE_LOOK_MS from the client's return.
"""

from pb_link import limits
from primitives.timeout import Timeout


class BridgeWatch:
    """The state of the ESP8266, as far as the client can tell."""

    def __init__(self):
        self.resets = 0
        self.alive = False
        self._idle = Timeout(limits.BRIDGE_IDLE_MS)
        self._pending = Timeout(limits.BRIDGE_PENDING_MS)
        self._pulse = Timeout(limits.SYN_REPEAT_MS)
        self._boot = Timeout(limits.BOOT_MS)
        self._healthy = Timeout(limits.HEALTHY_MS)
        self._waiting = False  # syn has been pulsed and nothing has come since
        self._answers_syn = False
        self._step = Timeout(limits.OWN_ABSENCE_MS)
        self._grace = Timeout(limits.BRIDGE_LOOK_MS)
        self._grace.expire()
        self._absences = 0  # of the client since the bridge has used the mailbox

    def used(self):
        """The bridge has used the mailbox."""
        if self._waiting:
            self._answers_syn = self._pending.elapsed() <= limits.SYN_ANSWER_MS
            self._waiting = False
        if not self.alive:
            self.alive = True
            self._healthy.restart()
        if self._healthy.expired():
            self._boot.ms = limits.BOOT_MS
        self._idle.restart()
        self._absences = 0

    def pulse_due(self, pending, news):
        """True if syn should be pulsed now. pending: the bridge has something to fetch;
        news: there is something that it has not been told of."""
        if not (news or pending and self._pulse.expired()):
            return False
        self._pulse.restart()
        if pending and not self._waiting:
            self._waiting = True
            self._pending.restart()
        return True

    def reset_due(self):
        """True if the ESP8266 must be reset now. To be asked in each step of the client's loop."""
        if self._step.expired() and self._absences < limits.OWN_ABSENCES:
            self._absences += 1
            self._grace.restart()
        self._step.restart()
        if not self._grace.expired():
            return False
        if not self.alive:
            return self._boot.expired()
        if self._idle.expired():
            return True
        return self._waiting and self._answers_syn and self._pending.expired()

    def was_reset(self):
        """It has been reset, or would have been if there were a reset wire."""
        self.resets += 1
        if not self.alive:
            self._boot.ms = min(2 * self._boot.ms, limits.BOOT_LAST_MS)
        self.alive = False
        self._waiting = False
        self._answers_syn = False
        self._boot.restart()

    def boot_ms(self):
        """The time that the present boot is given."""
        return self._boot.ms
