"""Names of the chip's module `socket` for MicroPython on Linux: to be imported before esp_link."""

import sys


class Lwip:
    """The names of `socket` that the bridge's uplink uses; the socket itself is the benchmark's."""

    IPPROTO_TCP = 6
    TCP_NODELAY = 0x40


sys.modules["socket"] = Lwip
