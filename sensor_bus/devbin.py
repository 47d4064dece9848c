"""Reads devbin. Its bytes stand in publish.py, which writes it."""

from struct import unpack_from

from protocol import const
from sensor_bus.publish import (
    DELETION_BIT,
    DEVICE_HEAD,
    ENVELOPE,
    HEAD,
    MAGIC,
    MAX_BUS,
    OFFLINE,
    ONLINE,
    ONLINE_BIT,
    PENDING_DELETION,
    SAMPLE_HEAD,
    STAMP,
)  # fmt: skip

_LEAST_RECORD = const(8)


def decode_devbin(data):
    """Returns (topic, sequence, [(bus, address, type, status, device sequence, [(stamp, bytes)])]).

    Raises: ValueError: it is no devbin of this version; the text names the byte."""
    if len(data) < ENVELOPE or data[0] != MAGIC:
        raise ValueError("devbin begins with 0x%02x and has %d bytes at least" % (MAGIC, ENVELOPE))
    devices, at = [], ENVELOPE
    while at < len(data):
        if at + DEVICE_HEAD > len(data):
            raise ValueError("devbin at byte %d: a device's record is cut" % at)
        size, bits, address, number, sequence = unpack_from(HEAD, data, at)
        end = at + 2 + size
        if size < _LEAST_RECORD or end > len(data):
            raise ValueError("devbin at byte %d: a device's record of %d bytes is cut" % (at, size))
        status = PENDING_DELETION if bits & DELETION_BIT else ONLINE if bits & ONLINE_BIT else OFFLINE
        at += DEVICE_HEAD
        samples = []
        while at < end:
            size = data[at]
            if size < STAMP or at + 1 + size > end:
                raise ValueError("devbin at byte %d: a sample of %d bytes is cut" % (at, size))
            samples.append((data[at + 1] << 8 | data[at + 2], bytes(data[at + SAMPLE_HEAD : at + 1 + size])))
            at += 1 + size
        devices.append((bits & MAX_BUS, address, number, status, sequence, samples))
    return data[1], data[2], devices
