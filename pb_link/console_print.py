"""What is printed where there is no os.dupterm: in CPython, and in MicroPython on a computer.

In CPython it is all that is written to sys.stdout and sys.stderr. In MicroPython it is what the function print and the
link's own reports of exceptions write; what a program gives to sys.print_exception or sys.stdout.write itself is not
seen.
"""

import builtins
import sys
from io import StringIO

from pb_link import runner

if sys.implementation.name == "micropython":

    class Printed:
        """What is printed goes to console.write as well, from `attach` to `detach`. Args: console: Console."""

        def __init__(self, console):
            self._write = console.write
            self._before = None  # (print, print_exception) as they were
            self._attached = None  # the same, as they are now

        def attach(self):
            """May be called twice. Raises: MemoryError."""
            if self._before is None:
                before = builtins.print, runner.print_exception
                self._attached = self._print, self._print_exception
                self._before = before
                builtins.print, runner.print_exception = self._attached

        def detach(self):
            if self._before is not None:
                builtins.print, runner.print_exception = self._before
                self._before = None

        def _print(self, *words, **how):
            self._before[0](*words, **how)
            if how.get("file") in (None, sys.stdout, sys.stderr):
                self._keep(self._before[0], words, how)

        def _print_exception(self, error):
            self._before[1](error)
            self._keep(self._before[1], (error,), None)

        def _keep(self, function, words, how):
            try:
                text = StringIO()
                if how is None:
                    function(*words, text)
                else:
                    how["file"] = text
                    function(*words, **how)
                self._write(text.getvalue().encode())
            except MemoryError:
                pass  # it has been printed: that it is not on the console as well is no error of who prints

else:

    class Printed:
        """As above."""

        def __init__(self, console):
            self._console = console
            self._tees = ()

        def attach(self):
            if not self._tees:
                self._tees = _Tee(sys.stdout, self._console), _Tee(sys.stderr, self._console)
                sys.stdout, sys.stderr = self._tees

        def detach(self):
            """Undo it, unless somebody has put another stream there since."""
            if self._tees:
                out, err = self._tees
                if sys.stdout is out:
                    sys.stdout = out.stream
                if sys.stderr is err:
                    sys.stderr = err.stream
                self._tees = ()

    class _Tee:
        """A stream that writes to the console as well."""

        def __init__(self, stream, console):
            self.stream = stream
            self._console = console

        def write(self, text):
            count = self.stream.write(text)
            self._console.write(text.encode("utf-8", "replace"))
            return count

        def __getattr__(self, name):
            return getattr(self.stream, name)
