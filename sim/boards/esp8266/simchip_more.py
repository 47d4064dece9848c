"""The rest of the ESP8266's stand-ins, loaded by simchip.py when one of these names is asked for."""

import io
import struct

import simchip
import uselect
import usocket
from simchip import Pin, call, service
from utime import sleep_us as _sleep_us
from utime import ticks_add, ticks_diff, ticks_ms

# Flags of a transfer, and its primitives; as common/simi2c.py.
_READ = 1
_STOP = 2
_MEM = 4
_SO_SNDBUF, _SO_RCVBUF = 7, 8
_BUFFER = 1152  # sim/tcp.py
_STATION_CONFIG = 97  # ssid, password, NUL: sim/esp8266.py
# As sim/lwip.py, sim/frames.py and errno.
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


# machine


def reset():
    call(14)  # the wire process ends this process, so there is no reply


def reset_cause():
    return call(17)


def unique_id():
    return b"\x66\x82\x5e\x00"


def freq(hz=80000000):
    if hz not in (80000000, 160000000):
        raise ValueError("frequency can only be either 80Mhz or 160MHz")
    return hz


def idle():
    service()


def disable_irq():
    return 0


def enable_irq(state):
    pass


def WDT(id=0, timeout=5000):
    """Bites after the time that the chip's system fixes; it is not the program's to choose."""
    if id or timeout != 5000:
        raise ValueError
    call(13, 1)
    return simchip


# machine.SoftI2C: `i2c` is the object


def _buffer(data):
    return data.encode() if isinstance(data, str) else data


def i2c_init(i2c, scl, sda, *, freq=400000, timeout=50000):
    i2c._bus = call(7, Pin(scl)._handle, Pin(sda)._handle, data=struct.pack("<II", freq, timeout))
    i2c._memaddr = bytearray(1)


def writeto(i2c, address, data, stop=True):
    return call(8, i2c._bus, address, _STOP if stop else 0, 0, _buffer(data))


def writevto(i2c, address, vector, stop=True):
    return writeto(i2c, address, b"".join(bytes(_buffer(data)) for data in vector), stop)


def readfrom_into(i2c, address, buf, stop=True):
    call(8, i2c._bus, address, _READ | (_STOP if stop else 0), len(buf), into=buf)


def readfrom(i2c, address, size, stop=True):
    buf = bytearray(size)
    readfrom_into(i2c, address, buf, stop)
    return bytes(buf)


def readfrom_mem(i2c, address, memaddr, size, *, addrsize=8):
    buf = bytearray(size)
    i2c.readfrom_mem_into(address, memaddr, buf, addrsize=addrsize)
    return bytes(buf)


def scan(i2c):
    found = []
    for address in range(0x08, 0x78):  # the others are reserved
        try:
            writeto(i2c, address, b"")
            found.append(address)
        except OSError:
            pass  # nobody there
    return found


def start(i2c):
    call(9, i2c._bus, 0)


def stop(i2c):
    call(9, i2c._bus, 1)


def write(i2c, data):
    return call(9, i2c._bus, 2, data=_buffer(data))


def readinto(i2c, buf, nack=True):
    call(9, i2c._bus, 3, 1 if nack else 0, len(buf), into=buf)


# network.WLAN: `wlan` is the object


def _station(wlan):
    if wlan._interface:
        raise OSError("STA required")


def connect(wlan, ssid=None, key=None, *, bssid=None):
    _station(wlan)
    credentials = b"" if ssid is None else b"\0".join((bytes(_buffer(ssid)), bytes(_buffer(key or ""))))
    call(15, 0, 1, 0 if ssid is None else 1, data=credentials)


def active(wlan, *on):
    return bool(call(15, wlan._interface, 0, (2 if on[0] else 1) if on else 0))


def disconnect(wlan):
    _station(wlan)
    call(15, 0, 2)


def ifconfig(wlan, *_):
    if wlan.isconnected():
        return ("192.168.4.2", "255.255.255.0", "192.168.4.1", "192.168.4.1")
    return ("0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0")


def config(wlan, *what, **_):
    if what:
        if what[0] == "mac":
            return b"\x5c\xcf\x7f\x66\x82\x5e"
        if what[0] not in ("ssid", "essid") or wlan._interface:
            raise ValueError("unknown config param")
        found = bytearray(_STATION_CONFIG)
        call(15, 0, 4, into=found)
        return str(found[: found.find(b"\0")], "utf-8")  # UnicodeError, as on the chip


def rssi(what):
    if what[0] != "rssi":
        raise ValueError("unknown status param")
    return -60


# esp


def sleep_type(kind=0):
    return 0


def osdebug(level):
    pass


# socket: what MicroPython's modlwip does (docs/simulator.md)


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


class _Socket(io.IOBase):
    pcbs = 0

    def __init__(self, kind):
        if kind == usocket.SOCK_STREAM:
            if _Socket.pcbs >= _TCP_PCBS:
                raise OSError(_ENOMEM)
            _Socket.pcbs += 1
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
        if self._state in (_FAILED, _CLOSED):  # modlwip writes through a pointer that is null, and the chip starts again
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
        event = 0
        for _, event in self._events.poll(0):
            pass
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
        """Nothing is not passed on to the socket."""
        data = memoryview(_buffer(data))
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
            sleep_ms(_MEM_PAUSE_MS)  # also when the socket does not block
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
                    _Socket.pcbs -= 1
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


def socket(family=usocket.AF_INET, kind=usocket.SOCK_STREAM, protocol=0):
    return _Socket(kind)


# time


def sleep_ms(ms):
    sleep_us(ms * 1000)


def sleep(seconds):
    sleep_us(int(seconds * 1000000))


def sleep_us(us):
    end = ticks_add(ticks_ms(), us // 1000)
    service()
    while (left := ticks_diff(end, ticks_ms())) > 0:
        service(left)
    _sleep_us(us % 1000)


# micropython


def alloc_emergency_exception_buf(size):
    pass


# network.STA_IF and so on, machine.*_RESET, esp.SLEEP_*, select.POLL*
names = {
    "STA_IF": 0, "AP_IF": 1, "SLEEP_NONE": 0, "STAT_IDLE": 0, "STAT_CONNECTING": 1,
    "STAT_WRONG_PASSWORD": 2, "STAT_NO_AP_FOUND": 3, "STAT_CONNECT_FAIL": 4, "STAT_GOT_IP": 5,
    "PWRON_RESET": 0, "WDT_RESET": 1, "SOFT_RESET": 4, "HARD_RESET": 6,
    "SLEEP_LIGHT": 1, "SLEEP_MODEM": 2,
    "IPPROTO_TCP": 6, "TCP_NODELAY": _TCP_NODELAY,
    "POLLERR": uselect.POLLERR, "POLLHUP": uselect.POLLHUP,
    "init": i2c_init,
}  # fmt: skip
for _name, _thing in globals().items():
    if callable(_thing) and _name[0] != "_":
        names.setdefault(_name, _thing)
for _name in ("AF_INET", "SOCK_STREAM", "SOCK_DGRAM", "SOL_SOCKET", "SO_REUSEADDR"):
    names[_name] = getattr(usocket, _name)
