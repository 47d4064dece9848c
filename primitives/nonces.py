"""Numbers that no other epoch and no other connection has had: nonces, epochs.

They must differ, also where the generator of random bytes repeats after each
boot: else what was recorded of one epoch can be played to another one, and a
new epoch passes for an old one. So each is made of random bytes, the present
moment, what the caller has, and all numbers before; see `docs/protocol.md`
section 5.
"""

import os
from struct import pack

try:
    from time import ticks_cpu, ticks_us, time

    def moment():
        """The date, where a clock goes on without power, and the time since the boot in us and in cycles."""
        return pack(">III", int(time()) & 0xFFFFFFFF, ticks_us() & 0xFFFFFFFF, ticks_cpu() & 0xFFFFFFFF)

except ImportError:  # CPython
    from time import perf_counter_ns, time_ns

    def moment():
        return pack(">QQ", time_ns(), perf_counter_ns())


class Nonces:
    """The source of the nonces and epochs of one end.

    Args: digest: function (key, *parts) -> 32 bytes; key: its first argument, that nobody else has.
    """

    def __init__(self, digest, key):
        self._digest = digest
        self._key = key
        self._last = b""

    def draw(self, count, more=b""):
        """Return count bytes, at most 32. more: bytes that may differ from those of another epoch."""
        self._last = self._digest(self._key, b"pb_link nonce", self._last, os.urandom(16), moment(), more)
        return self._last[:count]
