"""Wi-Fi: joins the stored network first, then the configured one. Functions: a class costs the bridge heap."""

from primitives.platform import sleep_ms

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


async def join(wlan, idle, joining, ssid, password):
    """Try the stored credentials, then ssid and password unless ssid is empty.

    Args:
    wlan: network.WLAN(STA_IF), active.
    idle, joining: the values of wlan.status() before and during an attempt;
        any other than these, without a connection, is a failure.

    Returns: True when the network is joined.
    """
    if wlan.isconnected():
        return True
    if wlan.status() != joining:  # the chip tries by itself after boot
        _connect(wlan)
    if await _joined(wlan, idle, joining):
        return True
    if not ssid:
        return False
    _connect(wlan, ssid, password)
    return await _joined(wlan, idle, joining)


def _connect(wlan, *credentials):
    wlan.disconnect()
    try:
        wlan.connect(*credentials)
    except OSError:
        pass  # no stored credentials, say: `_joined` sees that nothing happens


async def _joined(wlan, idle, joining):
    for passed in range(0, _JOIN_MS, _POLL_MS):
        await sleep_ms(_POLL_MS)
        if wlan.isconnected():
            return True
        status = wlan.status()
        if status != joining and (status != idle or passed >= _IDLE_MS):
            return False
    return False
