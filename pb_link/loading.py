"""Modules that are loaded when they are needed: those that are not to stay in memory, and what memory that runs out in
an import leaves behind."""

import sys


def half_loaded(name):
    """To be called when memory has run out in an import: MicroPython 1.25 leaves the name of the module, or of one that
    it imports, without a module, and crashes when it is imported again (py/objmodule.c, mp_obj_new_module)."""
    if sys.implementation.name == "micropython":
        sys.modules.pop(name, None)
        for name in sys.modules:
            if sys.modules.get(name) is None:
                sys.modules.pop(name, None)
                break


def forget(name):
    """In MicroPython, have a module loaded anew when it is imported again: its memory is free once nobody uses it. In
    CPython nothing."""
    if sys.implementation.name == "micropython" and sys.modules.pop(name, None):
        package, leaf = name.rsplit(".", 1)
        delattr(sys.modules[package], leaf)


def opening_class():
    """Returns the class Opening. Only a connection's handshake needs its modules. Raises: MemoryError; the next call
    may succeed."""
    try:
        from pb_link.connection import Opening

        forget("protocol.handshake")
        forget("pb_link.connection")
        return Opening
    except MemoryError:
        half_loaded("protocol.handshake")
        half_loaded("pb_link.connection")
        raise
