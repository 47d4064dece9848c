"""CONFIG, a record of `control.py`: apart, because a client makes it once, at its start."""

from struct import pack

from protocol.text import encode_text

CONFIG = 0x01


def encode_config(port, server, timeout_ms, report_s, ssid, password):
    """One CONFIG record. server, ssid, password: str of at most 255 bytes each."""
    head = pack(">BHII", CONFIG, port, timeout_ms, report_s)
    return head + _text(server) + _text(ssid) + _text(password)


def _text(text):
    data = encode_text(text)
    return bytes((len(data),)) + data
