"""The frame log for `verbose=2` of the server: one line for each frame. It is loaded only then."""

from protocol.frame_log import describe
from protocol.frame_reader import FrameReader
from protocol.framing import PREFIX
from server.core.transport import Transport


class LoggedTransport(Transport):
    """A Transport that gives log(text) a line for each frame that is received or sent."""

    def __init__(self, log, *args):
        super().__init__(*args)
        self._log = log
        self._frames = _LoggedReader(self)

    def put_frame(self, end):
        self.log(">", memoryview(self.buffer)[PREFIX:end])
        super().put_frame(end)

    async def send_frame(self, frame):
        self.log(">", frame)
        await super().send_frame(frame)

    def dismiss(self, frame):
        self.log(">", frame)
        super().dismiss(frame)

    def log(self, direction, frame):
        """Log a line for a frame. The peer comes last, since a server has many."""
        self._log("%s %s peer=%s" % (direction, describe(frame), self.peer))


class _LoggedReader(FrameReader):
    def __init__(self, transport):
        super().__init__()
        self._transport = transport

    def feed(self, data):
        for frame in super().feed(data):
            self._transport.log("<", frame)
            yield frame
