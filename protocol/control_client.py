"""The client's half of `control.py`: apart, because the bridge counts bytes of heap."""

from struct import pack, unpack_from

from protocol.control import REPORT_BYTES
from protocol.text import encode_text

CONFIG = 0x01


def _text(text):
    data = encode_text(text)
    return bytes((len(data),)) + data


def encode_config(port, server, timeout_ms, report_s, ssid, password):
    """One CONFIG record. server, ssid, password: str of at most 255 bytes each."""
    head = pack(">BHII", CONFIG, port, timeout_ms, report_s)
    return head + _text(server) + _text(ssid) + _text(password)


def decode_report(data):
    """[connections, report number, free bytes, fallbacks], or None if malformed."""
    if len(data) != REPORT_BYTES:
        return None
    return list(unpack_from(">IIII", data, 1))
