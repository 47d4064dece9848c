"""Pairs of surrogates, as MicroPython's json.loads leaves them in a text. Loaded when there is one: see `text.py`."""


def joined(data):
    """Return the bytes with pairs of surrogates, of three bytes each, joined."""
    whole = bytearray()
    start = 0
    at = data.find(b"\xed")
    while at >= 0:
        pair = data[at : at + 6]
        if len(pair) == 6 and pair[3] == 0xED and 0xA0 <= pair[1] < 0xB0 <= pair[4]:
            whole.extend(data[start:at])
            high = (pair[1] & 0x0F) << 6 | pair[2] & 0x3F
            low = (pair[4] & 0x0F) << 6 | pair[5] & 0x3F
            whole.extend(chr(0x10000 + (high << 10 | low)).encode())
            start = at + 6
        at = data.find(b"\xed", max(at + 1, start))
    whole.extend(data[start:])
    return bytes(whole)
