"""The server's end of a channel: apart, so that no board has to hold it."""

from protocol.channel import Channel
from protocol.channel_records import EXPIRED_BITS
from protocol.lines import NUMBERS


class ServerChannel(Channel):
    """A Channel that goes on with what a store has."""

    expirations = 0  # messages of the client that were not accepted in time

    def accept(self, expired=False):
        super().accept(expired)
        self.expirations += bool(expired)

    def ack(self):
        """Number of the peer's oldest message that is not accepted."""
        return self.receiver.ack

    def expected(self):
        """Number of the peer's next message that is not completely received."""
        return self.receiver.next

    def after(self, late):
        """Returns (number expected, `expired`) as they are once the oldest messages received are accepted.

        late: of each of them whether it has expired."""
        numbered = self.receiver.numbered()
        number, expired = self.receiver.ack, self.expired
        for i in range(len(late)):
            if numbered[i]:
                number = (number + 1) & NUMBERS
                expired = (expired & EXPIRED_BITS >> 1) << 1 | (1 if late[i] else 0)
        return number, expired

    def restore(self, expected, base, messages, expired=0):
        """Go on with what a store has: the number expected from the peer, and the messages [(bytes, numbered, ..)] that
        it has not acknowledged, of which the oldest has the number base; `expired`. For a fresh channel."""
        self.receiver.start_at(expected)
        self.expired = expired
        self.start_at(base)
        for message in messages:
            self.append(*message)
        self.reached = self.end

    @property
    def end(self):
        """Number of the next message to be admitted."""
        return (self.base + sum(entry[1] for entry in self.lines)) & NUMBERS
