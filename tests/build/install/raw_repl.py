"""MicroPython's raw REPL, for the unix port, which has none: what mpremote speaks to a board. Run by MicroPython, with
a pseudo-terminal as stdin and stdout. Arguments, if any: the release that it gives as its own, major and minor.
Source: MicroPython, docs/reference/repl.rst.
"""

import io
import sys

BREAK, START, END, PASTE = 0x03, 0x01, 0x04, 0x05
BANNER = "raw REPL; CTRL-B to exit\r\n>"


WINDOW = "\x00\x7f"  # bytes that may be sent ahead, low byte first: more than any command has, so none is granted later


def read_code():
    """(code, how the answer begins): what is sent until Ctrl-D. None on Ctrl-A or Ctrl-C, which begin anew."""
    code = bytearray()
    answer = "OK"
    while True:
        byte = sys.stdin.buffer.read(1)[0]
        if byte == END:
            return str(code, "utf-8"), answer
        if byte == PASTE:
            sys.stdin.buffer.read(2)  # A and 0x01
            sys.stdout.write("R\x01" + WINDOW)
            answer = "\x04"
        elif byte in (START, BREAK):
            if byte == START:
                sys.stdout.write(BANNER)
            return None
        else:
            code.append(byte)


class OtherRelease:
    """The module sys, with another release."""

    class implementation:
        name = "micropython"
        version = tuple(int(word) for word in sys.argv[1:]) + (0,)

    def __getattr__(self, name):
        return getattr(sys, name)


def serve():
    scope = {"__name__": "__main__"}
    while True:
        received = read_code()
        if received is None:
            continue
        code, answer = received
        if not code.strip():
            sys.stdout.write("OK\r\nMPY: soft reboot\r\n" + BANNER)
            scope = {"__name__": "__main__"}
            continue
        sys.stdout.write(answer)
        error = io.StringIO()
        try:
            exec(code, scope)
        except Exception as exception:
            sys.print_exception(exception, error)
        sys.stdout.write("\x04" + error.getvalue() + "\x04>")


if len(sys.argv) > 1:
    sys.modules["sys"] = OtherRelease()
serve()
