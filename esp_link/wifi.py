"""Wi-Fi: joins the stored network first, then the configured one."""

from esp_link.limits import WIFI_IDLE_MS, WIFI_JOIN_MS, WIFI_POLL_MS
from primitives.platform import sleep_ms
from primitives.timeout import Timeout


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
        limit = Timeout(WIFI_JOIN_MS)
        idle = Timeout(WIFI_IDLE_MS)
        while not limit.expired():
            await sleep_ms(WIFI_POLL_MS)
            if self.up():
                return True
            status = self._wlan.status()
            if status != self._joining and (status != self._idle or idle.expired()):
                return False
        return False
