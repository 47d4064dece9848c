"""A playground as a trace: one line an event, with its time, both ends and the wires in columns (sim/trace.py)."""

import asyncio

from protocol.frame_log import describe
from server.core.shown import harmless
from sim import trace
from sim.mpy.lines_seen import TO_SERVER

_COLUMNS = {"client": "client", "bridge": "bridge", "server": "server", "wire": "wire", "sensors": "client"}


class TraceView:
    """Args: file: for text; several: there is more than one client, so each line has the client's name."""

    def __init__(self, file, several):
        self._file = file
        self._several = several
        self._print = trace.printer(file)
        self._began = None

    def begin(self, playground):
        """Has itself told of transfers and frames as well. A loop must run."""
        self._began = playground.began
        print(trace.heading(), file=self._file)
        for client in playground.clients:
            client.seen.on_frame = lambda way, frame, name=client.name: self._frame(name, way, frame)
            for board in (client.bed.client, client.bed.bridge):
                column = "wire" if board is client.bed.bridge else "client"
                board.on_transfer = lambda text, name=client.name, column=column: self._say(name, column, text)

    def _say(self, name, column, text):
        at = asyncio.get_running_loop().time() - self._began if self._began is not None else 0.0
        self._print(at, column, f"{name} {text}" if self._several else text)
        self._file.flush()

    def _frame(self, name, way, frame):
        self._say(name, "tcp", ("> " if way == TO_SERVER else "< ") + harmless(describe(frame)))

    def line(self, name, who, line):
        self._say(name, _COLUMNS.get(who, "wire"), "| " + harmless(line))

    def event(self, name, who, text):
        self._say(name, "fault" if who == "fault" else _COLUMNS.get(who, "wire"), text)

    def moved(self, name, way, line):
        """The frame that carries it has been shown."""

    def note(self, text):
        print("sim:", text, file=self._file, flush=True)

    def end(self):
        """The playground has ended."""
