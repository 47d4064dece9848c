"""Control records, which client and bridge send each other in transfers of
kind CONTROL. They exist in the mailbox only; nothing from TCP becomes one.
docs/protocol.md section 7.

    CONFIG      client -> bridge   0  1  kind 01
                                   1  2  port of the server
                                   3  4  timeout of the server hop, ms
                                   7  4  seconds between reports, 0 for none
                                   11    server, ssid, password: each a length
                                         byte and UTF-8 bytes
    UP          bridge -> client   0  1  kind 02
                                   1  1  number of the new connection, 1..255
    DOWN        bridge -> client   0  1  kind 03
                                   1  1  number of the connection that ended
                                   2  1  why there was no session, or 0
    BAD_WIFI    bridge -> client   0  1  kind 04
                                   1  1  why, or 0
    BAD_SERVER  bridge -> client   0  1  kind 05
                                   1  1  why, or 0
    REPORT      bridge -> client   0  1  kind 06
                                   1  4  connections since the bridge started
                                   5  4  number of this report, from 0
                                   9  4  free heap, bytes
                                   13 4  fallbacks: looks by the clock that found
                                         what syn had not told of
    RELEASE     bridge -> client   0  1  kind 07
                                   1  3  release of the bridge's firmware
    SIGNAL      bridge -> client   0  1  kind 08, in front of REPORT
                                   1  1  strength of the Wi-Fi signal, dBm, signed

The last byte of DOWN, BAD_WIFI and BAD_SERVER may be absent, as it is from a
bridge of release 0.2. Its values are in `docs/protocol.md`, and here they have
no names, which would cost the bridge heap. Nor has SIGNAL one, which few
clients look at: a client ignores a kind that it does not know.

The Wi-Fi password travels in CONFIG, in clear, over the wires between the
two boards, and nowhere else.
"""

import struct

# CONFIG is in config_record.py.
UP = 0x02
DOWN = 0x03
BAD_WIFI = 0x04
BAD_SERVER = 0x05
REPORT = 0x06
RELEASE = 0x07

# What a bridge of this release says (protocol/version.py: without that module it has 0.2 KB more heap).
RELEASE_RECORD = b"\x07\x00\x02\x00"

REPORT_BYTES = 17


def decode_config(data):
    """(port, server, timeout_ms, report_s, ssid, password), or None if malformed."""
    at = 11  # where the texts begin
    if len(data) < at:
        return None
    _, port, timeout_ms, report_s = struct.unpack_from(">BHII", data, 0)
    texts = []
    for _ in range(3):
        if at >= len(data) or at + 1 + data[at] > len(data):
            return None
        try:
            texts.append(str(bytes(data[at + 1 : at + 1 + data[at]]), "utf-8"))
        except UnicodeError:
            return None
        at += 1 + data[at]
    if at != len(data):
        return None
    server, ssid, password = texts
    return port, server, timeout_ms, report_s, ssid, password


def encode_report_into(buf, at, connections, number, free, fallbacks):
    struct.pack_into(">BIIII", buf, at, REPORT, connections, number, free, fallbacks)
    return REPORT_BYTES
