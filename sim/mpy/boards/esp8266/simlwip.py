"""`socket` of the ESP8266: what MicroPython's modlwip does (docs/simulator.md), over sockets of the computer that lead
to the wire process. As sim/mpy/boards/esp8266_c/simlwip.c, which the bridge's own interpreter has.
"""

import io

import uselect
import usocket
from simlink import call, service
from utime import ticks_diff, ticks_ms

_SO_SNDBUF, _SO_RCVBUF = 7, 8
_BUFFER = 1152  # sim/mpy/tcp.py
# As sim/wires/lwip.py, sim/mpy/frames.py and errno.
_TCP_SND_BUF = 1072
_TCP_PCBS = 5
_MEM_TRIES, _MEM_PAUSE_MS = 200, 50
_DNS_PORT = 53
_LWIP = 24
_NAME_PORT, _MEMORY, _ADDRESS_OF = 0, 1, 2
_EAI_NONAME = -2
_EBADF, _EAGAIN, _ENOMEM, _EINVAL, _ECONNRESET = 9, 11, 12, 22, 104
_EISCONN, _ETIMEDOUT, _EHOSTUNREACH, _EALREADY, _EINPROGRESS = 106, 110, 113, 114, 115
_POLL, _CLOSE = 3, 4  # requests of a stream's ioctl
_TCP_NODELAY = 0x40
_FATAL_EXCEPTION = 4
_NEW, _CONNECTING, _CONNECTED, _PEER_CLOSED, _FAILED, _CLOSED = range(6)


def _numeric(host):
    parts = host.split(".")
    return len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)


def _local(port):
    return usocket.getaddrinfo("127.0.0.1", port, usocket.AF_INET, usocket.SOCK_STREAM)[0][-1]


def getaddrinfo(host, port, *_):
    """Nothing else runs until it returns, up to 7 s."""
    if not _numeric(host):
        address = bytearray(4)
        try:
            call(_LWIP, _ADDRESS_OF, data=host.encode(), into=address)
        except OSError:
            raise OSError(_EAI_NONAME)
        host = "%d.%d.%d.%d" % tuple(address)
    return [(usocket.AF_INET, usocket.SOCK_STREAM, 0, "", (host, port))]


def _stand_still(ms):
    start = ticks_ms()
    while (left := ms - ticks_diff(ticks_ms(), start)) > 0:
        service(left)


