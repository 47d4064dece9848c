"""What a board does with modules that it loads when they are needed: if they are to go again; if memory has run out."""

import sys

if sys.implementation.name == "micropython":

    def forget(name):
        """Have a module of this package loaded anew when it is imported again: until then its memory is free."""
        if sys.modules.pop("sensor_bus." + name, None):
            delattr(sys.modules["sensor_bus"], name)

    def half_loaded(name):
        """To be called when memory has run out in the import of a module of this package: MicroPython 1.25 leaves its
        name, or that of one that it imports, without a module, and crashes when that is imported again (py/objmodule.c,
        mp_obj_new_module)."""
        sys.modules.pop("sensor_bus." + name, None)
        for name in sys.modules:
            if sys.modules.get(name) is None:
                sys.modules.pop(name, None)
                break

else:

    def forget(name):
        pass

    half_loaded = forget
