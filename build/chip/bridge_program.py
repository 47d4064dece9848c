"""A program for the emulated ESP8266: a bridge, which is esp_link.main itself, and its environment.

    ENVIRONMENT.romfs ROMFS|- BYTES-OF-HEAP bridge_program up|down|both|heap FRAME-BYTES FRAMES

The client's mailbox is on the bus, and the socket's other end takes and gives frames without a wait (bridge_world.py).
It is not counted, and has a heap of its own (lx106_c/border.c). Prints `name value` lines.
"""

import sys

import border
import vfs

_MODE = sys.argv[1]
_SECTOR = 4096  # bytes, of the flash
_END = 20480  # bytes at the end of the flash, which are the SDK's


def make_file_system():
    """Write an empty littlefs to the flash, as `make firmware` gives it to the chip."""
    import esp

    start = esp.flash_user_start()

    class Blocks:
        def readblocks(self, n, buf, offset=0):
            esp.flash_read(start + n * _SECTOR + offset, buf)

        def writeblocks(self, n, buf, offset=0):
            esp.flash_write(start + n * _SECTOR + offset, buf)

        def ioctl(self, op, arg):
            if op == 4:  # MP_BLOCKDEV_IOCTL_BLOCK_COUNT
                return (esp.flash_size() - _END - start) // _SECTOR
            if op == 6:  # MP_BLOCKDEV_IOCTL_BLOCK_ERASE
                esp.flash_erase(start // _SECTOR + arg)
            return _SECTOR if op == 5 else 0  # MP_BLOCKDEV_IOCTL_BLOCK_SIZE

    vfs.VfsLfs2.mkfs(Blocks())


def start():
    """The device: the frozen _boot.py, which mounts the file system, and the bridge."""
    border.outside(lambda: print("empty", border.free()))
    import _boot  # noqa: F401

    border.outside(lambda: print("booted", border.free()))
    if _MODE != "heap":
        from asyncio.core import IOQueue

        wait = IOQueue.wait_io_event

        def watched(self, ms):
            border.mark()
            wait(self, ms)
            border.mark()

        IOQueue.wait_io_event = watched
        border.mark()
    import esp_link.main  # noqa: F401


def load_world():
    """Load the environment when the bridge runs: names that both have are on the device's heap by then."""
    print("imported", border.free())
    import bridge_world  # noqa: F401


make_file_system()
border.loader(load_world)
border.device(start)
