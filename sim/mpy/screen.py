"""A playground in a terminal: its state at the top, what happens below it, and keys that make something happen.

The top lines stay by a scroll region (ECMA-48 and DEC's DECSTBM, which terminals of today have). `Screen` is a view as
`PlainView` is; what it draws is made by pure functions.
"""

import asyncio
import os
import signal
import sys
import time

from server.core.shown import harmless
from sim.mpy.keyboard import Keyboard
from sim.mpy.lines_seen import TO_CLIENT, TO_SERVER
from sim.mpy.playground import BAD, BUSY, GOOD

KEYS = {
    "k": ("bridge-kill", "kill the bridge"),
    "w": ("wifi-outage", "take the Wi-Fi for 2 s"),
    "s": ("server-restart", "take the server's listener for 2 s"),
    "d": ("sda-low", "hold sda low for 2 s"),
    "f": ("i2c-bitflip", "flip a bit on I2C"),
    "r": ("client-reset", "press the client's reset button"),
    "p": ("client-kill", "take the client's power for 1 s"),
}
OTHER_KEYS = {"q": "quit, and say what was delivered", "?": "these keys", "1 to 9": "with several clients: which one"}
SHORT = "k bridge  w Wi-Fi  s server  d sda  f bit  r reset  p power  q quit  ? keys"

LEAST_COLUMNS, LEAST_LINES = 78, 12
REDRAW_S = 0.2
_WORDS = 11  # columns for a state in words, in a box
_SIGNS = {GOOD: "●", BUSY: "◐", BAD: "○"}
_COLOURS = {GOOD: "32", BUSY: "33", BAD: "31"}
_ARROWS = {TO_SERVER: ("-->", "36"), TO_CLIENT: ("<--", "35")}
_GREY = "90"


def coloured(text, code, colours):
    """Returns the text in an ECMA-48 colour. Args: colours: False: without."""
    return f"\x1b[{code}m{text}\x1b[0m" if colours else text


def boxes(state, numbers, colours):
    """Returns four lines: a box for board, bridge, Wi-Fi, server and the lines.

    Args: state: [(part, GOOD | BUSY | BAD, words)]; numbers: five texts for the second lines, which fit.
    """
    parts = [*state, ("lines", None, "")]
    inner = _WORDS + 2
    top, first, second, bottom = [], [], [], []
    for (part, how, words), number in zip(parts, numbers, strict=True):
        sign = "" if how is None else _SIGNS[how] + " "
        shown = (sign + words)[:inner].ljust(inner)
        top.append(f"┌ {part} ".ljust(inner + 1, "─") + "┐")
        first.append("│" + (coloured(shown, _COLOURS[how], colours) if how else number[:inner].ljust(inner)) + "│")
        second.append("│" + ("" if how is None else number)[:inner].ljust(inner) + "│")
        bottom.append("└" + "─" * inner + "┘")
    return ["".join(top), "".join(first), "".join(second), "".join(bottom)]


def row(number, name, state, counts, selected, colours):
    """Returns a line for one of several clients."""
    marks = [coloured(f"{_SIGNS[how]} {words[:_WORDS]:{_WORDS}}", _COLOURS[how], colours) for _, how, words in state]
    return f"{'>' if selected else ' '}{number} {name[:10]:10} " + " ".join(marks) + f" {counts}"


