"""The highest speed that the layout of frames and mailbox allows: the arithmetic of docs/measurements.md.

A stream is a row of full frames, each in one transfer. The ceiling counts the necessary parts only. These are the
headers and the acknowledgements: of the mailbox for each transfer from the client, of the session for each half of the
sender's window. On the bridge, which does one thing at a time, they include the set-up of a transaction and hashing.
The ceiling does not count work in parallel with a transfer: the client's computing while it sends, and all of the
server's.
"""

from protocol import mailbox as box
from protocol.frame import DATA_HEADER, RECORD_HEADER
from protocol.framing import MAX_FRAME, PREFIX
from protocol.limits import MAC_BYTES, SEND_BYTES

# Bytes of an exchange besides its data: address and memory address, and the address again for reading.
_WRITE, _READ = 3, 4
_BARE_FRAME = PREFIX + DATA_HEADER + MAC_BYTES
_LABELS = 5  # bytes that a checksum covers besides the transfer: label and epochs
_CHECKSUM = 4


def _checksum_us(costs, payload):
    """Returns the bridge's time for the SHA-256 over a transfer."""
    return costs.bridge_sha256_us * ((_LABELS + box.HEADER - _CHECKSUM + payload + 72) // 64)


class Exchanges:
    """Seconds that each exchange occupies the bridge, according to the costs."""

    def __init__(self, costs):
        self._costs = costs

    def _seconds(self, size, clocks, hashing_us):
        costs = self._costs
        us = costs.i2c_setup_us + hashing_us + costs.bridge_switch_us
        return (9 * size + clocks) / costs.clock_hz + us / 1e6

    def poll(self):
        return self._seconds(_READ + box.STATUS_BYTES, 3, 0)

    def fetch(self, payload):
        """Returns the seconds of a transfer from the client, with the STATUS in the same exchange."""
        size = _READ + box.STATUS_BYTES + box.HEADER + payload
        return self._seconds(size, 3, _checksum_us(self._costs, payload))

    def acknowledge(self):
        return self._seconds(_WRITE + box.ACK_BYTES, 2, 0)

    def send(self, payload):
        """Returns the seconds of a transfer to the client."""
        return self._seconds(_WRITE + box.HEADER + payload, 2, _checksum_us(self._costs, payload))

    def taken(self):
        """Returns the seconds until the client looks at a transfer. The bed adds its computing time after that step."""
        return self._costs.irq_us / 1e6

    def answer(self):
        """Returns the seconds until the client's STATUS and the edge on syn report that it has taken the transfer."""
        return self.taken() + self._costs.irq_us / 1e6


def payload_of_a_frame(size):
    """Returns the bytes of lines in a full frame. A line's newline is not on the wire; one line is cut."""
    space = MAX_FRAME - _BARE_FRAME - RECORD_HEADER
    return space * size / (size - 1 + RECORD_HEADER)


def stream(direction, size, costs):
    """Returns bytes of lines per second. Args: direction: "up" (to the server), "down" or "both"."""
    on = Exchanges(costs)
    payload = payload_of_a_frame(size)
    frames = -(-SEND_BYTES // (2 * MAX_FRAME))  # frames that share an acknowledgement of the session
    up = on.fetch(MAX_FRAME)
    down = on.send(MAX_FRAME) + on.answer() + on.poll()
    if direction == "up":
        return payload / (up + on.acknowledge() + on.send(_BARE_FRAME) / frames)
    if direction == "down":
        return payload / (down + on.fetch(_BARE_FRAME) / frames)
    return 2 * payload / (up + down)


def single(direction, size, costs):
    """Returns bytes of lines per second, as `stream`, if each line waits for its acknowledgement. The delay in which an
    acknowledgement waits for data is not counted."""
    on = Exchanges(costs)
    record = _BARE_FRAME + RECORD_HEADER + size - 1
    if direction == "up":
        seconds = on.poll() + on.fetch(record) + on.acknowledge() + on.send(_BARE_FRAME)
    elif direction == "down":
        seconds = on.send(record) + on.answer() + on.poll() + on.fetch(_BARE_FRAME)
    else:  # the acknowledgements of one direction travel with the lines of the other
        return 2 * size / (on.fetch(record) + on.send(record) + on.answer() + on.poll())
    return size / (seconds + 2 * costs.delay_s)


def echo(size, costs):
    """Returns the seconds of one echo: the client's line is fetched; the answer carries the acknowledgement."""
    on = Exchanges(costs)
    record = _BARE_FRAME + RECORD_HEADER + size - 1
    seconds = on.poll() + on.fetch(record) + on.send(record) + on.taken()
    return seconds + max(on.acknowledge(), 2 * costs.delay_s)  # both happen at the same time