class Socket(io.IOBase):
    pcbs = 0

    def __init__(self, kind):
        if kind == usocket.SOCK_STREAM:
            if Socket.pcbs >= _TCP_PCBS:
                raise OSError(_ENOMEM)
            Socket.pcbs += 1
        self._kind = kind
        self._end = usocket.socket(usocket.AF_INET, kind)
        self._end.setblocking(False)
        self._events = uselect.poll()
        self._events.register(self._end, uselect.POLLIN)
        self._state = _NEW
        self._error = 0
        self._timeout_ms = -1

    def settimeout(self, seconds):
        self._timeout_ms = -1 if seconds is None else int(1000 * seconds)

    def setblocking(self, on):
        self._timeout_ms = -1 if on else 0

    def setsockopt(self, level, option, value):
        self._look()
        if self._state in (_FAILED, _CLOSED):  # modlwip writes through a null pointer, and the chip starts again
            print("Fatal exception: StoreProhibited")
            raise SystemExit(_FATAL_EXCEPTION)
        if option not in (_TCP_NODELAY, usocket.SO_REUSEADDR):
            print("Warning: lwip.setsockopt() not implemented")

    def _fail(self):
        self._state, self._error = _FAILED, _ECONNRESET

    def _look(self):
        """Returns True if there is something to read; sees how connecting has ended, and that the connection has."""
        if self._state in (_FAILED, _CLOSED):
            return False
        ready = self._events.poll(0)
        event = ready[0][1] if ready else 0
        if self._kind == usocket.SOCK_STREAM and event & (uselect.POLLERR | uselect.POLLHUP) and self._state != _NEW:
            if not event & uselect.POLLIN or event & uselect.POLLERR:
                self._fail()
                return False
        if self._state == _CONNECTING and event & uselect.POLLIN:
            try:
                self._state = _CONNECTED if self._end.recv(1) else _FAILED
            except OSError:
                self._state = _FAILED
            if self._state == _FAILED:
                self._fail()
            return False
        return bool(event & uselect.POLLIN)

    def _wait(self, start):
        """Returns None if there is no time left and the socket does not block."""
        if self._timeout_ms >= 0 and ticks_diff(ticks_ms(), start) >= self._timeout_ms:
            if self._timeout_ms:
                raise OSError(_ETIMEDOUT)
            return None
        service(1)
        return True

    def connect(self, address):
        host, port = address
        if not _numeric(host):
            raise ValueError("invalid arguments")
        if self._state != _NEW:
            raise OSError({_CLOSED: _EBADF, _CONNECTED: _EISCONN}.get(self._state, _EALREADY))
        local = call(16, 0, 0, 0, port, host.encode())
        for buffer in (_SO_SNDBUF, _SO_RCVBUF):
            self._end.setsockopt(usocket.SOL_SOCKET, buffer, _BUFFER)
        self._end.setsockopt(6, 1, 1)  # TCP_NODELAY: Nagle's algorithm is not modelled in this bed
        self._end.setblocking(True)
        self._end.connect(_local(local))
        self._end.setblocking(False)
        self._state = _CONNECTING
        start = ticks_ms()
        service(1)
        while True:
            self._look()
            if self._state != _CONNECTING:
                break
            if not self._wait(start):
                raise OSError(_EINPROGRESS)
        if self._state == _FAILED:
            raise OSError(self._error)

    def send(self, data):
        n = self._send(data)
        if n is None:
            raise OSError(_EAGAIN)
        return n

    def write(self, data):
        """An empty write does not reach the socket."""
        data = memoryview(data)
        done = 0
        while done < len(data):
            n = self._send(data[done:])
            if n is None:
                return done or None
            done += n
        return done

    def _send(self, data):
        """Returns None if there is no room now."""
        start = ticks_ms()
        while True:
            self._look()
            if self._state in (_FAILED, _CLOSED):
                raise OSError(self._error or _EBADF)
            if self._state in (_CONNECTED, _PEER_CLOSED):
                self._await_memory()
                try:
                    return self._end.send(bytes(data[:_TCP_SND_BUF])) if data else 0
                except OSError as error:
                    if error.errno != _EAGAIN:
                        self._fail()
                        raise OSError(_ECONNRESET)
            if not self._wait(start):
                return None

    def _await_memory(self):
        for _ in range(_MEM_TRIES):
            if call(_LWIP, _MEMORY):
                return
            _stand_still(_MEM_PAUSE_MS)  # also when the socket does not block
        raise OSError(_ENOMEM)

    def sendto(self, data, address):
        """To the name server; what goes anywhere else is lost."""
        host, port = address
        if not _numeric(host):
            raise ValueError("invalid arguments")
        if call(15, 0, 3) != 5:
            raise OSError(_EHOSTUNREACH)
        if port == _DNS_PORT:
            self._end.sendto(data, _local(call(_LWIP, _NAME_PORT)))
        return len(data)

    def readinto(self, buf):
        """Returns None if there is nothing now, 0 at the end."""
        start = ticks_ms()
        while True:
            there = self._look()
            if self._state in (_FAILED, _CLOSED):
                raise OSError(self._error or _EBADF)
            if there:
                try:
                    n = self._end.readinto(buf)
                except OSError:
                    self._fail()
                    continue
                if n == 0:
                    self._state = _PEER_CLOSED
                return n
            if not self._wait(start):
                return None

    def recv(self, size):
        data = self.read(size)
        if data is None:
            raise OSError(_EAGAIN)
        return data

    def read(self, size):
        buf = bytearray(size)
        n = self.readinto(buf)
        return None if n is None else bytes(buf[:n])

    def readline(self):
        line = b""
        while not line.endswith(b"\n"):
            byte = self.read(1)
            if not byte:
                return line or byte
            line += byte
        return line

    def ioctl(self, request, argument):
        if request == _CLOSE:
            if self._state != _CLOSED:
                self._state = _CLOSED
                if self._kind == usocket.SOCK_STREAM:
                    Socket.pcbs -= 1
                self._end.close()
            return 0
        return self._polled(argument) if request == _POLL else -1

    def _polled(self, flags):
        there = self._look()
        ready = flags & uselect.POLLIN if there else 0
        if self._kind == usocket.SOCK_DGRAM:
            return ready | flags & uselect.POLLOUT
        if self._state == _NEW:
            return uselect.POLLHUP
        if self._state == _FAILED:
            return flags & uselect.POLLOUT | uselect.POLLHUP
        if self._state == _PEER_CLOSED:
            return flags & (uselect.POLLIN | uselect.POLLOUT)
        if self._state == _CONNECTED:
            ready |= flags & uselect.POLLOUT and self._has_room()
        return ready

    def _has_room(self):
        room = uselect.poll()
        room.register(self._end, uselect.POLLOUT)
        return uselect.POLLOUT if room.poll(0) else 0

    def close(self):
        self.ioctl(_CLOSE, 0)
