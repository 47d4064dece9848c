"""`network` of the ESP8266: the station interface asks the wire process, the access point is only switched."""

from simlink import call

STA_IF = 0
AP_IF = 1
STAT_IDLE = 0
STAT_CONNECTING = 1
STAT_WRONG_PASSWORD = 2
STAT_NO_AP_FOUND = 3
STAT_CONNECT_FAIL = 4
STAT_GOT_IP = 5

# Requests: 0 active, 1 connect, 2 disconnect, 3 status, 4 address
_WLAN = 15


class WLAN:
    IF_STA = 0
    IF_AP = 1

    def __init__(self, interface=0):
        if interface not in (0, 1):
            raise ValueError
        self._interface = interface

    def _ask(self, request, flag=0, data=None, into=None):
        return call(_WLAN, self._interface, request, flag, data=data, into=into)

    def active(self, *on):
        if on:
            self._ask(0, 2 if on[0] else 1)
        else:
            return bool(self._ask(0))

    def connect(self, ssid=None, key=None, *, bssid=None):
        self._station()
        self._ask(1, 0 if ssid is None else 1, b"" if ssid is None else ("%s\0%s" % (ssid, key or "")).encode())

    def disconnect(self):
        self._station()
        self._ask(2)

    def isconnected(self):
        return self._interface == 0 and self._ask(3) == STAT_GOT_IP

    def status(self, *what):
        if what:
            if what[0] != "rssi":
                raise ValueError("unknown status param")
            return -60
        return self._ask(3) if self._interface == 0 else -1

    def ifconfig(self, *_):
        if self.isconnected():
            return ("192.168.4.2", "255.255.255.0", "192.168.4.1", "192.168.4.1")
        return ("0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0")

    def config(self, *what, **_):
        if what:
            if what[0] != "mac":
                raise ValueError("unknown config param")
            return b"\x5c\xcf\x7f\x66\x82\x5e"

    def _station(self):
        if self._interface:
            raise OSError("STA required")
