"""The TCP byte stream between bridge and server: preamble, length prefixes,
keepalives (`docs/protocol.md` section 3), and how the bridge passes it on.
The ends read it with `frame_reader.py`.

    offset  bytes
    0       4      preamble, once, bridge to server: F5 'p' 'b' and the version
    then, for ever, in both directions:
    0       2      length of the frame that follows, big-endian, 0 or 3..1066
    2       n      session frame
    A length of 0 is a keepalive. It belongs to this hop and ends here.

The first byte F5 starts no UTF-8 text, so that a server can tell this
protocol from a line protocol on the same port.
"""

# Version of the session protocol; both ends must name the same.
VERSION = 4

# A session frame with its length prefix. It fills an I2C transfer of 25 ms at
# 400 kHz, so that Wi-Fi is served between two; with 1,068 bytes the check over
# the transfer fills its last SHA-256 block as well.
MAX_FRAME = 1068

PREAMBLE = bytes((0xF5, 0x70, 0x62, VERSION))
KEEPALIVE = b"\x00\x00"
PREFIX = 2  # bytes of the length prefix
MAX_BODY = MAX_FRAME - PREFIX
MIN_BODY = 3


class FrameRelay:
    """Passes the stream on in chunks.

    It knows the length prefixes only: it takes keepalives out and refuses
    lengths that no frame has. It holds no payload.
    """

    def __init__(self):
        self._left = 0  # bytes of the current frame that are still to come
        self.held = -1  # first byte of a prefix whose second has not come yet: the next chunk needs its place
        self.fault = False
        self.passed = 0  # bytes of the frames so far, without prefixes; counted up to MAX_BODY or some more

    def strip(self, buf, start, end):
        """Take the keepalives out of buf[start:end], in place.

        The first byte of a prefix that the chunk cuts in two is held back and
        put in front of the next chunk: buf[start - 1] must exist for that.

        Returns: (start, end) of what is to be passed on; `fault` is set if
        the stream is broken.
        """
        if self.held >= 0:
            start -= 1
            buf[start] = self.held
            self.held = -1
        at = start
        while at < end:
            if self._left:
                n = min(self._left, end - at)
                self._left -= n
                at += n
                continue
            if at + 1 == end:  # half a prefix
                self.held = buf[at]
                end = at
                break
            length = buf[at] << 8 | buf[at + 1]
            if length == 0:
                buf[at : end - PREFIX] = buf[at + PREFIX : end]
                end -= PREFIX
            elif not MIN_BODY <= length <= MAX_BODY:
                self.fault = True
                return start, at
            else:
                self._left = length
                at += PREFIX
                if self.passed < MAX_BODY:  # an int of the bridge must stay small
                    self.passed += length
        return start, end
