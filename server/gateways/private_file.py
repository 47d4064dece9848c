"""Files that only their owner can read: keys of clients, users of the web page."""

import os
import tempfile


def write_private(path, text):
    """Replace the file as a whole, or not at all. Only its owner can read it. Raises: OSError."""
    folder = os.path.dirname(os.path.abspath(path))
    handle, name = tempfile.mkstemp(dir=folder, prefix=".pb_link-")  # readable by its owner alone
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
