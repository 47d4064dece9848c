"""MicroPython's raw REPL, for the unix port, which has none: what mpremote speaks to a board. Run by MicroPython, with
a pseudo-terminal as stdin and stdout. Source: MicroPython, docs/reference/repl.rst.
"""

import io
import sys

BREAK, START, END, PASTE = 0x03, 0x01, 0x04, 0x05
BANNER = "raw REPL; CTRL-B to exit\r\n>"


def read_code():
    """What is sent until Ctrl-D. None on Ctrl-A or Ctrl-C, which begin anew; paste mode is declined."""
    code = bytearray()
    while True:
        byte = sys.stdin.buffer.read(1)[0]
        if byte == END:
            return str(code, "utf-8")
        if byte == PASTE:
            sys.stdin.buffer.read(2)  # A and 0x01
            sys.stdout.write("R\x00")
        elif byte in (START, BREAK):
            if byte == START:
                sys.stdout.write(BANNER)
            return None
        else:
            code.append(byte)


def serve():
    scope = {"__name__": "__main__"}
    while True:
        code = read_code()
        if code is None:
            continue
        if not code.strip():
            sys.stdout.write("OK\r\nMPY: soft reboot\r\n" + BANNER)
            scope = {"__name__": "__main__"}
            continue
        sys.stdout.write("OK")
        error = io.StringIO()
        try:
            exec(code, scope)
        except Exception as exception:
            sys.print_exception(exception, error)
        sys.stdout.write("\x04" + error.getvalue() + "\x04>")


serve()
