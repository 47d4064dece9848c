"""Wi-Fi: joins the stored network first, then the configured one. Loaded by program.py for that.

The chip stores one network: that of the last `connect` with credentials, even if they are wrong. So there is no way
back from the configured network to the one that was stored before (ports/esp8266/network_wlan.c).
"""

from protocol import const

# One attempt to join, and how often it is looked at.
_JOIN_MS = const(15000)
_POLL_MS = const(100)
# An attempt that has not begun by then will not: nothing is stored.
_IDLE_MS = const(1000)
# Of an ssid, at most (IEEE 802.11, 9.4.2.2).
_SSID_BYTES = const(32)


async def join(sleep_ms, wlan, idle, joining, ssid, password, leave):
    """Try the stored credentials, then ssid and password unless ssid is empty.

    Args:
    sleep_ms: primitives.platform.sleep_ms.
    wlan: network.WLAN(STA_IF), active.
    idle, joining: the values of wlan.status() before and during an attempt;
        any other than these, without a connection, is a failure.
    leave: try ssid and password also if another network is joined.

    Returns: 1: a network is joined; 2: one is, and it is not the configured one; below 0: none is, and this is
        -1 - wlan.status() as the last attempt left it.
    """
    there = 2 if ssid and not _stores(wlan, ssid) else 1
    configured = wlan.isconnected()  # the attempt is to join the configured network, else the stored one
    if configured:
        if there == 1 or not leave:
            return there
    elif wlan.status() != joining:  # the chip tries by itself after boot
        _connect(wlan)
    while True:  # twice at most
        if configured:
            _connect(wlan, ssid, password)
        for passed in range(0, _JOIN_MS, _POLL_MS):
            await sleep_ms(_POLL_MS)
            if wlan.isconnected():
                return 1 if configured else there
            status = wlan.status()
            if status != joining and (status != idle or passed >= _IDLE_MS):
                break
        if configured or not ssid:
            return -1 - status
        configured = True


def _stores(wlan, ssid):
    """True if the stored network, which is joined if any is, has this name."""
    try:
        stored = wlan.config("ssid").encode()
    except UnicodeError:
        return False  # not the configured one, which is UTF-8
    return stored[:_SSID_BYTES] == ssid.encode()[:_SSID_BYTES]  # behind 32 bytes the chip's driver reads on


def _connect(wlan, *credentials):
    wlan.disconnect()
    try:
        wlan.connect(*credentials)
    except OSError:
        pass  # no stored credentials, say: `join` sees that nothing happens
