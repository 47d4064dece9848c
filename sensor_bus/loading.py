"""Modules that a board loads when they are needed, and those that go again.

Their names are texts here, and not in import statements: each of these would have a name more, a tuple and a handler.
"""

import sys

if sys.implementation.name == "micropython":

    def load(name):
        """Returns a module of this package, which is imported if it is not there. Raises: MemoryError.

        MicroPython 1.25 leaves the name of a module whose import has no memory, or that of one that it imports, without
        a module, and crashes when that is imported again (py/objmodule.c, mp_obj_new_module). So it is taken out."""
        modules = sys.modules
        try:
            __import__("sensor_bus." + name)
        except MemoryError:
            modules.pop("sensor_bus." + name, None)
            for name in modules:
                if modules.get(name) is None:
                    modules.pop(name, None)
                    break
            raise
        return modules["sensor_bus." + name]

    def forget(name):
        """Have a module of this package loaded anew when it is imported again: until then its memory is free."""
        if sys.modules.pop("sensor_bus." + name, None):
            delattr(sys.modules["sensor_bus"], name)

else:
    from importlib import import_module

    def load(name):
        return import_module("." + name, __package__)

    def forget(name):
        pass
