"""Chooses how a playground is shown: in a terminal with keys, as lines of text, or as a trace."""

import sys

from sim.mpy.plain_view import PlainView
from sim.mpy.trace_view import TraceView


def view_of(options, clients):
    """Returns the view for this many clients. Args: options: `plain`, and perhaps `json` and `trace`."""
    if getattr(options, "trace", False):
        return TraceView(sys.stderr, clients > 1)
    if not options.plain and not getattr(options, "json", False):
        from sim.mpy import screen

        if screen.fits():
            return screen.screen()
    return PlainView(clients > 1)