class Screen:
    """Args: file: a terminal for output; keyboard: a Keyboard; colours: bool."""

    def __init__(self, file, keyboard, colours):
        self._file = file
        self._keyboard = keyboard
        self._colours = colours
        self._selected = 0
        self._height = 0
        self._drawing = None
        self._early = []  # what was said before `begin`

    # Called by the playground.

    def begin(self, playground):
        """Takes the terminal. A loop must run."""
        self._playground = playground
        self._size = os.get_terminal_size(self._file.fileno())
        self._keyboard.open(self._key)
        asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, self._resized)
        self._heed_stops()
        self._take()
        for text in self._early:
            self.note(text)
        self._drawing = asyncio.ensure_future(self._draw_on())

    def line(self, name, who, line):
        self._say(self._of(name, who), harmless(line, "\t"))

    def event(self, name, who, text):
        self._say(self._of(name, who), harmless(text), "33" if who == "fault" else _GREY)

    def moved(self, name, way, line):
        arrow, colour = _ARROWS[way]
        self._say(self._of(name, arrow), harmless(line, "\t"), colour)

    def note(self, text):
        if self._drawing is None and not self._height:
            self._early.append(text)
        else:
            self._say("sim", text, _GREY)

    def end(self):
        """Gives the terminal back, with the cursor below all that was shown."""
        if self._drawing is not None:
            self._drawing.cancel()
        for number in (signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT):
            asyncio.get_running_loop().remove_signal_handler(number)
        self._give_back()

    # What is shown.

    def _of(self, name, who):
        return f"{name} {who}".strip() if len(self._playground.clients) > 1 else who

    def _say(self, who, text, colour=None):
        text = f"{who:>6} | {text}"
        self._write(coloured(text, colour, self._colours) + "\n" if colour else text + "\n")

    def _write(self, text):
        self._file.write(text)
        self._file.flush()

    def _take(self):
        """Clears the terminal, and has all below the top lines scroll alone."""
        self._height = len(self.top())
        self._write(f"\x1b[?25l\x1b[2J\x1b[{self._height + 1};{self._size.lines}r\x1b[{self._size.lines};1H")
        self._draw()

    def _give_back(self):
        self._keyboard.close()
        self._write(f"\x1b[r\x1b[{self._size.lines};1H\x1b[?25h\n")

    def _heed_stops(self):
        """Ctrl-Z, unless whoever started this has it ignored; and SIGCONT, also after a SIGSTOP."""
        if signal.getsignal(signal.SIGTSTP) != signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTSTP, self._stop)
        asyncio.get_running_loop().add_signal_handler(signal.SIGCONT, self._continued)

    def _stop(self):
        """Stops this process, as SIGTSTP does by default, with the terminal as it was before."""
        self._give_back()
        for number in (signal.SIGTSTP, signal.SIGCONT):
            asyncio.get_running_loop().remove_signal_handler(number)
        os.kill(os.getpid(), signal.SIGTSTP)  # it returns when the process goes on
        self._heed_stops()
        self._continued()

    def _continued(self):
        self._keyboard.open(self._key)
        self._resized()

    def _resized(self):
        self._size = os.get_terminal_size(self._file.fileno())
        self._take()

    async def _draw_on(self):
        while True:
            await asyncio.sleep(REDRAW_S)
            self._draw()

    def _draw(self):
        lines = [f"\x1b[{number};1H{line}\x1b[K" for number, line in enumerate(self.top(), 1)]
        self._write("\x1b7\x1b[?7l" + "".join(lines) + "\x1b[?7h\x1b8")

    def top(self):
        """Returns the lines that stay at the top."""
        clients = self._playground.clients
        clock = time.strftime("%H:%M:%S", time.gmtime(self._playground.elapsed_s))
        foot = [f" {clock}  {SHORT}"[: self._size.columns], "─" * self._size.columns]
        if len(clients) > 1:
            rows = [
                row(number, one.name, one.state(), _counts(one), number - 1 == self._selected, self._colours)
                for number, one in enumerate(clients, 1)
            ]
            return [f"   {'client':10} {'board':13} {'bridge':13} {'Wi-Fi':13} {'server':13} lines", *rows, *foot]
        counts = clients[0].counts()
        numbers = [
            _times(counts["client_resets"], "reset"), _times(counts["bridge_resets"], "reset"), "",
            _times(counts["outages"], "outage"), _counts(clients[0]),
        ]  # fmt: skip
        return [*boxes(clients[0].state(), numbers, self._colours), *foot]

    # Keys.

    def _key(self, key):
        client = self._playground.clients[self._selected]
        if key == "q":
            self._playground.quit()
        elif key == "?":
            for name, text in [*((name, text) for name, (_, text) in KEYS.items()), *OTHER_KEYS.items()]:
                self._say("keys", f"{name}  {text}")
        elif key in KEYS:
            name, text = KEYS[key]
            if client.faults.under_way(name):
                self._say("keys", f"{text}: it is still under way")
            else:
                self._playground.fault(client, name)
        elif key.isascii() and key.isdigit() and 0 < int(key) <= len(self._playground.clients):
            self._selected = int(key) - 1
            self._draw()


def _counts(client):
    there, back = client.seen.ways[TO_SERVER].lines, client.seen.ways[TO_CLIENT].lines
    return f"> {there} < {back}"


def _times(count, what):
    return f"{count} {what}{'' if count == 1 else 's'}" if count else ""


def fits(output=sys.stdout, keys=sys.stdin):
    """Returns whether both are a terminal that is large enough, and that knows how to move its cursor."""
    try:
        if not (output.isatty() and keys.isatty()) or os.environ.get("TERM", "dumb") == "dumb":
            return False
        columns, lines = os.get_terminal_size(output.fileno())
    except (OSError, ValueError):
        return False
    return columns >= LEAST_COLUMNS and lines >= LEAST_LINES


def screen():
    """Returns a Screen of this terminal. NO_COLOR (https://no-color.org) has no colours."""
    return Screen(sys.stdout, Keyboard(sys.stdin), not os.environ.get("NO_COLOR"))
