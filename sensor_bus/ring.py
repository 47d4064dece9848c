"""The newest samples of one device, in memory that is allocated once. Each reader keeps its own place in it. Pure."""

from struct import pack_into, unpack_from

from protocol import const

_HEAD = const(5)  # in front of each sample: the time's low 32 bits 4, length 1
_TIME_BITS = const(0xFFFFFFFF)


class Ring:
    """Args: samples: how many it keeps; size: most bytes of one."""

    def __init__(self, samples, size):
        self.end = 0  # samples ever put
        self._places = samples + 1  # one of them for what is being read
        self._slot = _HEAD + size
        self._view = memoryview(bytearray(self._places * self._slot))
        self._times = 0  # the high bits of the newest time

    def space(self):
        """Returns the memory (memoryview) of the sample that is put next."""
        at = self._at(self.end) + _HEAD
        return self._view[at : at + self._slot - _HEAD]

    def put(self, time, data, size):
        """Put a sample in the place of the oldest one. Args: time: 100 us; data: buffer, which may be `space`; size: of
        its bytes."""
        pack_into("<IB", self._view, self._at(self.end), time & _TIME_BITS, size)
        self.space()[:size] = data[:size]
        self._times = time
        self.end += 1

    def oldest(self):
        """Returns the place of the oldest sample that is kept; `end` if there is none."""
        return max(0, self.end - self._places + 1)

    def time(self, place):
        """Returns the time of the sample at this place, oldest()..end - 1."""
        low = unpack_from("<I", self._view, self._at(place))[0]
        return self._times - ((self._times - low) & _TIME_BITS)

    def data(self, place, after=b""):
        """Returns the bytes of the sample at this place, and `after` behind them."""
        at = self._at(place)
        size = self._view[at + 4]
        return bytes(self._view[at + _HEAD : at + _HEAD + size]) + after

    def _at(self, place):
        return place % self._places * self._slot
