"""The traffic counters of one client's connections since the server began."""

from protocol.lines import diff30


class Traffic:
    def __init__(self):
        self.bytes_received = 0  # of TCP, keepalives and all, of connections that have ended
        self.bytes_sent = 0
        self.sent_again = 0  # lines that an earlier connection had carried already, received or not
        self.round_trips = 0  # of lines: from sending one to its acknowledgement by the client's application
        self.round_trip_ms = 0  # all together
        self.longest_round_trip_ms = 0
        self._least_ms = self._most_ms = None  # since `extremes` was called
        self._sent_to = None  # number of the first line that no connection has carried
        self._timed = None  # (number behind the line whose time is taken, when it was sent)

    def begin(self):
        """Begin another session. Nothing is known of how its lines were sent before."""
        self._sent_to = self._timed = None

    def sent(self, session, before, now):
        """Note that a frame has been encoded. before: what session.number was; now: of clock.monotonic_ms."""
        if self._timed is None and session.number != before:
            self._timed = (session.number, now)

    def acknowledged(self, session, now):
        """Note that a frame was received. now: as for `sent`."""
        if self._timed is None or diff30(session.base, self._timed[0]) < 0:
            return
        took_ms = now - self._timed[1]
        self._timed = None
        if took_ms < 0:  # the clock of MicroPython has wrapped
            return
        self.round_trips += 1
        self.round_trip_ms += took_ms
        self.longest_round_trip_ms = max(self.longest_round_trip_ms, took_ms)
        if self._least_ms is None:
            self._least_ms = self._most_ms = took_ms
        elif took_ms < self._least_ms:
            self._least_ms = took_ms
        elif took_ms > self._most_ms:
            self._most_ms = took_ms

    def extremes(self):
        """Returns (least, most) of the round trips since the last call, in ms, or (0, 0). One caller may use it."""
        found = self._least_ms or 0, self._most_ms or 0
        self._least_ms = self._most_ms = None
        return found

    def resumed(self, session):
        """Note that the client has said which lines it has."""
        if self._sent_to is not None:
            self.sent_again += max(0, diff30(self._sent_to, session.number))

    def ended(self, session, transport):
        """Note that the connection ends. Call it before the session is detached."""
        self.bytes_received += transport.received
        self.bytes_sent += transport.sent
        if self._sent_to is None or diff30(session.number, self._sent_to) > 0:
            self._sent_to = session.number
        self._timed = None
