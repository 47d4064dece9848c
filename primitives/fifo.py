"""A ring of bytes of fixed size: what is put in comes out in order. It neither grows nor waits."""


def as_bytes(data):
    """The UTF-8 of a str, as MicroPython's streams take it; anything else as it is."""
    return data.encode() if isinstance(data, str) else data


class Fifo:
    """A ring of `size` bytes."""

    def __init__(self, size):
        self.size = size
        self._buf = bytearray(size)
        self._view = memoryview(self._buf)
        self._first = 0  # index of the oldest byte
        self._count = 0

    def __len__(self):
        return self._count

    @property
    def room(self):
        return self.size - self._count

    def put(self, data):
        """Append what finds room of a bytes-like object. Returns the number of bytes."""
        n = min(len(data), self.size - self._count)
        data = memoryview(data)
        at = (self._first + self._count) % self.size
        part = min(n, self.size - at)
        self._buf[at : at + part] = data[:part]
        self._buf[: n - part] = data[part:n]
        self._count += n
        return n

    def copy_into(self, buf, at, skip, n):
        """Copy n bytes, from the one after `skip` on, to buf[at:]; they stay. There must be so many."""
        first = (self._first + skip) % self.size
        part = min(n, self.size - first)
        buf[at : at + part] = self._view[first : first + part]
        buf[at + part : at + n] = self._view[: n - part]

    def drop(self, n):
        """Forget the n oldest bytes. There must be so many."""
        self._first = (self._first + n) % self.size
        self._count -= n

    def readinto(self, buf):
        """Take bytes out into buf. Returns their number."""
        n = min(len(buf), self._count)
        self.copy_into(buf, 0, 0, n)
        self.drop(n)
        return n

    def read(self, n=-1):
        """Take out at most n bytes; all of them if n < 0."""
        buf = bytearray(self._count if n < 0 else min(n, self._count))
        self.copy_into(buf, 0, 0, len(buf))
        data = bytes(buf)
        self.drop(len(buf))  # now that nothing can fail any more
        return data

    def line(self):
        """Bytes up to the first newline and with it, or all if there is none."""
        for i in range(self._count):
            if self._buf[(self._first + i) % self.size] == 10:
                return i + 1
        return self._count
