"""From the chunks of a TCP stream to session frames: for the two ends.
The stream's format is in `framing.py`."""

from protocol.framing import MAX_BODY, MIN_BODY, PREFIX


class FrameReader:
    """Assembles session frames from chunks of the stream.

    `fault` is None or says why the stream can no longer be read; what comes
    after a fault is ignored until `reset`.
    """

    def __init__(self):
        self._frame = bytearray(MAX_BODY)
        self._view = memoryview(self._frame)
        self.reset()

    def reset(self):
        """Start a new stream at a frame boundary."""
        self.prefix = 0  # bytes of the prefix that have come, 0 between two frames
        self._length = 0
        self._have = 0
        self.fault = None

    def feed(self, data):
        """Iterate over each complete frame of data (memoryview without its prefix).

        A frame is valid until the next step of the iteration, or until data changes: one that fills data is not copied.
        """
        if not (self.prefix or self.fault) and len(data) > PREFIX:
            length = len(data) - PREFIX
            if data[0] << 8 | data[1] == length and MIN_BODY <= length <= MAX_BODY:
                return iter((memoryview(data)[PREFIX:],))
        return self._feed(data)

    def _feed(self, data):
        at = 0
        end = len(data)
        while at < end and not self.fault:
            if self.prefix < PREFIX:
                self._length = (self._length << 8) | data[at]
                self.prefix += 1
                at += 1
                if self.prefix == PREFIX:
                    self._start()
                continue
            n = min(self._length - self._have, end - at)
            self._frame[self._have : self._have + n] = data[at : at + n]
            self._have += n
            at += n
            if self._have == self._length:
                frame = self._view[: self._length]
                self.prefix = self._length = 0
                yield frame

    def _start(self):
        self._have = 0
        if self._length == 0:  # keepalive
            self.prefix = 0
        elif not MIN_BODY <= self._length <= MAX_BODY:
            self.fault = "frame length %d" % self._length
