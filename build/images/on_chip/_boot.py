# Run first at each boot, in place of the port's own: mounts the file system, and makes it if there is none.
import gc

gc.threshold((gc.mem_free() + gc.mem_alloc()) // 4)
import vfs
from flashbdev import bdev

try:
    vfs.mount(bdev, "/")
except OSError:
    import inisetup

    inisetup.setup(bdev)

gc.collect()
