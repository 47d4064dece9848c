"""Passing a TCP stream on without assembling its frames: for the bridge.
The stream's format is in `framing.py`."""

from protocol.framing import PREFIX, bad_length


class FrameRelay:
    """Passes the stream on in chunks.

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
            elif bad_length(length):
                self.fault = True
                return start, at
            else:
                self._left = length
                at += PREFIX
        return start, end
