"""A program for the emulated ESP8266: a bridge, which is esp_link.main itself, and its environment.

    ENVIRONMENT.romfs ROMFS|- BYTES-OF-HEAP bridge_program up|down|both|heap FRAME-BYTES FRAMES

The client's mailbox is on the bus, and the socket's other end takes and gives frames without a wait (bridge_world.py).
It is not counted, and has a heap of its own (lx106_c/border.c). Prints `name value` lines.
"""

import sys

import border
import vfs

_MODE = sys.argv[1]
_BLOCK = 4096  # bytes, of the flash
_BLOCKS = 8


class Flash:
    """The block device of the chip's file system, in the environment's memory."""

    def __init__(self):
        self._memory = bytearray(b"\xff" * (_BLOCK * _BLOCKS))

    def readblocks(self, n, buf, offset=0):
        at = n * _BLOCK + offset
        buf[:] = memoryview(self._memory)[at : at + len(buf)]

    def writeblocks(self, n, buf, offset=0):
        at = n * _BLOCK + offset
        self._memory[at : at + len(buf)] = buf

    def ioctl(self, op, arg):
        return {4: _BLOCKS, 5: _BLOCK}.get(op, 0)


def start():
    """The device, as the chip's _boot.py leaves it, and its main.py. The bridge's modules come first: names that they
    share with the environment are on the device's heap, as on the chip."""
    import gc

    gc.threshold((gc.mem_free() + gc.mem_alloc()) // 4)
    border.outside(print_free)
    import vfs

    vfs.mount(flash, "/")  # littlefs
    gc.collect()
    import esp_link.bridge
    import esp_link.tcp
    import esp_link.wifi  # noqa: F401

    border.outside(load_world)
    if _MODE != "heap":

        class Watched(esp_link.bridge.Bridge):
            def _serve(self):
                border.mark()
                again = super()._serve()
                border.mark()
                return again

        esp_link.bridge.Bridge = Watched
    import esp_link.main  # noqa: F401


def load_world():
    import bridge_world  # noqa: F401


def print_free():
    print("empty", border.free())


flash = Flash()
vfs.VfsLfs2.mkfs(flash)
border.device(start)
