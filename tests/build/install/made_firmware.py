"""A firmware that looks like MicroPython's own for the ESP8266."""

import hashlib
from struct import pack

from sim.mpy.boot_loader import checksum

BUILD = b"ESP8266_GENERIC-FLASH_2M_ROMFS"


def micropython(banner=b"MicroPython v1.25.0 on 2025-04-15", build=BUILD, size=40000):
    """A firmware of the right shape: header, one segment, its check, length, what the chip would map, MD5.
    Source: MicroPython, ports/esp8266/makeimg.py."""
    segment = (banner + b"\0" + build + b"\0").ljust(256, b"\0")
    head = pack("<BBBBI", 0xE9, 1, 0, 0, 0x40100000) + pack("<II", 0x40100000, len(segment)) + segment
    head += b"\0" * (15 - len(head) % 16) + bytes((checksum(segment),))
    head = head.ljust(0x9000 - 4, b"\xff") + pack("<I", size - 16)
    whole = (head + bytes(range(256)) * (size // 256 + 1))[: size - 16]
    return whole + hashlib.md5(whole[4:]).digest()
