"""The operator's end of `pb-link console ID --repl`: a terminal in raw mode, joined with the server's admin socket."""

import codecs
import contextlib
import json
import os
import re
import select
import signal
import sys
import threading

from server.core.shown import harmless
from server.service.local_socket import connected

LEAVE = b"\x1d"  # Ctrl-]
_CHUNK = 1 << 12
# Bytes of requests for the server that it has not taken yet. Beyond that what is typed is dropped, with a note: the
# terminal is read on, so that Ctrl-] is seen behind a paste that the client does not take.
MAX_WAITING = 1 << 16

# Of what a client prints these may command the operator's terminal: an end of the line, what a prompt edits its line
# with, and sequences that move the cursor, erase and set colours. No other can: one that sets the clipboard or a
# title, has the terminal answer, or changes a mode would act on the operator, some of them after the session.
_KEPT = "\a\b\t\n\r"
_SEQUENCE = re.compile("\x1b\\[[0-9;]{0,24}[A-HJKPm]")
_BEGUN = re.compile("\x1b(\\[[0-9;]{0,24})?\\Z")  # one whose end is still to come


def run(path, client_id, in_file=0, out_file=1):
    """Pass on what is typed and what the client prints until Ctrl-] is typed. path: of the admin socket.

    Returns: exit status. Raises: ValueError: there is no terminal, no server, or no REPL for this client.
    """
    if not os.isatty(in_file):
        raise ValueError("--repl needs a terminal to type at")
    try:
        import termios  # noqa: F401
    except ImportError:
        raise ValueError("--repl needs a terminal of Unix: in Windows, run pb-link in WSL")
    try:
        sock = connected(path)
    except (ConnectionRefusedError, FileNotFoundError):
        raise ValueError(f"no server runs here: there is nobody at {path}") from None
    with sock:
        _ask(sock, {"do": "repl", "id": client_id})
        with _raw(in_file):
            hint = f"[the console of {harmless(client_id)}: Ctrl-] leaves, Ctrl-C interrupts its program]"
            _show(out_file, hint + "\r\n")
            return _Session(sock, in_file, out_file).run()


class Printed:
    """What a client prints, which comes in pieces, as it may be shown at a terminal."""

    def __init__(self):
        self._begun = ""  # of a sequence

    def shown(self, text):
        """Returns the text with its control characters as escapes, but for what _KEPT and _SEQUENCE take."""
        text = self._begun + text
        begun = _BEGUN.search(text)
        self._begun = begun.group() if begun else ""
        if begun:
            text = text[: begun.start()]
        found, at = [], 0
        for sequence in _SEQUENCE.finditer(text):
            found += harmless(text[at : sequence.start()], _KEPT), sequence.group()
            at = sequence.end()
        return "".join(found) + harmless(text[at:], _KEPT)


class _Session:
    def __init__(self, sock, in_file, out_file):
        self._sock = sock
        self._in_file = in_file
        self._out_file = out_file
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = b""  # of an answer
        self._waiting = b""  # for the server
        self._dropped = False  # since something could last be sent
        self._printed = Printed()

    def run(self):
        self._sock.setblocking(False)
        while True:
            wants = [self._sock] if self._waiting else []
            ready, writable, _ = select.select([self._sock, self._in_file], wants, [])
            if writable:
                self._send()
            if self._sock in ready and not self._take_answers():
                _show(self._out_file, "\r\n")
                raise ValueError("the server has ended")
            if self._in_file in ready and not self._take_typed():
                self._send()
                _show(self._out_file, "\r\n")
                return 0

    def _take_answers(self):
        """Returns False at the end."""
        data = self._sock.recv(_CHUNK)
        *lines, self._begun = (self._begun + data).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            if "error" in answer:
                _show(self._out_file, "\r\n")
                raise ValueError(answer["error"])
            if "text" in answer:
                _show(self._out_file, self._printed.shown(answer["text"]).replace("\n", "\r\n"))
            else:
                _show(self._out_file, f"\r\n[{harmless(answer['note'])}]\r\n")
        return bool(data)

    def _take_typed(self):
        """Returns False when the operator leaves, or has closed the terminal."""
        data = os.read(self._in_file, _CHUNK)
        typed = data.partition(LEAVE)[0]
        if typed:
            request = json.dumps({"input": self._decoder.decode(typed)}).encode() + b"\n"
            if len(self._waiting) + len(request) <= MAX_WAITING:
                self._waiting += request
            elif not self._dropped:
                self._dropped = True
                _show(self._out_file, "\r\n[the client takes no more: the rest of this is dropped]\r\n")
        return bool(data) and typed == data


    def _send(self):
        """Send what the server takes now."""
        try:
            sent = self._sock.send(self._waiting)
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):  # why is read next
            sent = len(self._waiting)
        self._waiting = self._waiting[sent:]
        self._dropped = self._dropped and bool(self._waiting)


def _ask(sock, request):
    with contextlib.suppress(BrokenPipeError):  # the server has ended, or has said why not: that is read next
        sock.sendall(json.dumps(request).encode() + b"\n")


def _show(file, text):
    data = text.encode(errors="replace")
    while data:
        data = data[os.write(file, data) :]


@contextlib.contextmanager
def _raw(file):
    """The terminal passes on each key in a `with` block, Ctrl-C too."""
    import termios
    import tty

    before = termios.tcgetattr(file)
    is_main = threading.current_thread() is threading.main_thread()  # the only one that may set a handler
    handler = signal.signal(signal.SIGTERM, _end) if is_main else None
    try:
        tty.setraw(file)
        yield
    finally:
        termios.tcsetattr(file, termios.TCSAFLUSH, before)  # what is typed, and not read, is not for a shell
        sys.stdout.flush()
        if is_main:
            signal.signal(signal.SIGTERM, handler)


def _end(number, frame):
    """End the program, but not at once: the terminal is set back first."""
    raise SystemExit(128 + number)
