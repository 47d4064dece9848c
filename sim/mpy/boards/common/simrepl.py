"""The REPL of a board whose program has ended, for a terminal that `os.dupterm` has doubled.

A line at a time, echoed; no blocks of several lines, no history, no raw mode. Ctrl-D on an empty line ends it.
"""

import io
import os
import sys
import time


def run(names):
    """Reads, evaluates and prints until the terminal goes away."""
    os.show("\nMicroPython (simulated board)\n")
    while (line := _read_line(">>> ")) is not None:
        try:
            _execute(line, names)
        except SystemExit:
            return
        except Exception as exception:
            text = io.StringIO()
            sys.print_exception(exception, text)
            os.show(text.getvalue())


def _execute(line, names):
    if not line.strip():
        return
    try:
        code = compile(line, "<stdin>", "eval")
    except SyntaxError:
        exec(compile(line, "<stdin>", "exec"), names)
        return
    value = eval(code, names)
    if value is not None:
        print(repr(value))


def _read_line(prompt):
    """A line without its end, or None when the terminal has gone, or at Ctrl-D."""
    os.show(prompt)
    line = ""
    buf = bytearray(1)
    while os.terminal is not None:
        n = os.terminal.readinto(buf)
        if n is None:
            time.sleep_ms(1)  # here interrupts come in
            continue
        if n == 0 or buf[0] == 4 and not line:
            return None
        key = chr(buf[0])
        if key == "\r":
            os.show("\n")
            return line
        if key in "\b\x7f":
            if line:
                line = line[:-1]
                os.show("\b \b")
        elif key >= " ":
            line += key
            os.show(key)
    return None
