"""The operator's end of `pb-link console ID --repl`: a terminal in raw mode, joined with the server's admin socket."""

import codecs
import contextlib
import json
import os
import select
import sys

from server.core.shown import harmless
from server.service.admin import connected

LEAVE = b"\x1d"  # Ctrl-]
_CHUNK = 1 << 12


def run(path, client_id, in_file=0, out_file=1):
    """Pass on what is typed and what the client prints until Ctrl-] is typed. path: of the admin socket.

    Returns: exit status. Raises: ValueError: there is no terminal, no server, or no REPL for this client.
    """
    if not os.isatty(in_file):
        raise ValueError("--repl needs a terminal to type at")
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


class _Session:
    def __init__(self, sock, in_file, out_file):
        self._sock = sock
        self._in_file = in_file
        self._out_file = out_file
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = b""  # of an answer

    def run(self):
        while True:
            ready = select.select([self._sock, self._in_file], [], [])[0]
            if self._sock in ready and not self._take_answers():
                _show(self._out_file, "\r\n")
                raise ValueError("the server has ended")
            if self._in_file in ready and not self._take_typed():
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
                # It is a terminal of the client: its control characters are what a prompt edits its line with.
                _show(self._out_file, answer["text"].replace("\n", "\r\n"))
            else:
                _show(self._out_file, f"\r\n[{harmless(answer['note'])}]\r\n")
        return bool(data)

    def _take_typed(self):
        """Returns False when the operator leaves, or has closed the terminal."""
        data = os.read(self._in_file, _CHUNK)
        typed = data.partition(LEAVE)[0]
        if typed:
            _ask(self._sock, {"input": self._decoder.decode(typed)})
        return bool(data) and typed == data


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
    try:
        tty.setraw(file)
        yield
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)
        sys.stdout.flush()
