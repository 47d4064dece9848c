"""Random bytes for the epoch of a device, or an error that says how to do without them."""

import os


def urandom(n):
    """Return n random bytes of os.urandom. Raises: RuntimeError where there is no generator."""
    if not hasattr(os, "urandom"):
        raise RuntimeError("this board has no os.urandom: a target can be given life= instead, new in each run")
    return os.urandom(n)
