"""What a call returns to be awaited when there is nothing to wait for."""

try:
    from asyncio import core  # noqa: F401 - MicroPython's

    async def _nothing():
        pass

    # A coroutine that has ended: whoever awaits it goes on at once, as often as it is awaited, also in a task of its
    # own. To MicroPython it is an optimised `raise StopIteration(None)` (py/objgenerator.c, mp_obj_gen_resume).
    _ended = _nothing()
    tuple(_ended)

    def finished():
        """Returns a coroutine that returns None at once. Allocates nothing."""
        return _ended

except ImportError:  # CPython, where a coroutine may be awaited once

    async def finished():
        pass
