"""The message of channel 5, with which a client passes the bridge's newest REPORT on to the server: docs/protocol.md
section 4. It goes without qos: a report that is lost is followed by a newer one."""

from struct import pack, unpack_from

from protocol import const

BRIDGE_CHANNEL = const(5)

_FORM = const(1)
_LAYOUT = ">BIIIIBBBb"
_BYTES = const(21)


def encode_bridge_report(connections, number, free, fallbacks, release, rssi_dbm):
    """Args: as of REPORT (control.py); release: (major, minor, patch), (0, 0, 0): not known; rssi_dbm: -127..-1, or 0:
    not known."""
    return pack(_LAYOUT, _FORM, connections, number, free, fallbacks, *release, rssi_dbm)


def decode_bridge_report(data):
    """Returns (connections, number, free, fallbacks, release, rssi_dbm), or None if this is none that we know."""
    if len(data) < _BYTES or data[0] != _FORM:  # a later release may add bytes
        return None
    _, connections, number, free, fallbacks, major, minor, patch, rssi_dbm = unpack_from(_LAYOUT, data)
    return connections, number, free, fallbacks, (major, minor, patch), rssi_dbm
