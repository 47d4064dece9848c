"""The rest of the ESP8266's stand-ins, loaded by simchip.py when one of these names is asked for."""

import simchip
import uselect
import usocket
from simlink import call, service, wait
from utime import sleep_us as _sleep_us

_STATION_CONFIG = 97  # ssid, password, NUL: sim/mpy/esp8266.py


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


def _buffer(data):
    return data.encode() if isinstance(data, str) else data


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


# esp


def sleep_type(kind=0):
    return 0


def osdebug(level):
    pass


# socket


def getaddrinfo(*arguments):
    from simlwip import getaddrinfo

    return getaddrinfo(*arguments)


def socket(family=usocket.AF_INET, kind=usocket.SOCK_STREAM, protocol=0):
    from simlwip import Socket

    return Socket(kind)


# time


def sleep_ms(ms):
    sleep_us(ms * 1000)


def sleep(seconds):
    sleep_us(int(seconds * 1000000))


def sleep_us(us):
    wait(us // 1000)
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
    "IPPROTO_TCP": 6, "TCP_NODELAY": 0x40,
    "POLLERR": uselect.POLLERR, "POLLHUP": uselect.POLLHUP,
}  # fmt: skip
for _name, _thing in globals().items():
    if callable(_thing) and _name[0] != "_":
        names.setdefault(_name, _thing)
for _name in ("AF_INET", "SOCK_STREAM", "SOCK_DGRAM", "SOL_SOCKET", "SO_REUSEADDR"):
    names[_name] = getattr(usocket, _name)
