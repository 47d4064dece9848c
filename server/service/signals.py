"""Signals, where there are any: Windows has few, and its loops take none."""

import signal


def on_signal(loop, name, callback):
    """Has callback() called in the loop when the process gets a signal, such as "SIGTERM". Where there is no such
    signal, nothing happens."""
    number = getattr(signal, name, None)
    if number is None:
        return
    try:
        loop.add_signal_handler(number, callback)
    except NotImplementedError:  # the loops of Windows
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(callback))
