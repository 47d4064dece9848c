# The file system of a chip that has none: littlefs, with the main.py that starts the bridge.
import vfs


def setup(bdev):
    print("esp_link: making the file system")
    vfs.VfsLfs2.mkfs(bdev)
    vfs.mount(vfs.VfsLfs2(bdev), "/")
    with open("main.py", "w") as file:
        file.write("import esp_link.main  # the bridge of pb_link, which is frozen: Ctrl-C ends it\n")
