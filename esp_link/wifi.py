"""Wi-Fi: joins the stored network first, then the configured one."""

from primitives.platform import sleep_ms
from primitives.timeout import Timeout

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


# One attempt to join, and how often it is looked at.
_JOIN_MS = const(15000)
_POLL_MS = const(100)
# An attempt that has not begun by then will not: nothing is stored.
_IDLE_MS = const(1000)


class Wifi:
    """Args:
    wlan: network.WLAN(STA_IF), active.
    idle, joining: the values of wlan.status() before and during an attempt;
        any other than these, without a connection, is a failure.
    """

    def __init__(self, wlan, idle, joining):
        self._wlan = wlan
        self._idle = idle
        self._joining = joining

    def up(self):
        return self._wlan.isconnected()

    async def join(self, ssid, password):
        """Try the stored credentials, then ssid and password unless ssid is empty.

        Returns: True when the network is joined.
        """
        if self.up():
            return True
        if self._wlan.status() != self._joining:  # the chip tries by itself after boot
            self._connect()
        if await self._joined():
            return True
        if not ssid:
            return False
        self._connect(ssid, password)
        return await self._joined()

    def _connect(self, *credentials):
        self._wlan.disconnect()
        try:
            self._wlan.connect(*credentials)
        except OSError:
            pass  # no stored credentials, say: `_joined` sees that nothing happens

    async def _joined(self):
        limit = Timeout(_JOIN_MS)
        idle = Timeout(_IDLE_MS)
        while not limit.expired():
            await sleep_ms(_POLL_MS)
            if self.up():
                return True
            status = self._wlan.status()
            if status != self._joining and (status != self._idle or idle.expired()):
                return False
        return False
