"""The client's half of `control.py`: apart, because the bridge counts bytes of heap."""

from struct import unpack_from

from protocol.control import REPORT_BYTES


def decode_report(data):
    """[connections, report number, free bytes, fallbacks], or None if malformed."""
    if len(data) != REPORT_BYTES:
        return None
    return list(unpack_from(">IIII", data, 1))
