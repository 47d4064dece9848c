"""Python's garbage collector, set for a server: many objects that live long, and few cycles.

By default it looks at the youngest objects after every 700 new ones, and now and then at all. While 1,000 clients
connect that took a fifth of the server's time. What is there at the start is never looked at.
"""

import gc

_YOUNG = 20000  # new objects between two looks at them: some MB
_OLDER = 20  # such looks between two at older ones, and so on


def settle():
    """Call it when all has been imported, before the first connection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _OLDER, _OLDER)
