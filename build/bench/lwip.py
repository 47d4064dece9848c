"""For MicroPython on Linux: import it before esp_link, which then finds the names of the chip's module `socket`."""

import sys


class Lwip:
    """The names of `socket` that the bridge's uplink uses; the socket itself is the benchmark's."""

    IPPROTO_TCP = 6
    TCP_NODELAY = 0x40


sys.modules["socket"] = Lwip
