"""`os` of a board: that of the interpreter, and a terminal that is doubled (`dupterm`), which the unix port has not.

What `print` prints goes to the terminal too; what the terminal's `write` does not take is lost, as on a board. When the
program has ended, a REPL reads from it (simrepl.py). Text that the interpreter prints by itself does not go there.
"""

import builtins

from uos import *

_print = print
terminal = None


def dupterm(stream, index=0):
    """Doubles the terminal to a stream, or to nothing. Returns the stream before."""
    global terminal
    if index:
        raise ValueError("invalid dupterm index")
    before, terminal = terminal, stream
    builtins.print = _print if stream is None else _print_both
    return before


def show(text):
    """Writes text to the doubled terminal. A stream that raises is not written to again."""
    if terminal is not None:
        try:
            terminal.write(text.replace("\n", "\r\n").encode())
        except Exception as exception:
            dupterm(None)
            _print("dupterm: Exception in write() method, deactivating:", repr(exception))


def _print_both(*values, sep=" ", end="\n", file=None):
    if file is not None:
        _print(*values, sep=sep, end=end, file=file)
    else:
        _print(*values, sep=sep, end=end)
        show(sep.join(str(value) for value in values) + end)
