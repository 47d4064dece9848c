"""A playground as lines of text: for files, pipes, and terminals that take no more."""

import sys


def show(board, line):
    """A line that a program has printed."""
    print(f"{board:>6} | {line}", flush=True)


def log(board, text):
    """What has happened to a board."""
    print(f"{board:>6} * {text}", file=sys.stderr, flush=True)


class PlainView:
    """Args: several: there is more than one client, so each line has the client's name."""

    def __init__(self, several):
        self._several = several

    def begin(self, playground):
        """The playground is about to run."""

    def _who(self, name, who):
        return f"{name} {who}" if self._several else who

    def line(self, name, who, line):
        show(self._who(name, who), line)

    def event(self, name, who, text):
        log(self._who(name, who), text)

    def moved(self, name, way, line):
        """A line has crossed between bridge and server. The programs show what they want to be seen."""

    def note(self, text):
        """What the simulator itself has to say."""
        log("sim", text)

    def end(self):
        """The playground has ended."""
