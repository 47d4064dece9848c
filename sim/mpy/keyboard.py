"""Single keys of a terminal, without the return key, and without showing them. POSIX."""

import asyncio
import contextlib
import os


class Keyboard:
    """Args: file: a terminal for input. Ctrl-C and Ctrl-Z stay what they are."""

    def __init__(self, file):
        self._fd = file.fileno()
        self._before = None

    def open(self, on_key):
        """Calls on_key(str of one character) for each key, from the running loop. Called again, it has the terminal
        as the first call had it, whatever others have done to it since."""
        import termios  # Windows has none, and no boards of ours either

        if self._before is None:
            self._before = termios.tcgetattr(self._fd)
        now = [*self._before[:6], list(self._before[6])]
        now[3] &= ~(termios.ICANON | termios.ECHO)
        now[6][termios.VMIN], now[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._fd, termios.TCSADRAIN, now)
        self._on_key = on_key
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def _read(self):
        try:
            data = os.read(self._fd, 64)
        except OSError:
            data = b""
        if not data:  # the terminal has gone
            asyncio.get_running_loop().remove_reader(self._fd)
        if b"\x1b" in data:  # a cursor key or the like: none of ours
            return
        for key in data.decode(errors="replace"):
            self._on_key(key)

    def close(self):
        """Has the terminal as it was, if it is still there."""
        if self._before is not None:
            import termios

            asyncio.get_running_loop().remove_reader(self._fd)
            with contextlib.suppress(termios.error):  # it was closed
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
            self._before = None
