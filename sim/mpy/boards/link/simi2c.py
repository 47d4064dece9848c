"""`machine.SoftI2C` of a board: transfers are computed by the wire process.

Bytes go from the caller's buffer into the link and from the link into the caller's buffer; nothing is copied here.
"""

import struct

from simlink import call

_OPEN = 7
_TRANSFER = 8
_PRIMITIVE = 9
# Flags of a transfer, and the primitives.
_READ = 1
_STOP = 2
_MEM = 4
_P_START = 0
_P_STOP = 1
_P_WRITE = 2
_P_READ = 3


class SoftI2C:
    def __init__(self, scl, sda, *, freq=400000, timeout=50000):
        self.init(scl, sda, freq=freq, timeout=timeout)

    def init(self, scl, sda, *, freq=400000, timeout=50000):
        self._bus = call(_OPEN, _handle(scl), _handle(sda), data=struct.pack("<II", freq, timeout))
        self._memaddr = bytearray(1)

    def scan(self):
        found = []
        for address in range(0x08, 0x78):  # the others are reserved
            try:
                self._write(address, _STOP, b"", None)
                found.append(address)
            except OSError:
                pass  # nobody there
        return found

    def _write(self, address, flags, data, head):
        return call(_TRANSFER, self._bus, address, flags, 0, data, head)

    def _read(self, address, flags, buf, head):
        if len(buf):
            call(_TRANSFER, self._bus, address, flags | _READ, len(buf), None, head, buf)
        else:
            call(_TRANSFER, self._bus, address, flags | _READ, 0, None, head)

    def writeto(self, address, data, stop=True):
        return self._write(address, _STOP if stop else 0, _buffer(data), None)

    def writevto(self, address, vector, stop=True):
        # A vector of two, a header and a payload, is the common case and needs no copy.
        if len(vector) == 2:
            return self._write(address, _STOP if stop else 0, _buffer(vector[1]), _buffer(vector[0]))
        return self.writeto(address, b"".join(bytes(data) for data in vector), stop)

    def readfrom(self, address, size, stop=True):
        buf = bytearray(size)
        self._read(address, _STOP if stop else 0, buf, None)
        return bytes(buf)

    def readfrom_into(self, address, buf, stop=True):
        self._read(address, _STOP if stop else 0, buf, None)

    def _select(self, memaddr, addrsize):
        if addrsize & 7 or addrsize > 32:
            raise ValueError("invalid addrsize")
        n = addrsize >> 3
        head = self._memaddr
        if len(head) != n:
            self._memaddr = head = bytearray(n)
        while n:
            n -= 1
            head[n] = memaddr & 255
            memaddr >>= 8
        return head

    def readfrom_mem(self, address, memaddr, size, *, addrsize=8):
        buf = bytearray(size)
        self._read(address, _STOP | _MEM, buf, self._select(memaddr, addrsize))
        return bytes(buf)

    def readfrom_mem_into(self, address, memaddr, buf, *, addrsize=8):
        self._read(address, _STOP | _MEM, buf, self._select(memaddr, addrsize))

    def writeto_mem(self, address, memaddr, data, *, addrsize=8):
        self._write(address, _STOP, _buffer(data), self._select(memaddr, addrsize))

    def start(self):
        call(_PRIMITIVE, self._bus, _P_START)

    def stop(self):
        call(_PRIMITIVE, self._bus, _P_STOP)

    def write(self, data):
        return call(_PRIMITIVE, self._bus, _P_WRITE, data=_buffer(data))

    def readinto(self, buf, nack=True):
        call(_PRIMITIVE, self._bus, _P_READ, 1 if nack else 0, len(buf), into=buf)


def _handle(pin):
    import machine  # whose place a stand-in has taken by now

    return (pin if isinstance(pin, machine.Pin) else machine.Pin(pin))._handle


def _buffer(data):
    # As the ports do, a str is a buffer of its UTF-8 bytes.
    return data.encode() if isinstance(data, str) else data
