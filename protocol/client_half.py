"""The client's half of `mailbox.py` and `control.py`: what the bridge, which counts bytes of heap, never does."""

from struct import pack, unpack_from

from protocol.control import CONFIG, REPORT_BYTES
from protocol.mailbox import ACK_BYTES, LAYOUT_VERSION, SYNC_BYTES, SYNC_SEED, ack_seed, cell_ok
from protocol.serial import get16


def decode_sync(buf, at=0):
    """(bridge life, client life, longest payload), or None."""
    if buf[at] != LAYOUT_VERSION or not cell_ok(SYNC_SEED, buf, at, SYNC_BYTES):
        return None
    return get16(buf, at + 2), get16(buf, at + 4), get16(buf, at + 6)


def decode_ack(buf, at, lives):
    """The next number, or None."""
    return buf[at] if cell_ok(ack_seed(lives), buf, at, ACK_BYTES) else None


def _text(text):
    data = text.encode()
    return bytes((len(data),)) + data


def encode_config(port, server, timeout_ms, report_s, ssid, password):
    """One CONFIG record. server, ssid, password: str of at most 255 bytes each."""
    head = pack(">BHII", CONFIG, port, timeout_ms, report_s)
    return head + _text(server) + _text(ssid) + _text(password)


def decode_report(data):
    """[connections, report number, free bytes], or None if malformed."""
    if len(data) != REPORT_BYTES:
        return None
    return list(unpack_from(">III", data, 1))
