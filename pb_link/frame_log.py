"""`verbose=2` of the client: one line a frame. Loaded only then."""

from protocol.frame_log import describe
from protocol.framing import PREFIX


class FrameLog:
    """Prints each frame that is received or sent on a connection. `connection`: an Opening, then a Session.

    console: Console or None: what is printed here does not go to it, since its own frames are among them.
    """

    console = None

    def __init__(self):
        self.connection = None

    def receive(self, data, now):
        self._print("<", data, 0, len(data))
        return self.connection.receive(data, now)

    def encode_into(self, buf, at, now):
        end = self.connection.encode_into(buf, at, now)
        if end > at:
            self._print(">", buf, at + PREFIX, end)
        return end

    def fault(self, now):
        return self.connection.fault(now)

    def _print(self, direction, buf, start, end):
        console = self.console
        if console:
            console.muted = True
        try:
            print("pb_link:", direction, describe(memoryview(buf)[start:end]))
        except MemoryError:
            pass  # a line of log is not worth the connection
        finally:
            if console:
                console.muted = False
