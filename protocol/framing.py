"""The TCP byte stream between bridge and server: preamble, length prefixes,
keepalives (`docs/protocol.md` section 3).

    offset  bytes
    0       4      preamble, once, bridge to server: F5 'p' 'b' and the version
    then, for ever, in both directions:
    0       2      length of the frame that follows, big-endian, 0 or 3..1022
    2       n      session frame
    A length of 0 is a keepalive. It belongs to this hop and ends here.

The first byte F5 starts no UTF-8 text, so that a server can tell this
protocol from a line protocol on the same port.
"""

from protocol.limits import MAX_FRAME, VERSION

PREAMBLE = bytes((0xF5, 0x70, 0x62, VERSION))
KEEPALIVE = b"\x00\x00"
PREFIX = 2  # bytes of the length prefix
MAX_BODY = MAX_FRAME - PREFIX
MIN_BODY = 3


def _bad_length(length):
    return length > MAX_BODY or 0 < length < MIN_BODY


class FrameReader:
    """Assembles session frames from chunks of the stream: for the two ends.

    `fault` is None or says why the stream can no longer be read; what comes
    after a fault is ignored until `reset`.
    """

    def __init__(self):
        self._frame = bytearray(MAX_BODY)
        self._view = memoryview(self._frame)
        self.reset()

    def reset(self):
        """Start a new stream at a frame boundary."""
        self._prefix = 0  # bytes of the prefix that have come
        self._length = 0
        self._have = 0
        self.fault = None

    def feed(self, data):
        """Yield each complete frame of data (memoryview without its prefix).

        A frame that is yielded is valid until the next step of the iteration.
        """
        at = 0
        end = len(data)
        while at < end and not self.fault:
            if self._prefix < PREFIX:
                self._length = (self._length << 8) | data[at]
                self._prefix += 1
                at += 1
                if self._prefix == PREFIX:
                    self._start()
                continue
            n = min(self._length - self._have, end - at)
            self._frame[self._have : self._have + n] = data[at : at + n]
            self._have += n
            at += n
            if self._have == self._length:
                frame = self._view[: self._length]
                self._prefix = self._length = 0
                yield frame

    def _start(self):
        self._have = 0
        if self._length == 0:  # keepalive
            self._prefix = 0
        elif _bad_length(self._length):
            self.fault = "frame length %d" % self._length


class FrameRelay:
    """Passes the stream on in chunks without assembling frames: for the bridge.

    It knows the length prefixes only: it takes keepalives out and refuses
    lengths that no frame has. It holds no payload.
    """

    def __init__(self):
        self.reset()

    def reset(self):
        self._left = 0  # bytes of the current frame that are still to come
        self._high = -1  # first byte of a prefix whose second has not come yet
        self.fault = False

    @property
    def at_boundary(self):
        """True if the last byte passed on ended a frame."""
        return self._left == 0 and self._high < 0

    def strip(self, buf, start, end):
        """Take the keepalives out of buf[start:end], in place.

        The first byte of a prefix that the chunk cuts in two is held back and
        put in front of the next chunk: buf[start - 1] must exist for that.

        Returns: (start, end) of what is to be passed on; `fault` is set if
        the stream is broken.
        """
        if self._high >= 0:
            start -= 1
            buf[start] = self._high
            self._high = -1
        at = start
        while at < end:
            if self._left:
                n = min(self._left, end - at)
                self._left -= n
                at += n
                continue
            if at + 1 == end:  # half a prefix
                self._high = buf[at]
                end = at
                break
            length = buf[at] << 8 | buf[at + 1]
            if length == 0:
                buf[at : end - PREFIX] = buf[at + PREFIX : end]
                end -= PREFIX
            elif _bad_length(length):
                self.fault = True
                return start, at
            else:
                self._left = length
                at += PREFIX
        return start, end
