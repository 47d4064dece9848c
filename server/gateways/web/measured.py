"""What is measured of a client in an interval, how intervals are rolled up, and the bytes of a row of them.

The rows are those of a store's timeline (server/stores/timeline.py). There are three levels, each with shorter
intervals and for a shorter time than the next. A row begins at `begin * level.row_s` in UTC.

    row        form (1 byte: 0 as it is, 1 deflated)  entries
    interval   index in the row (1 byte: 0..59)  which of FIELDS are not 0 (bits)  their values
    SPAN       254  from  to: connected for these ms of the row; in rows of seconds alone, in place of `connected_ms`
    REASON     253  at: ms of the row  length  text: an outage began

Numbers without a size are unsigned LEB128. An index may occur more than once: what it says is added up.
"""

import zlib
from collections import namedtuple

# Of an interval, in the order of the bits. bytes: of TCP; least_ms, most_ms: of one round trip; waiting: lines in the
# outbox, and unread: lines in the inbox, at most; starts: of the client's program; bridge_starts: as the bridge's
# reports tell, if they come; reconnects: connections that have replaced one that the server had not missed yet.
FIELDS = (
    "connected_ms", "outages", "starts", "lines_in", "lines_out", "bytes_in", "bytes_out", "round_trips",
    "round_trip_ms", "least_ms", "most_ms", "waiting", "unread", "bridge_starts", "reconnects",
)  # fmt: skip
(
    CONNECTED, OUTAGES, STARTS, LINES_IN, LINES_OUT, BYTES_IN, BYTES_OUT, ROUND_TRIPS, ROUND_TRIP_MS, LEAST_MS, MOST_MS,
    WAITING, UNREAD, BRIDGE_STARTS, RECONNECTS,
) = range(len(FIELDS))  # fmt: skip
_SUMS = (*range(CONNECTED, LEAST_MS), BRIDGE_STARTS, RECONNECTS)
_MOSTS = (MOST_MS, WAITING, UNREAD)

# interval_s: of one interval; count: of them in a row; keep_s: for which rows are kept.
Level = namedtuple("Level", "number interval_s count keep_s")
Level.row_s = property(lambda level: level.interval_s * level.count)
SECONDS = Level(0, 1, 60, 3600)
MINUTES = Level(1, 60, 60, 24 * 3600)
HOURS = Level(2, 3600, 24, 366 * 24 * 3600)
LEVELS = (SECONDS, MINUTES, HOURS)

MAX_REASONS = 24  # in a row
MAX_SPANS = 64  # in a row
MAX_REASON = 48  # bytes
SPAN, REASON = 254, 253
_PLAIN, _DEFLATED = b"\0", b"\1"
# A minute in which a client was connected and nothing else was: of most clients, most are so.
WHOLE_MINUTE = _PLAIN + bytes((SPAN, 0, 0xE0, 0xD4, 0x03))


def nothing():
    """Returns the values of an interval in which nothing was."""
    return [0] * len(FIELDS)


def add(values, more):
    """Roll another interval up into these values."""
    if more[ROUND_TRIPS]:
        least = more[LEAST_MS]
        values[LEAST_MS] = min(values[LEAST_MS], least) if values[ROUND_TRIPS] else least
    for at in _SUMS:
        values[at] += more[at]
    for at in _MOSTS:
        if more[at] > values[at]:
            values[at] = more[at]


def encode(index, values):
    """Returns the entry of an interval."""
    found = bytearray((index,))
    bits, numbers = 0, bytearray()
    for at, value in enumerate(values):
        if value:
            bits |= 1 << at
            _put(numbers, value)
    _put(found, bits)
    return found + numbers


def encode_span(begin_ms, end_ms):
    """Returns the entry that says that the client was connected in this part of the row."""
    found = bytearray((SPAN,))
    _put(found, begin_ms)
    _put(found, end_ms)
    return found


def encode_reason(at_ms, text):
    """Returns the entry of an outage that began then. text: why, of which MAX_REASON bytes are kept."""
    data = text.encode()[:MAX_REASON]
    found = bytearray((REASON,))
    _put(found, at_ms)
    _put(found, len(data))
    return found + data


def packed(entries):
    """Returns the row with these entries (bytes)."""
    deflated = zlib.compress(entries, 1)
    return _DEFLATED + deflated if len(deflated) < len(entries) else _PLAIN + bytes(entries)


class Row:
    """What a row says. intervals: [(index, values)]; spans: [(from ms, to ms)]; reasons: [(ms, text)].

    Raises: ValueError: it is damaged."""

    def __init__(self, data):
        self.intervals, self.spans, self.reasons = [], [], []
        try:
            if data[:1] == _DEFLATED:
                self._read(zlib.decompress(data[1:]))
            elif data[:1] == _PLAIN:
                self._read(data[1:])
            else:
                raise ValueError("a row of an unknown form")
        except (IndexError, zlib.error):
            raise ValueError("a row of a timeline is damaged")

    def _read(self, entries):
        at, end = 0, len(entries)
        while at < end:
            kind, (first, at) = entries[at], _number(entries, at + 1)
            if kind == SPAN:
                second, at = _number(entries, at)
                self.spans.append((first, second))
            elif kind == REASON:
                size, at = _number(entries, at)
                self.reasons.append((first, entries[at : at + size].decode(errors="replace")))
                at += size
            else:
                values = nothing()
                for bit in range(first.bit_length()):
                    if first >> bit & 1:
                        values[bit], at = _number(entries, at)
                self.intervals.append((kind, values))


def _put(found, value):
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)


def _number(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
