"""Asks the name server for the address of a host: RFC 1035, one question over UDP, without blocking.

Loaded by program.py when `tcp.connect` is given a name. MicroPython's getaddrinfo waits up to 7 s for an answer, in
which nothing else runs, and the watchdog resets the ESP8266 after 1.6 to 3.2 s. A forged address is no danger to the
session.
"""

import os
import socket

from protocol import const

_PORT = const(53)
# So often is asked, and so long an answer waited for: together less than an attempt to connect may take.
_ASKED = const(3)
_ANSWER_MS = const(2000)
_POLL_MS = const(10)
# The longest answer over UDP.
_ANSWER_BYTES = const(512)
_HEADER = const(12)
# The first argument of what is raised: codes of BAD_SERVER, docs/protocol.md section 7.
_W_NO_NAME_SERVER = const(3)
_W_NO_HOST = const(4)


async def resolve(name, sleep_ms):
    """The IPv4 address of a host, str. Raises: OSError with a code and words. sleep_ms: that of primitives.platform."""
    import network  # here, since only boards have it

    query = encode_query(os.urandom(2), name)
    server = network.WLAN(network.STA_IF).ifconfig()[3]
    if server == "0.0.0.0":
        raise OSError(_W_NO_NAME_SERVER, "no name server is known")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        buf = bytearray(_ANSWER_BYTES)
        for _ in range(_ASKED):
            sock.sendto(query, (server, _PORT))
            for _ in range(_ANSWER_MS // _POLL_MS):
                await sleep_ms(_POLL_MS)
                n = sock.readinto(buf)
                if n and is_answer(buf, n, query):
                    return decode_address(buf, n, len(query))
    finally:
        sock.close()
    raise OSError(_W_NO_NAME_SERVER, "no name server answers")


def encode_query(number, name):
    """The question for the IPv4 address of a host. number: 2 bytes. Raises: OSError if it is no name of a host."""
    query = number + b"\1\0\0\1\0\0\0\0\0\0"
    for label in name.encode().split(b"."):
        if not 0 < len(label) < 64:
            raise OSError(_W_NO_HOST, "no name of a host")
        query += bytes((len(label),)) + label
    if len(query) > _HEADER + 254:
        raise OSError(_W_NO_HOST, "no name of a host")
    return query + b"\0\0\1\0\1"


def is_answer(buf, n, query):
    """True if buf[:n] is a response to the query."""
    size = len(query)
    return n >= size and buf[:2] == query[:2] and buf[2] & 0x80 != 0 and buf[_HEADER:size] == query[_HEADER:]


def decode_address(buf, n, at):
    """The first IPv4 address among the answers in buf[at:n]. Raises: OSError if there is none."""
    if buf[3] & 15 == 0:
        for _ in range(buf[6] << 8 | buf[7]):
            while at < n and 0 < buf[at] < 0xC0:  # labels, up to an empty one or a pointer
                at += 1 + buf[at]
            at += 1 if at < n and not buf[at] else 2
            if at + 10 > n:
                break
            size = buf[at + 8] << 8 | buf[at + 9]
            if buf[at : at + 4] == b"\0\1\0\1" and size == 4 and at + 14 <= n:
                return "%d.%d.%d.%d" % tuple(buf[at + 10 : at + 14])
            at += 10 + size
    raise OSError(_W_NO_HOST, "the name server knows no such host")
