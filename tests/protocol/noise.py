"""Repeatable randomness for tests that run under both interpreters."""


class Noise:
    """A linear congruential generator: good enough to shake parsers with."""

    def __init__(self, seed):
        self._state = seed

    def number(self, below):
        self._state = (self._state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self._state >> 8) % below

    def data(self, size):
        return bytes(self.number(256) for _ in range(size))

    def pieces(self, data, longest):
        """Yield data in pieces of 1 to longest bytes."""
        at = 0
        while at < len(data):
            n = 1 + self.number(longest)
            yield data[at : at + n]
            at += n


def flipped(data, bit):
    """data with one bit changed."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def every_flip(data):
    """Yield data with one bit flipped, for each of its bits."""
    for bit in range(8 * len(data)):
        yield flipped(data, bit)
