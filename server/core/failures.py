"""What a log says about an exception: where the user's code raised it, and its traceback. Under both interpreters."""

import io
import sys

# Folders of this project beside this one. Their code is not the user's.
_OWN = ("server", "protocol", "primitives", "pb_link")


def where(error):
    """Returns FILE:LINE of the innermost frame that is neither in this project nor in a library.

    If there is no such frame, it is the innermost of all. None under MicroPython, which does not provide it.
    """
    innermost = users = None
    for file, line in _frames(error):
        innermost = "%s:%d" % (file, line)
        if not _is_library(file):
            users = innermost
    return users or innermost


def in_users_code(error):
    """Returns True if the exception came out of a file that is neither in this project nor in a library."""
    return any(not _is_library(file) for file, _ in _frames(error))


def _frames(error):
    entry = getattr(error, "__traceback__", None)
    while entry is not None:
        yield entry.tb_frame.f_code.co_filename, entry.tb_lineno
        entry = entry.tb_next


def traceback_text(error):
    """Returns the traceback of an exception, as the interpreter prints it."""
    if hasattr(sys, "print_exception"):  # MicroPython
        text = io.StringIO()
        sys.print_exception(error, text)
        return text.getvalue()
    from traceback import format_exception

    try:
        return "".join(format_exception(error))
    except Exception:  # the exception's own methods are foreign code
        return type(error).__name__ + "\n"


def _is_library(file):
    """True for a file of Python, of an installed package or of this project. Only called under CPython."""
    import os

    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    folders = [os.path.dirname(os.__file__)] + [os.path.join(root, name) for name in _OWN]
    path = os.path.abspath(file)
    if file.startswith("<frozen ") or any(part in path for part in ("/site-packages/", "/dist-packages/")):
        return True
    return any(path.startswith(folder + os.sep) for folder in folders)
