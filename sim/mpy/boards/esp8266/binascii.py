"""`binascii` of the ESP8266: it has no crc32 (MICROPY_PY_BINASCII_CRC32 is 0)."""

from ubinascii import a2b_base64, b2a_base64, hexlify, unhexlify
