"""`verbose=2` of the client: one line a frame. Loaded only then."""

from pb_link.connection import Connection
from protocol.frame_log import describe
from protocol.framing import PREFIX


class LoggedConnection(Connection):
    """A Connection that prints each frame that is received or sent."""

    def receive(self, data):
        _print("<", data, 0, len(data))
        return super().receive(data)

    def encode_into(self, buf, at, now):
        end = super().encode_into(buf, at, now)
        if end > at:
            _print(">", buf, at + PREFIX, end)
        return end


def muted(connection_class, console):
    """Returns a class of connections whose printed frames do not go to the console: its own are among them."""

    class MutedConnection(connection_class):
        def receive(self, data):
            console.muted = True
            try:
                return connection_class.receive(self, data)
            finally:
                console.muted = False

        def encode_into(self, buf, at, now):
            console.muted = True
            try:
                return connection_class.encode_into(self, buf, at, now)
            finally:
                console.muted = False

    return MutedConnection


def _print(direction, buf, start, end):
    try:
        print("pb_link:", direction, describe(memoryview(buf)[start:end]))
    except MemoryError:
        pass  # a line of log is not worth the connection
