"""stdout and stderr of the simulator, for a command that goes on until somebody ends it.

Many tasks and callbacks print. A failure to do so would end one of them alone, and what it shows.
"""

import contextlib
import os
import sys


class Output:
    """A file whose first OSError is passed to lost(error); from then on, what is written to it goes nowhere."""

    def __init__(self, file, lost):
        self._file = file
        self._lost = lost
        self._is_lost = False

    def write(self, text):
        with self._losing():
            self._file.write(text)
        return len(text)

    def flush(self):
        with self._losing():
            self._file.flush()

    def __getattr__(self, name):
        return getattr(self._file, name)

    @contextlib.contextmanager
    def _losing(self):
        try:
            yield
        except OSError as error:
            if self._is_lost:
                return
            self._is_lost = True
            with contextlib.suppress(OSError):  # a file without a descriptor
                leave(self._file.fileno())
            self._lost(error)


def leave(number):
    """Has what is written to a descriptor go nowhere: each write to it would raise, and the flush at the exit too."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)


def escape():
    """Has stdout and stderr show, as \\xe9 or \\u2192, the characters that their encoding lacks."""
    for file in (sys.stdout, sys.stderr):
        if hasattr(file, "reconfigure"):
            file.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def watched(lost):
    """Has the first OSError of stdout, and of stderr, passed to lost(error)."""
    with contextlib.ExitStack() as stack:
        if sys.stdout is not None:
            stack.enter_context(contextlib.redirect_stdout(Output(sys.stdout, lost)))
        if sys.stderr is not None:
            stack.enter_context(contextlib.redirect_stderr(Output(sys.stderr, lost)))
        yield
